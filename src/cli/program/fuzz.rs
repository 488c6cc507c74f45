//! The beginning of a script, as a function of bytes.

use super::{LINE, interpreter, words};

/// What it is run by; and where that is `env`, what that runs.
pub fn script(bytes: &[u8]) {
    let begin = &bytes[..bytes.len().min(LINE)];
    if let Ok(Some(line)) = interpreter(begin) {
        assert!((1..=2).contains(&line.len()));
        if let Some(inner) = words::after_env(&line[1..]) {
            assert!(inner.command.iter().map(|word| word.len()).sum::<usize>() <= begin.len());
        }
    }
}
