//! `LD_PRELOAD`: how its value is taken apart and put together, and a path for the library that
//! the loader takes as one.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

/// The variable.
pub const VARIABLE: &str = "LD_PRELOAD";
/// What the loader preloads into every program, whatever its environment says.
pub const SYSTEM_WIDE: &str = "/etc/ld.so.preload";
/// The guard's library, wherever it lies.
pub const GUARD: &str = "libforkguard.so";

/// What a value of the variable names.
pub fn entries(value: &OsStr) -> impl Iterator<Item = &Path> {
    paths(value.as_bytes(), |byte| matches!(byte, b':' | b' '))
}

/// What is preloaded into every program.
pub fn system_wide() -> Vec<PathBuf> {
    let text = fs::read(SYSTEM_WIDE).unwrap_or_default();
    text.split(|&byte| byte == b'\n')
        .map(|line| line.split(|&byte| byte == b'#').next().unwrap_or_default())
        .flat_map(|line| {
            paths(line, |byte| byte == b':' || byte.is_ascii_whitespace()).map(Path::to_owned)
        })
        .collect()
}

fn paths(text: &[u8], ends: impl Fn(u8) -> bool + Copy) -> impl Iterator<Item = &Path> {
    text.split(move |&byte| ends(byte))
        .filter(|path| !path.is_empty())
        .map(|path| Path::new(OsStr::from_bytes(path)))
}

/// Whether a path names the guard's library, this one or another.
pub fn is_guard(path: &Path) -> bool {
    path.file_name() == Some(GUARD.as_ref())
}

/// Whether a library runs only as the first of all.
pub fn must_be_first(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    name.starts_with(b"libasan.so") || name.starts_with(b"libtsan.so")
}

/// The value with the library at its head and whatever it already holds behind, but for what will
/// not stand there. There is one guard in it: two would both report.
pub fn value(library: &Path, before: Option<&OsStr>) -> OsString {
    let others = || entries(before.unwrap_or_default()).filter(|path| !is_guard(path));
    let first = others().filter(|path| must_be_first(path));
    let behind = others().filter(|path| !must_be_first(path));
    let all: Vec<&OsStr> = first
        .chain([library])
        .chain(behind)
        .map(Path::as_os_str)
        .collect();
    all.join(OsStr::new(":"))
}

/// Whether the loader takes `path` as one, and as it stands.
fn is_one_word(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    !bytes.iter().any(|byte| matches!(byte, b':' | b' ' | b'$'))
}

/// The library by a path that the loader takes as one: the path itself, or a link to it in a folder
/// of this user's, which stays for the programs that run by it.
pub fn as_one_word(library: PathBuf) -> io::Result<PathBuf> {
    if is_one_word(&library) {
        return Ok(library);
    }
    let folder = cache()
        .join("forkguard")
        .join(format!("{:016x}", hash(&library)));
    let link = folder.join(GUARD);
    if !is_one_word(&link) {
        return Err(io::Error::other(
            "the cache folder's path is of that kind, too",
        ));
    }
    fs::create_dir_all(&folder)?;
    for of_ours in [&*folder, folder.parent().unwrap_or(&folder)] {
        let data = fs::symlink_metadata(of_ours)?;
        // SAFETY: geteuid takes nothing and cannot fail.
        let owned = data.is_dir() && data.uid() == unsafe { libc::geteuid() };
        if !owned || data.mode() & 0o022 != 0 {
            let why = format!("others may change {}", of_ours.display());
            return Err(io::Error::other(why));
        }
    }
    if fs::read_link(&link).is_ok_and(|target| target == library) {
        return Ok(link);
    }
    // Others of this user's may do the same now: the link is there whole or not at all.
    let new = folder.join(format!("new.{}", std::process::id()));
    let _ = fs::remove_file(&new);
    symlink(&library, &new)?;
    fs::rename(&new, &link)?;
    Ok(link)
}

fn cache() -> PathBuf {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .and_then(absolute)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .unwrap_or_else(|| "/var/cache".into())
}

/// FNV-1a: the same in every version of this command.
fn hash(path: &Path) -> u64 {
    path.as_os_str()
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_preloaded_before_stays_and_one_guard_is_there() {
        let library = Path::new("/l/libforkguard.so");
        for (before, expected) in [
            (None, "/l/libforkguard.so"),
            (Some(""), "/l/libforkguard.so"),
            (Some("a.so b.so"), "/l/libforkguard.so:a.so:b.so"),
            (Some("a.so:/l/libforkguard.so"), "/l/libforkguard.so:a.so"),
            (Some("/old/libforkguard.so:a.so"), "/l/libforkguard.so:a.so"),
            (
                Some("a.so:libasan.so.8"),
                "libasan.so.8:/l/libforkguard.so:a.so",
            ),
        ] {
            assert_eq!(value(library, before.map(OsStr::new)), expected);
        }
    }

    #[test]
    fn a_path_of_one_word_stays() {
        let path = PathBuf::from("/l/libforkguard.so");
        assert_eq!(as_one_word(path.clone()).unwrap(), path);
        for path in ["/a b/l.so", "/a:b/l.so", "/$LIB/l.so"] {
            assert!(!is_one_word(Path::new(path)));
        }
    }
}
