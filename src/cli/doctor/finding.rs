//! What a check found, and what to do about it: as text for people, or as JSON.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::event::plain;

/// Columns of the text.
const WIDTH: usize = 100;
/// Columns of the level and the subject.
const INDENT: usize = 22;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Something is not seen, or not served.
    Warning,
    /// The guard is not effective.
    Problem,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub level: Level,
    /// What was looked at.
    pub subject: &'static str,
    /// What was found.
    pub found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(subject: &'static str, found: impl AsRef<str>) -> Self {
        Self::new(Level::Ok, subject, found.as_ref(), None)
    }

    /// Something is not seen, or not served.
    pub fn warning(subject: &'static str, found: impl AsRef<str>, advice: &str) -> Self {
        Self::new(Level::Warning, subject, found.as_ref(), Some(advice))
    }

    /// The guard is not effective.
    pub fn problem(subject: &'static str, found: impl AsRef<str>, advice: &str) -> Self {
        Self::new(Level::Problem, subject, found.as_ref(), Some(advice))
    }

    fn new(level: Level, subject: &'static str, found: &str, advice: Option<&str>) -> Self {
        Self {
            level,
            subject,
            found: plain(found),
            advice: advice.map(plain),
        }
    }
}

/// One object: how many there are of each level, and all of them.
pub fn json(found: &[Finding]) -> String {
    let count = |level| {
        found
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    };
    let object = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "problems": count(Level::Problem),
        "warnings": count(Level::Warning),
        "findings": found,
    });
    format!("{object:#}\n")
}

/// A line each, with what to do behind it, and how it stands at the end.
pub fn text(found: &[Finding]) -> String {
    let mut out = String::new();
    for finding in found {
        let (word, colour) = match finding.level {
            Level::Ok => ("ok", AnsiColor::Green),
            Level::Warning => ("warning", AnsiColor::Yellow),
            Level::Problem => ("problem", AnsiColor::Red),
        };
        let style = Style::new().bold().fg_color(Some(colour.into()));
        let subject = finding.subject;
        let _ = write!(out, "{style}{word:<9}{style:#}{subject:<13}");
        wrap(&mut out, &finding.found, INDENT);
        if let Some(advice) = &finding.advice {
            let _ = write!(out, "{:INDENT$}→ ", "");
            wrap(&mut out, advice, INDENT + 2);
        }
    }
    let count = |level| {
        found
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    };
    let (problems, warnings) = (count(Level::Problem), count(Level::Warning));
    let verdict = match problems {
        0 => "nothing keeps the guard from being effective here".to_owned(),
        1 => "1 problem".to_owned(),
        more => format!("{more} problems"),
    };
    let rest = match warnings {
        0 => String::new(),
        1 => "; 1 warning".to_owned(),
        more => format!("; {more} warnings"),
    };
    let _ = writeln!(out, "\n{verdict}{rest}");
    out
}

/// Writes a text that begins in column `column`, and its further lines there, too.
fn wrap(out: &mut String, text: &str, column: usize) {
    let mut at = column;
    for (i, word) in text.split(' ').enumerate() {
        let width = word.chars().count();
        if i > 0 {
            if at + 1 + width > WIDTH {
                let _ = write!(out, "\n{:column$}", "");
                at = column;
            } else {
                out.push(' ');
                at += 1;
            }
        }
        out.push_str(word);
        at += width;
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_before_the_hundredth_column_and_go_on_where_they_began() {
        let mut out = String::new();
        wrap(&mut out, &"word ".repeat(40), 22);
        assert!(
            out.lines().all(|line| line.chars().count() <= WIDTH),
            "{out}"
        );
        let further = out.lines().nth(1).unwrap();
        assert!(further.starts_with(&" ".repeat(22)) && further.trim_start().starts_with("word"));
    }

    #[test]
    fn what_programs_say_moves_no_cursor() {
        let finding = Finding::ok("library", "a\x1b[2Jb\n");
        assert_eq!(finding.found, "a\u{fffd}[2Jb ");
    }
}
