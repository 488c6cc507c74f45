//! A buffer of fixed size that text is formatted into.
//!
//! Too long a text is cut at a character, and says so; nothing here allocates or fails.

use core::fmt;

/// What ends a text that was too long.
const MARK: &str = " [cut: too long]\n";

/// Text in memory lent by somebody else.
pub struct Buffer<'a> {
    bytes: &'a mut [u8],
    len: usize,
    cut: bool,
}

impl<'a> Buffer<'a> {
    /// An empty text in `bytes`, of which the last few are kept for the mark of a cut.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self {
            bytes,
            len: 0,
            cut: false,
        }
    }

    /// Appends. The formatting traits of what forkguard prints never fail.
    pub fn put(&mut self, arguments: fmt::Arguments<'_>) {
        let _ = fmt::Write::write_fmt(self, arguments);
    }

    /// Appends a string.
    pub fn put_str(&mut self, text: &str) {
        let _ = fmt::Write::write_str(self, text);
    }

    /// Appends `count` spaces.
    pub fn pad(&mut self, count: usize) {
        for _ in 0..count {
            self.put_str(" ");
        }
    }

    /// How many bytes the text has: where what comes next will begin.
    pub fn end(&self) -> usize {
        self.len
    }

    /// Whether something did not fit.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Forgets everything after the first `len` bytes, and that something was cut.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.cut = false;
    }

    /// The text from byte `from` on.
    pub fn since(&self, from: usize) -> &str {
        self.bytes
            .get(from..self.len)
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }

    /// The text, with a mark at its end where something did not fit.
    pub fn finish(&mut self) -> &[u8] {
        if self.cut {
            let end = self.len + MARK.len().min(self.bytes.len() - self.len);
            let room = end - self.len;
            self.bytes[self.len..end].copy_from_slice(&MARK.as_bytes()[..room]);
            self.len = end;
            self.cut = false;
        }
        &self.bytes[..self.len]
    }

    /// The same for people to read: a character that moves a terminal's cursor is a question mark.
    /// Names come from programs, and programs have them from anywhere. Line ends and colours stay.
    pub fn finish_printable(&mut self) -> &[u8] {
        let len = self.finish().len();
        let text = &mut self.bytes[..len];
        let mut at = 0;
        while at < len {
            let step = match &text[at..] {
                [0x1b, b'[', rest @ ..] => colour(rest).map_or(1, |length| length + 2),
                // U+0080 to U+009F.
                [0xc2, 0x80..=0x9f, ..] => 2,
                _ => 1,
            };
            let is_odd = match text[at] {
                0x1b => step == 1,
                0xc2 => step == 2,
                b'\n' => false,
                byte => byte.is_ascii_control(),
            };
            if is_odd {
                text[at..at + step].fill(b'?');
            }
            at += step;
        }
        &self.bytes[..len]
    }

    /// Breaks the lines of the text from byte `from` on, which begins in column `column`, at
    /// spaces, so that none is wider than `width` where it can be helped; continued lines begin
    /// with `indent` spaces.
    pub fn wrap(&mut self, from: usize, mut column: usize, indent: usize, width: usize) {
        let mut at = from;
        let mut space = None;
        while at < self.len {
            let byte = self.bytes[at];
            if byte == b'\n' {
                column = 0;
                space = None;
                at += 1;
                continue;
            }
            if byte == b' ' && column > indent {
                space = Some(at);
            }
            // Continuation bytes of UTF-8 take no column.
            if byte & 0xC0 != 0x80 {
                column += 1;
            }
            at += 1;
            if column > width
                && let Some(space) = space.take()
            {
                if self.len + indent > self.room() {
                    self.cut = true;
                    return;
                }
                self.bytes[space] = b'\n';
                self.bytes
                    .copy_within(space + 1..self.len, space + 1 + indent);
                self.bytes[space + 1..=space + indent].fill(b' ');
                self.len += indent;
                at = space + 1 + indent;
                column = indent;
            }
        }
    }

    fn room(&self) -> usize {
        self.bytes.len().saturating_sub(MARK.len())
    }
}

impl fmt::Write for Buffer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Once cut, nothing more is taken: the end of a sentence without its middle misleads.
        if self.cut {
            return Ok(());
        }
        let room = self.room().saturating_sub(self.len);
        let mut take = text.len();
        if take > room {
            self.cut = true;
            take = room;
            while !text.is_char_boundary(take) {
                take -= 1;
            }
        }
        self.bytes[self.len..self.len + take].copy_from_slice(&text.as_bytes()[..take]);
        self.len += take;
        Ok(())
    }
}

/// How many characters `value` takes when it is printed.
pub fn width(value: &dyn fmt::Display) -> usize {
    struct Count(usize);
    impl fmt::Write for Count {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.chars().count();
            Ok(())
        }
    }
    let mut count = Count(0);
    let _ = fmt::Write::write_fmt(&mut count, format_args!("{value}"));
    count.0
}

/// How much of what follows `ESC [` says a colour and nothing else.
fn colour(rest: &[u8]) -> Option<usize> {
    let digits = |byte: &u8| byte.is_ascii_digit() || *byte == b';';
    let end = rest.iter().position(|byte| !digits(byte))?;
    (rest[end] == b'm').then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(buffer: &mut Buffer<'_>) -> String {
        String::from_utf8(buffer.finish().to_vec()).unwrap()
    }

    #[test]
    fn nothing_moves_a_cursor() {
        for (from, shown) in [
            ("a.py:3\tf\n", "a.py:3?f\n"),
            (
                "\x1b[1;31mred\x1b[0m früh 日本",
                "\x1b[1;31mred\x1b[0m früh 日本",
            ),
            ("\x1b[2Jx\x1b]0;t\x07\x1b", "?[2Jx?]0;t??"),
            ("\u{9b}2J\u{a0}\x7f\r", "??2J\u{a0}??"),
            ("\x1b[1;3", "?[1;3"),
        ] {
            let mut bytes = [0; 64];
            let mut buffer = Buffer::new(&mut bytes);
            buffer.put_str(from);
            let text = String::from_utf8(buffer.finish_printable().to_vec()).unwrap();
            assert_eq!(text, shown);
        }
    }

    #[test]
    fn keeps_what_fits() {
        let mut bytes = [0; 64];
        let mut buffer = Buffer::new(&mut bytes);
        buffer.put(format_args!("pid {}", 42));
        assert_eq!(text(&mut buffer), "pid 42");
    }

    #[test]
    fn cuts_at_a_character_and_says_so() {
        // Room for 23 bytes of text: the two-byte letters end at 22.
        let mut bytes = [0; 23 + MARK.len()];
        let mut buffer = Buffer::new(&mut bytes);
        buffer.put_str(&"é".repeat(30));
        buffer.put_str("lost");
        assert!(buffer.is_cut());
        assert_eq!(text(&mut buffer), format!("{}{MARK}", "é".repeat(11)));
    }

    #[test]
    fn no_memory_is_no_text() {
        let mut buffer = Buffer::new(&mut []);
        buffer.put_str("x");
        assert_eq!(buffer.finish(), b"");
    }

    #[test]
    fn wraps_at_spaces() {
        let mut bytes = [0; 128];
        let mut buffer = Buffer::new(&mut bytes);
        buffer.put_str("  ");
        let from = buffer.end();
        buffer.put_str("aaa bbb ccc unbreakable-and-wide dd");
        buffer.wrap(from, 2, 2, 10);
        assert_eq!(
            text(&mut buffer),
            "  aaa bbb\n  ccc\n  unbreakable-and-wide\n  dd"
        );
    }

    #[test]
    fn wraps_by_characters_not_bytes() {
        let mut bytes = [0; 128];
        let mut buffer = Buffer::new(&mut bytes);
        buffer.put_str("ääää öööö");
        buffer.wrap(0, 0, 1, 9);
        assert_eq!(text(&mut buffer), "ääää öööö");
    }

    #[test]
    fn counts_characters() {
        assert_eq!(width(&"grün"), 4);
    }
}
