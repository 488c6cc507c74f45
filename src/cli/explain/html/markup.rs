//! HTML that is written piece by piece: what is markup is known when this is compiled, and
//! everything else is text, escaped. So nothing that was recorded can become markup.

use std::fmt::{self, Write};

/// A piece of a page.
#[derive(Default)]
pub struct Markup(String);

impl Markup {
    /// Adds markup.
    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds text, or an attribute's value; the quotes around that are markup.
    pub fn text(&mut self, text: impl fmt::Display) -> &mut Self {
        let _ = write!(Escape(&mut self.0), "{text}");
        self
    }

    /// The page.
    pub fn into_string(self) -> String {
        self.0
    }
}

struct Escape<'a>(&'a mut String);

impl Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' => self.0.push('\n'),
                // Also those that turn the direction of what follows.
                control if control.is_control() || is_direction(control) => {
                    self.0.push(char::REPLACEMENT_CHARACTER);
                }
                letter => self.0.push(letter),
            }
        }
        Ok(())
    }
}

fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        let mut page = Markup::default();
        page.raw("<a title=\"")
            .text("\"><script>'&\u{202e}\x1b\n")
            .raw("\">");
        assert_eq!(
            page.into_string(),
            "<a title=\"&quot;&gt;&lt;script&gt;&#39;&amp;\u{fffd}\u{fffd}\n\">"
        );
    }
}
