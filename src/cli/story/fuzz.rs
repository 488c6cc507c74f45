//! What a program under `trace` or `check` was told to have done, as a function of bytes: the file
//! lies where the program may write.

use std::path::Path;

use super::{fix, headline, processes, tell};
use crate::fuzz::assert_plain;
use crate::watch::Watched;

/// Lines of events.
pub fn story(bytes: &[u8]) {
    let watched = Watched::heard(bytes);
    let cwd = Path::new("/srv");
    let told = tell(&watched, cwd);
    assert!(told.len() <= watched.events.len());
    for stood_in in [false, true] {
        assert_plain(&headline(&told, stood_in));
    }
    assert_plain(&processes(&told, &watched, cwd));
    for seen in told.iter().filter_map(|process| process.first()) {
        assert_plain(&fix(seen, cwd));
    }
    let _ = serde_json::to_string(&told).expect("JSON");
}
