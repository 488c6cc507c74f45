//! What the targets have in common.

/// Runs the reader of this name, one of `all`.
pub fn run(all: &[(&str, fn(&[u8]))], name: &str, data: &[u8]) {
    let (_, read) = all
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a target is named as its reader is");
    read(data);
}
