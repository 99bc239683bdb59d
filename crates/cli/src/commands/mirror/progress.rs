//! What a sync shows while it runs.

use crate::output;
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use mirror::Progress;
use std::time::{Duration, Instant};

/// indicatif shows nothing where standard error is no terminal.
const BAR: &str = "{prefix} {bar:30} {msg}";

const PARTS: u64 = 1000;

/// A bar for one sync.
pub(super) struct Bar {
    bar: ProgressBar,
    started: Instant,
}

impl Bar {
    /// A bar for the mirror with a name.
    pub(super) fn new(name: &str) -> Result<Self> {
        let bar = ProgressBar::new(PARTS).with_style(ProgressStyle::with_template(BAR)?).with_prefix(name.to_owned());
        Ok(Self { bar, started: Instant::now() })
    }

    /// Shows how far the sync is.
    pub(super) fn show(&self, progress: Progress) {
        self.bar.set_position((progress.fraction * PARTS as f64) as u64);
        self.bar.set_message(text(&progress, self.started.elapsed()));
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Nobody knows the size of what is missing before the end: what is left is about as large as its part of the tree.
fn text(progress: &Progress, elapsed: Duration) -> String {
    let (sent, seconds) = (progress.sent.bytes as f64, elapsed.as_secs_f64().max(0.001));
    let sent_text = output::bytes(progress.sent.bytes);
    let rate = output::bytes((sent / seconds) as u64);
    if progress.fraction < 0.01 || sent == 0.0 {
        return format!("{sent_text}, {rate}/s");
    }
    let part_left = 1.0 / progress.fraction - 1.0;
    let bytes_left = output::bytes((sent * part_left) as u64);
    let time_left = output::duration((seconds * part_left).ceil() as u64);
    format!("{sent_text}, {rate}/s, about {bytes_left} and {time_left} left")
}

#[cfg(test)]
mod tests {
    use super::*;
    use mirror::Sent;

    #[test]
    fn what_is_left_follows_from_the_part_that_is_done() {
        let sent = Sent { blocks: 1, bytes: 10 << 20, content_bytes: 0 };
        let progress = Progress { sent, fraction: 0.25 };
        let shown = text(&progress, Duration::from_secs(2));
        assert_eq!(shown, "10 MiB, 5.0 MiB/s, about 30 MiB and 6s left");
        assert_eq!(text(&Progress { fraction: 0.0, ..progress }, Duration::from_secs(2)), "10 MiB, 5.0 MiB/s");
    }
}
