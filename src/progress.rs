//! Progress of long work, as events. The command line draws bars from them; a user of the library may listen to them
//! and cancel the work, or ignore them.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Identifies a piece of work among those that go on at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProgressWorkId(u64);

/// The unit of the amounts in [`ProgressEvent::Started`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressUnit {
    /// Tasks, texts, training steps: whatever the label names.
    Items,
    /// Bytes of a file.
    Bytes,
}

/// An event of long work.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ProgressEvent<'a> {
    /// A piece of work begins.
    Started {
        /// The piece of work.
        work: ProgressWorkId,
        /// A description for people.
        label: &'a str,
        /// Total amount of work.
        total: u64,
        /// Amount that is already done.
        done: u64,
        /// Unit of both amounts.
        unit: ProgressUnit,
    },
    /// Some of the work is done.
    Advanced {
        /// The piece of work.
        work: ProgressWorkId,
        /// Amount done since the last event of this kind.
        by: u64,
    },
    /// The work has a new description.
    Renamed {
        /// The piece of work.
        work: ProgressWorkId,
        /// A description for people.
        label: &'a str,
    },
    /// The work is over: done, or given up.
    Finished {
        /// The piece of work.
        work: ProgressWorkId,
    },
}

/// Receives progress events, from several threads.
pub trait ProgressListener: Sync {
    /// Called for every event, from the thread that does the work.
    fn on_event(&self, event: &ProgressEvent<'_>);

    /// Polled now and then: once it returns true, the work ends with [`WorkCancelled`].
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// The listener cancelled the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct WorkCancelled;

/// Ignores events and never cancels.
pub struct NoProgress;

impl ProgressListener for NoProgress {
    fn on_event(&self, _: &ProgressEvent<'_>) {}
}

impl dyn ProgressListener + '_ {
    /// Begins a piece of work; it ends when the returned value is dropped.
    pub fn start(&self, label: &str, total: usize) -> WorkHandle<'_> {
        self.resume(label, total, 0)
    }

    /// As `start`, with `done` of it already done.
    pub fn resume(&self, label: &str, total: usize, done: usize) -> WorkHandle<'_> {
        WorkHandle::started(self, label, total as u64, done as u64, ProgressUnit::Items)
    }

    /// As `start`, for the bytes of a file.
    pub fn start_reading(&self, path: &Path, bytes: u64) -> WorkHandle<'_> {
        let label = format!("reading {}", path.file_name().unwrap_or_default().display());
        WorkHandle::started(self, &label, bytes, 0, ProgressUnit::Bytes)
    }

    /// # Errors
    /// [`WorkCancelled`], if the listener asks for it.
    pub fn check(&self) -> Result<(), WorkCancelled> {
        if self.is_cancelled() { Err(WorkCancelled) } else { Ok(()) }
    }
}

/// A piece of work in progress.
pub struct WorkHandle<'a> {
    id: ProgressWorkId,
    listener: &'a dyn ProgressListener,
}

impl<'a> WorkHandle<'a> {
    fn started(
        listener: &'a dyn ProgressListener,
        label: &str,
        total: u64,
        done: u64,
        unit: ProgressUnit,
    ) -> WorkHandle<'a> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let work = ProgressWorkId(NEXT.fetch_add(1, Ordering::Relaxed));
        listener.on_event(&ProgressEvent::Started { work, label, total, done, unit });
        WorkHandle { id: work, listener }
    }

    /// Reports that this much more is done.
    pub fn advance(&self, by: usize) {
        self.listener.on_event(&ProgressEvent::Advanced { work: self.id, by: by as u64 });
    }

    /// Changes the description of the work.
    pub fn rename(&self, label: &str) {
        self.listener.on_event(&ProgressEvent::Renamed { work: self.id, label });
    }
}

impl Drop for WorkHandle<'_> {
    fn drop(&mut self) {
        self.listener.on_event(&ProgressEvent::Finished { work: self.id });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct RecordingListener(Mutex<Vec<String>>);

    impl ProgressListener for RecordingListener {
        fn on_event(&self, event: &ProgressEvent<'_>) {
            let text = match event {
                ProgressEvent::Started { label, total, done, .. } => {
                    format!("{label}: {done} of {total}")
                }
                ProgressEvent::Advanced { by, .. } => format!("+{by}"),
                ProgressEvent::Renamed { label, .. } => (*label).to_owned(),
                ProgressEvent::Finished { .. } => "finished".to_owned(),
            };
            self.0.lock().unwrap().push(text);
        }

        fn is_cancelled(&self) -> bool {
            self.0.lock().unwrap().len() > 4
        }
    }

    #[test]
    fn events_come_in_order_and_the_end_is_reported_once() {
        let recorded = RecordingListener::default();
        let listener: &dyn ProgressListener = &recorded;
        let work = listener.resume("training", 10, 4);
        work.advance(2);
        work.rename("training, loss 0.5");
        assert_eq!(listener.check(), Ok(()));
        drop(work);
        let reading = listener.start_reading(Path::new("folder/tasks.csv"), 7);
        assert_eq!(listener.check(), Err(WorkCancelled));
        drop(reading);
        let expected = [
            "training: 4 of 10",
            "+2",
            "training, loss 0.5",
            "finished",
            "reading tasks.csv: 0 of 7",
            "finished",
        ];
        assert_eq!(*recorded.0.lock().unwrap(), expected);
    }
}
