//! A folder of this command's own, for as long as it runs.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use crate::trouble::{FAILED, Trouble, reason};

/// Whether a program that this command starts may go on as other users.
pub fn may_become_others() -> bool {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// A folder that only this user can look into. What root's program does as another user is to be
/// seen, too: that one may come through, and finds what it was given the name of.
pub fn private() -> Result<TempDir, Trouble> {
    let mut folder = env::temp_dir();
    // The loader splits its list of folders at these; and the program may change its own.
    let splits = |byte: &u8| matches!(byte, b':' | b';');
    if folder.as_os_str().as_encoded_bytes().iter().any(splits) || !folder.is_absolute() {
        folder = "/tmp".into();
    }
    tempfile::Builder::new()
        .prefix("forkguard-")
        .permissions(PermissionsExt::from_mode(0o700))
        .tempdir_in(&folder)
        .and_then(|made| {
            if may_become_others() {
                fs::set_permissions(made.path(), PermissionsExt::from_mode(0o711))?;
            }
            Ok(made)
        })
        .map_err(|error| {
            let why = reason(&error);
            Trouble::new(
                FAILED,
                format!(
                    "no folder can be made in {}: {why}; set TMPDIR to a folder that can be \
                     written to",
                    folder.display()
                ),
            )
        })
}
