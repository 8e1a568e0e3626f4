//! Signals: the first ends a run after the current batch, the second ends the program.

use std::io;
use std::sync::Arc;

use crate::train::Stop;
use crate::ui::print::tell;
use crate::ui::{Style, leave_terminal, outlives_terminal};

/// The exit code of a run that was ended on request.
pub const INTERRUPTED: u8 = 130;

/// Listens from now on.
pub fn listen(stop: &Arc<Stop>, style: Style) {
    let stop = Arc::clone(stop);
    let is_dashboard = style.is_dashboard();
    let mut asked = false;
    let on_signal = move |sender: Sender| {
        if sender == Sender::Person {
            if asked {
                leave_terminal();
                std::process::exit(INTERRUPTED.into());
            }
            asked = true;
        }
        if !stop.requested() && !is_dashboard {
            tell("stopping after this batch; once more to leave at once");
        }
        stop.request();
    };
    if let Err(error) = start(is_dashboard, on_signal) {
        tell(&format!(
            "warning: Ctrl-C will end the program at once: {error}"
        ));
    }
}

/// Who ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// Or a program on behalf of one.
    Person,
    /// A terminal that goes away, which is often told more than once.
    Terminal,
}

/// Calls `on_signal` for every signal that ends a run.
#[cfg(unix)]
fn start(is_dashboard: bool, mut on_signal: impl FnMut(Sender) + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use signal_hook::iterator::Signals;

    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let handle = signals.handle();
    if !outlives_terminal() {
        handle.add_signal(SIGHUP)?;
    }
    if is_dashboard {
        // What `q` sends there.
        handle.add_signal(SIGQUIT)?;
    }
    let listen = move || {
        for signal in signals.forever() {
            on_signal(match signal {
                SIGHUP => Sender::Terminal,
                _ => Sender::Person,
            });
        }
    };
    let named = std::thread::Builder::new().name("signals".to_owned());
    named.spawn(listen).map(drop)
}

#[cfg(not(unix))]
fn start(_: bool, mut on_signal: impl FnMut(Sender) + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || on_signal(Sender::Person)).map_err(io::Error::other)
}
