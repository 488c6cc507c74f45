//! The settings' readers as functions of bytes, with what has to hold whatever is written.

use core::fmt;
use std::ffi::CString;

use super::MESSAGE;
use super::command::{self, Piece};
use super::file::File;
use super::key::KEYS;
use super::loader::{DEFAULT_FILE, Loader, Rank};
use super::settings::Config;
use crate::report::buffer::Buffer;

/// Between the file that is always read, the one that the environment names, and variables.
const END: u8 = 0x1e;

/// Two files and an environment. What a `!` line of the first sets, nothing else changes.
pub fn settings(bytes: &[u8]) {
    let mut parts = bytes.split(|&byte| byte == END);
    let etc = parts.next().unwrap_or_default();
    let named = parts.next().unwrap_or_default();
    let variables: Vec<CString> = parts
        .filter_map(|variable| CString::new(variable).ok())
        .collect();

    let (locked, ranks) = load(etc, b"", &[]);
    let (config, _) = load(etc, named, &variables);
    for ((key, _), (before, after)) in KEYS.iter().zip(locked.settings().zip(config.settings())) {
        if ranks[*key as usize] == Rank::LockedDefaultFile {
            assert!(before.is_locked() && after.is_locked());
            assert_eq!(before.to_string(), after.to_string(), "{}", before.name);
        }
        let _ = after.source().to_string();
    }
    assert!(
        !config.chain().is_empty() && config.chain().contains(&config.policy())
            || config.rewrites()
    );
    let _ = (
        config.in_place(),
        config.report(),
        config.text_report(),
        config.trace(),
    );
    for name in [&b"cuMemAlloc_v2"[..], b"cuInit", b"", etc] {
        let _ = config.ignores(name);
    }
    let mut room = [0; 256];
    config.put_chain(&mut Buffer::new(&mut room));
}

/// Loads as the constructor does; what it says is made as it makes it.
fn load(etc: &[u8], named: &[u8], variables: &[CString]) -> (Config, [Rank; KEYS.len()]) {
    let mut config = Config::DEFAULT;
    let mut say = |message: fmt::Arguments<'_>| {
        let mut room = [0; MESSAGE];
        let mut line = Buffer::new(&mut room);
        line.put(format_args!("forkguard: {message}\n"));
        let line = core::str::from_utf8(line.finish_printable()).expect("text");
        assert!(line.ends_with('\n') && line.lines().count() == 1, "{line}");
    };
    let mut loader = Loader {
        config: &mut config,
        rank: [Rank::Default; KEYS.len()],
        say: &mut say,
    };
    loader.file(etc, DEFAULT_FILE, File::Default { only_locked: true });
    if !loader.is_locked() {
        loader.file(named, c"my.conf", File::Named);
    }
    loader.environment(variables.iter().map(CString::as_c_str));
    loader.finish();
    let ranks = loader.rank;
    (config, ranks)
}

/// A command line. What is accepted has a first word, and no more bytes than it had.
pub fn command_line(line: &[u8]) {
    let (mut words, mut len) = (0, 0);
    let accepted = command::split(line, &mut |piece| match piece {
        Piece::Byte(_) => len += 1,
        Piece::End => words += 1,
    });
    assert!(len <= line.len());
    let first = command::first_word(line);
    if accepted.is_ok() {
        assert!(words > 0 && !first.is_empty());
    }
    if let Err(fault) = accepted {
        assert!(!fault.to_string().is_empty());
    }
}
