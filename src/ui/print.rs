//! The one place that prints: data on stdout, talk on stderr.
//!
//! Whoever reads may go away, and the disk under a log may fill up: printing never fails and never panics, so that it
//! cannot end a run. What went wrong on stdout is remembered for whoever has nothing to give but what they print.

use std::io::{self, Write};
use std::sync::OnceLock;

/// The first thing that went wrong on stdout.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Prints a line of data.
pub fn say(line: &str) {
    say_bytes(format!("{line}\n").as_bytes());
}

/// Prints data as they are.
pub fn say_bytes(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    if let Err(error) = stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        let _ = LOST.set(error);
    }
}

/// Data on stdout, for whoever writes as it goes and wants to stop where nobody reads.
pub struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().lock().flush()
    }
}

/// Prints a line of talk.
pub fn tell(line: &str) {
    let _ = io::stderr()
        .lock()
        .write_all(format!("{line}\n").as_bytes());
}

/// Why data did not reach stdout, if some did not.
pub fn lost() -> Option<&'static io::Error> {
    LOST.get()
}
