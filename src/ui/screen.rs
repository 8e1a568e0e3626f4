//! The terminal under burn's dashboard: what burn does not do about it.
//!
//! Burn puts the terminal into raw mode, in which no key is a signal; its menu is cut off on a small terminal and tells
//! of a "kill" that there is not. So Ctrl-C and `q` become signals again, and mean what they mean everywhere: stop, and
//! keep what there is. While the dashboard is on, stderr goes into a pipe: nothing that a library says can garble the
//! screen, and none can fail to say it where the terminal is gone, which would end the program in the middle of an
//! unwinding. What was said is printed when the dashboard is off.

#[cfg(unix)]
pub use unix::{Screen, leave, make_keys_signals};

#[cfg(not(unix))]
pub use elsewhere::{Screen, leave, make_keys_signals};

#[cfg(unix)]
mod unix {
    use std::io::{self, Read, Write};
    use std::os::fd::{AsFd, OwnedFd};
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use rustix::stdio::dup2_stderr;
    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
    };

    use crate::train::lanes::locked;
    use crate::ui::print::tell;

    /// How the terminal was before a dashboard came on it.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

    /// More than this on stderr is nothing that anybody reads.
    const MOST: u64 = 1 << 16;

    /// No character, where a key is to mean nothing.
    const NO_KEY: u8 = if cfg!(any(target_os = "linux", target_os = "android")) {
        0
    } else {
        0xff
    };

    /// The terminal, for as long as a dashboard is on it.
    pub struct Screen {
        stderr: Option<(OwnedFd, Receiver<String>)>,
    }

    impl Screen {
        pub fn take() -> Self {
            *locked(&BEFORE) = tcgetattr(io::stdin()).ok();
            Self {
                stderr: divert_stderr().ok(),
            }
        }
    }

    impl Drop for Screen {
        fn drop(&mut self) {
            *locked(&BEFORE) = None;
            let Some((stderr, said)) = self.stderr.take() else {
                return;
            };
            // With stderr back in its place the pipe has no writer, and its reader comes to an end, unless some library
            // holds on to it.
            if dup2_stderr(&stderr).is_ok()
                && let Ok(said) = said.recv_timeout(Duration::from_secs(1))
                && !said.is_empty()
            {
                tell(said.trim_end());
            }
        }
    }

    /// Makes signals of Ctrl-C and `q` as soon as burn has made the terminal raw; whether that is done.
    pub fn make_keys_signals() -> bool {
        let Ok(mut modes) = tcgetattr(io::stdin()) else {
            return false;
        };
        if modes.local_modes.contains(LocalModes::ISIG) {
            return false;
        }
        // A signal is not to throw away what is on its way to the screen.
        modes.local_modes |= LocalModes::ISIG | LocalModes::NOFLSH;
        modes.special_codes[SpecialCodeIndex::VINTR] = 0x03;
        modes.special_codes[SpecialCodeIndex::VQUIT] = b'q';
        modes.special_codes[SpecialCodeIndex::VSUSP] = NO_KEY;
        tcsetattr(io::stdin(), OptionalActions::Now, &modes).is_ok()
    }

    /// Gives the terminal back at once, if a dashboard is on it.
    pub fn leave() {
        if let Some(before) = locked(&BEFORE).take() {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
            // No mouse, the screen that was there before, a cursor.
            let sequence =
                b"\x1b[?1006l\x1b[?1015l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?1049l\x1b[?25h";
            let mut stdout = io::stdout().lock();
            let _ = stdout.write_all(sequence).and_then(|()| stdout.flush());
        }
    }

    /// Where stderr went before, and who collects what goes there now.
    fn divert_stderr() -> io::Result<(OwnedFd, Receiver<String>)> {
        let stderr = io::stderr().as_fd().try_clone_to_owned()?;
        let (mut reader, writer) = io::pipe()?;
        let (told, said) = channel();
        std::thread::Builder::new().spawn(move || {
            let mut said = Vec::new();
            let _ = reader.by_ref().take(MOST).read_to_end(&mut said);
            // The rest is read so that no writer waits.
            let _ = io::copy(&mut reader, &mut io::sink());
            let _ = told.send(String::from_utf8_lossy(&said).into_owned());
        })?;
        dup2_stderr(&writer)?;
        Ok((stderr, said))
    }
}

#[cfg(not(unix))]
mod elsewhere {
    /// The terminal, which burn handles alone.
    pub struct Screen;

    impl Screen {
        pub fn take() -> Self {
            Self
        }
    }

    pub fn make_keys_signals() -> bool {
        true
    }

    pub fn leave() {}
}
