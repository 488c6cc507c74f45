//! A command line as `FORKGUARD_EXEC` has it, taken apart into words.
//!
//! No shell runs it. The words are split and quoted as a shell's are, and nothing in them is
//! replaced; so the pid is the command's own, what cannot be executed is known while the forked
//! process is still there to be reported, and nothing is run but what the variable names. What
//! only a shell would understand is a fault, never a word taken literally: whoever wants a shell
//! writes `sh -c '…'`.

use core::fmt;

/// A part of the words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece {
    /// The next byte of the word.
    Byte(u8),
    /// The word ends.
    End,
}

/// Why a command line is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// There is no command, or an empty one.
    Empty,
    /// A quote without its second.
    Quote(u8),
    /// A backslash at the end.
    Backslash,
    /// A character that is a shell's to understand.
    Shell(u8),
    /// `NAME=value` before the command, which is a shell's as well.
    Assignment,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Fault::Empty => f.write_str("it names no command"),
            Fault::Quote(quote) => write!(f, "a {} has no second one", char::from(quote)),
            Fault::Backslash => f.write_str("it ends in a backslash"),
            Fault::Shell(byte) => write!(
                f,
                "{} is for a shell, and none runs it: quote it, or write sh -c '…'",
                char::from(byte)
            ),
            Fault::Assignment => f.write_str(
                "NAME=value before a command is for a shell, and none runs it: write \
                 env NAME=value …",
            ),
        }
    }
}

/// Gives the words of `line` to `take`, a piece at a time.
pub fn split(line: &[u8], take: &mut dyn FnMut(Piece)) -> Result<(), Fault> {
    let mut rest = line.iter().copied().peekable();
    let mut first = true;
    loop {
        while rest.next_if(u8::is_ascii_whitespace).is_some() {}
        if rest.peek().is_none() {
            break;
        }
        let mut len = 0;
        let mut name_so_far = true;
        while let Some(byte) = rest.next_if(|byte| !byte.is_ascii_whitespace()) {
            match byte {
                b'~' | b'#' if len == 0 => return Err(Fault::Shell(byte)),
                b'=' if first && name_so_far && len > 0 => return Err(Fault::Assignment),
                _ => {}
            }
            let mut put = |byte| {
                take(Piece::Byte(byte));
                len += 1;
            };
            match byte {
                b'\'' => loop {
                    match rest.next() {
                        Some(b'\'') => break,
                        Some(byte) => put(byte),
                        None => return Err(Fault::Quote(b'\'')),
                    }
                },
                b'"' => loop {
                    match rest.next() {
                        Some(b'"') => break,
                        Some(byte @ (b'$' | b'`')) => return Err(Fault::Shell(byte)),
                        Some(b'\\') => match rest.next() {
                            Some(byte @ (b'"' | b'\\' | b'$' | b'`')) => put(byte),
                            Some(byte) => {
                                put(b'\\');
                                put(byte);
                            }
                            None => return Err(Fault::Quote(b'"')),
                        },
                        Some(byte) => put(byte),
                        None => return Err(Fault::Quote(b'"')),
                    }
                },
                b'\\' => match rest.next() {
                    Some(byte) => put(byte),
                    None => return Err(Fault::Backslash),
                },
                b'|' | b'&' | b';' | b'<' | b'>' | b'(' | b')' | b'$' | b'`' | b'*' | b'?'
                | b'[' => return Err(Fault::Shell(byte)),
                byte => put(byte),
            }
            name_so_far &= byte == b'_' || byte.is_ascii_alphanumeric();
        }
        if first && len == 0 {
            return Err(Fault::Empty);
        }
        take(Piece::End);
        first = false;
    }
    if first { Err(Fault::Empty) } else { Ok(()) }
}

/// The first word of a line that [`split`] accepts, as it stands there.
pub fn first_word(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii_start();
    let mut quote = None;
    let mut escaped = false;
    let end = line.iter().position(|&byte| {
        let ends = quote.is_none() && !escaped && byte.is_ascii_whitespace();
        let was_escaped = core::mem::take(&mut escaped);
        match (quote, byte) {
            _ if was_escaped => {}
            (None | Some(b'"'), b'\\') => escaped = true,
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
        ends
    });
    &line[..end.unwrap_or(line.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_has_its_quotes() {
        for (line, expected) in [
            ("python worker.py", "python"),
            ("  a\tb", "a"),
            ("alone", "alone"),
            ("'my prog' --token=x", "'my prog'"),
            (r#""a \" b"c\ d e"#, r#""a \" b"c\ d"#),
            (r"'a\' b", r"'a\'"),
        ] {
            assert_eq!(first_word(line.as_bytes()), expected.as_bytes(), "{line}");
        }
    }

    fn words(line: &str) -> Result<Vec<String>, Fault> {
        let (mut all, mut word) = (Vec::new(), Vec::new());
        split(line.as_bytes(), &mut |piece| match piece {
            Piece::Byte(byte) => word.push(byte),
            Piece::End => all.push(String::from_utf8(core::mem::take(&mut word)).unwrap()),
        })
        .map(|()| all)
    }

    #[test]
    fn words_and_quotes_are_a_shells() {
        for (line, expected) in [
            ("python worker.py", &["python", "worker.py"][..]),
            ("  a\tb  ", &["a", "b"]),
            ("'my prog' \"x y\" z\\ z", &["my prog", "x y", "z z"]),
            ("a'b'\"c\"d", &["abcd"]),
            ("a '' \"\"", &["a", "", ""]),
            (r#"a "\"\\\$\n" '\'"#, &["a", r#""\$\n"#, r"\"]),
            ("a '$HOME' \\$x '*' \"*\"", &["a", "$HOME", "$x", "*", "*"]),
            ("a b=c --d=e x~ y#", &["a", "b=c", "--d=e", "x~", "y#"]),
            ("./a=b", &["./a=b"]),
            ("sh -c 'a | b; c'", &["sh", "-c", "a | b; c"]),
        ] {
            assert_eq!(
                words(line).as_deref(),
                Ok(&expected.map_to_owned()[..]),
                "{line}"
            );
        }
    }

    trait MapToOwned {
        fn map_to_owned(&self) -> Vec<String>;
    }

    impl MapToOwned for [&str] {
        fn map_to_owned(&self) -> Vec<String> {
            self.iter().map(|&word| word.to_owned()).collect()
        }
    }

    #[test]
    fn what_only_a_shell_understands_is_a_fault() {
        for (line, fault) in [
            ("", Fault::Empty),
            ("   ", Fault::Empty),
            ("'' a", Fault::Empty),
            ("a 'b", Fault::Quote(b'\'')),
            ("a \"b", Fault::Quote(b'"')),
            ("a \"b\\", Fault::Quote(b'"')),
            ("a \\", Fault::Backslash),
            ("a | b", Fault::Shell(b'|')),
            ("a $PID", Fault::Shell(b'$')),
            ("a \"$PID\"", Fault::Shell(b'$')),
            ("a `b`", Fault::Shell(b'`')),
            ("a > b", Fault::Shell(b'>')),
            ("a *.py", Fault::Shell(b'*')),
            ("~/a", Fault::Shell(b'~')),
            ("a # b", Fault::Shell(b'#')),
            ("A=1 b", Fault::Assignment),
        ] {
            assert_eq!(words(line), Err(fault), "{line}");
        }
    }
}
