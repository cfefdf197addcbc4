//! Progress bars on stderr, and none where stderr is no terminal.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::run::Watch;
use crate::train;
use crate::watch;

/// One bar for the arm at hand, and below it one for the batch that is embedded or searched.
#[derive(Default)]
pub struct Bars {
    multi: MultiProgress,
    arm: Mutex<(String, Option<ProgressBar>)>,
}

impl Bars {
    pub fn new() -> Bars {
        Bars::default()
    }

    /// A further bar; the caller ends it.
    pub fn bar(&self, label: &str, total: usize) -> ProgressBar {
        self.styled(label, total as u64, "{msg:36} {wide_bar} {pos}/{len} {eta:>4}")
    }

    fn styled(&self, label: &str, total: u64, template: &str) -> ProgressBar {
        let bar = self.multi.add(ProgressBar::new(total));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(label.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }

    fn replace(&self, id: Option<&str>, doing: &str, total: usize) {
        if let Ok(mut arm) = self.arm.lock() {
            if let Some(id) = id {
                arm.0 = id.to_owned();
            }
            if let Some(old) = arm.1.take() {
                old.finish_and_clear();
            }
            arm.1 = Some(self.bar(&format!("{}: {doing}", arm.0), total));
        }
    }

    fn step(&self) {
        if let Ok(arm) = self.arm.lock()
            && let Some(bar) = &arm.1
        {
            bar.inc(1);
        }
    }

    /// Takes all bars off the screen.
    pub fn clear(&self) {
        if let Ok(mut arm) = self.arm.lock()
            && let Some(bar) = arm.1.take()
        {
            bar.finish_and_clear();
        }
    }
}

/// Clears its bar when the batch is over.
struct Batch(ProgressBar);

impl Batch {
    fn counter<'a>(self) -> Box<dyn Fn(usize) + Sync + 'a> {
        Box::new(move |n| {
            let Batch(bar) = &self;
            bar.inc(n as u64);
        })
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl watch::Watch for Bars {
    fn batch(&self, label: &str, total: usize) -> Box<dyn Fn(usize) + Sync + '_> {
        Batch(self.bar(label, total)).counter()
    }

    fn reading(&self, path: &Path, bytes: u64) -> Box<dyn Fn(usize) + Sync + '_> {
        let label = format!("reading {}", path.file_name().unwrap_or_default().display());
        let template = "{msg:36} {wide_bar} {bytes}/{total_bytes} {eta:>4}";
        Batch(self.styled(&label, bytes, template)).counter()
    }
}

impl Watch for Bars {
    fn arm(&self, id: &str, steps: usize) {
        self.replace(Some(id), "compiling steps", steps);
    }

    fn step_compiled(&self) {
        self.step();
    }

    fn solving(&self, tasks: usize) {
        self.replace(None, "solving tasks", tasks);
    }

    fn task_solved(&self) {
        self.step();
    }
}

impl train::Watch for Bars {
    fn arm(&self, arm: train::Arm, steps: usize, taken: usize) {
        self.replace(Some(arm.name()), "training", steps);
        if let Ok(arm) = self.arm.lock()
            && let Some(bar) = &arm.1
        {
            bar.set_position(taken as u64);
            // The time left is told from the steps taken here.
            bar.reset_eta();
        }
    }

    fn step(&self, loss: f64) {
        if let Ok(arm) = self.arm.lock()
            && let Some(bar) = &arm.1
        {
            bar.set_message(format!("{}: training, loss {loss:.3}", arm.0));
            bar.inc(1);
        }
    }
}
