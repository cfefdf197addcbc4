//! Progress bars on stderr; hidden if stderr is not a terminal.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::progress::{ProgressEvent, ProgressListener, ProgressUnit, ProgressWorkId};

/// One bar for each piece of work in progress, in the order in which they began.
#[derive(Default)]
pub struct ProgressBars {
    multi: MultiProgress,
    active: Mutex<BTreeMap<ProgressWorkId, ProgressBar>>,
}

impl ProgressBars {
    pub fn new() -> ProgressBars {
        ProgressBars::default()
    }

    fn new_bar(&self, label: &str, total: u64, unit: ProgressUnit) -> ProgressBar {
        let template = match unit {
            ProgressUnit::Items => "{msg:36} {wide_bar} {pos}/{len} {eta:>4}",
            ProgressUnit::Bytes => "{msg:36} {wide_bar} {bytes}/{total_bytes} {eta:>4}",
        };
        let bar = self.multi.add(ProgressBar::new(total));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(label.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }

    /// Removes all bars from the screen.
    pub fn clear(&self) {
        if let Ok(mut bars) = self.active.lock() {
            std::mem::take(&mut *bars).into_values().for_each(|bar| bar.finish_and_clear());
        }
    }
}

impl ProgressListener for ProgressBars {
    fn on_event(&self, event: &ProgressEvent<'_>) {
        let Ok(mut bars) = self.active.lock() else { return };
        match *event {
            ProgressEvent::Started { work, label, total, done, unit } => {
                let bar = self.new_bar(label, total, unit);
                if done > 0 {
                    bar.set_position(done);
                    // Resumed work: the remaining time is estimated only from what is done from now on.
                    bar.reset_eta();
                }
                bars.insert(work, bar);
            }
            ProgressEvent::Advanced { work, by } => {
                if let Some(bar) = bars.get(&work) {
                    bar.inc(by);
                }
            }
            ProgressEvent::Renamed { work, label } => {
                if let Some(bar) = bars.get(&work) {
                    bar.set_message(label.to_owned());
                }
            }
            ProgressEvent::Finished { work } => {
                if let Some(bar) = bars.remove(&work) {
                    bar.finish_and_clear();
                }
            }
        }
    }
}
