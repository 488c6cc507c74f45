//! Why a command could not do what it was asked: one clear sentence, and an exit code.

use std::borrow::Cow;
use std::io::Write;
use std::process::ExitCode;

/// Exit codes of a program that could not be started, as `env` and `timeout` have them: the
/// command itself failed, …
pub const FAILED: u8 = 125;
/// … the program is there and cannot be executed, …
pub const NOT_EXECUTABLE: u8 = 126;
/// … there is no such program.
pub const NOT_FOUND: u8 = 127;

/// What was asked for is no question or order: the code that clap gives, too.
pub const USAGE: u8 = 2;

/// How a subcommand ends.
pub type Ended = Result<ExitCode, Trouble>;

/// What went wrong, and what to do about it.
#[derive(Debug)]
pub struct Trouble {
    message: String,
    code: u8,
}

impl Trouble {
    /// A trouble that ends the command with `code`.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code,
        }
    }

    /// The same, with another exit code.
    pub fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// What went wrong, and what to do about it, which comes behind the last semicolon.
    pub fn parts(&self) -> (&str, Option<&str>) {
        match self.message.rsplit_once("; ") {
            Some((why, advice)) => (why, Some(advice)),
            None => (&self.message, None),
        }
    }

    /// Says it on stderr and gives the exit code.
    pub fn tell(self) -> ExitCode {
        say(&self.message);
        ExitCode::from(self.code)
    }
}

/// One line on stderr under the command's name. Nobody reads what cannot be written.
pub fn say(message: &str) {
    let _ = writeln!(anstream::stderr(), "forkguard: {message}");
}

/// Writes to stdout and ends: with success also where the reader has gone (`forkguard ps | head`).
pub fn print(text: &str) -> Ended {
    write(text).map(|_| ExitCode::SUCCESS)
}

/// Writes to stdout; false where the reader has gone.
pub fn write(text: &str) -> Result<bool, Trouble> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(not_printed(&error)),
    }
}

/// Standard output takes no more, and not because its reader has gone.
pub fn not_printed(error: &std::io::Error) -> Trouble {
    Trouble::new(
        1,
        format!("standard output takes no more: {}", reason(error)),
    )
}

/// The operating system's words for an error, without its number.
pub fn reason(error: &std::io::Error) -> Cow<'static, str> {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect::<String>())
        .unwrap_or_default()
        .into()
}
