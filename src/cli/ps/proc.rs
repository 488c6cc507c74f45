//! What `/proc` says of a process.
//!
//! A process may vanish at any time: then there is nothing, and no error. What needs the memory map
//! of the other process ([`words`], its `maps`, `environ` and `mem`) may never answer, and is for
//! [`Patience`](super::patience::Patience).

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::LazyLock;

/// A process that is only the kernel's.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// A process, as everybody may see it.
pub struct Process {
    /// Its number here.
    pub pid: i32,
    /// Its number in its own pid namespace.
    pub inner: i32,
    /// Its numbers in all that are seen from here, from outside to inside.
    pub numbers: Vec<i32>,
    /// Its parent's number here.
    pub parent: i32,
    /// Whose it is.
    pub uid: u32,
    /// The inode of that namespace, where it may be known.
    pub namespace: Option<u64>,
    /// It began in the tick of the kernel's clock that begins at this time, in nanoseconds since the
    /// machine was started.
    pub began_ns: u64,
    /// The kernel's name for it.
    pub name: String,
}

/// Nanoseconds of the kernel's tick, in which it gives times.
pub fn tick() -> u64 {
    static TICK: LazyLock<u64> = LazyLock::new(|| {
        // SAFETY: asks for a constant of this system.
        let a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        1_000_000_000 / u64::try_from(a_second).unwrap_or(100).max(1)
    });
    *TICK
}

/// The numbers of all processes that may be seen.
pub fn pids() -> io::Result<Vec<i32>> {
    let mut pids: Vec<i32> = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    Ok(pids)
}

/// Whether other users' processes are not to be seen here at all (hidepid): there is always a first
/// one, and it is seldom one's own.
pub fn hides_others() -> bool {
    fs::metadata(path(1, "stat")).is_err()
}

/// A process that is there, has memory, and has not ended.
pub fn process(pid: i32) -> Option<Process> {
    let stat = read(pid, "stat")?;
    let stat = String::from_utf8_lossy(&stat);
    // The name may hold anything, parentheses too.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let number = |index: usize| fields.get(index)?.trim_end().parse::<u64>().ok();
    let ended = matches!(*fields.first()?, "Z" | "X");
    if ended || number(6)? & KERNEL_THREAD != 0 {
        return None;
    }
    let status = read(pid, "status")?;
    let status = String::from_utf8_lossy(&status);
    let line = |name: &str| {
        let mut lines = status.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    };
    let uids = line("Uid")?;
    let numbers: Vec<i32> = line("NSpid")
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    Some(Process {
        pid,
        inner: numbers.last().copied().unwrap_or(pid),
        numbers,
        namespace: fs::metadata(path(pid, "ns/pid"))
            .ok()
            .map(|about| about.ino()),
        parent: line("PPid")?.trim().parse().ok()?,
        // The effective one, by which the kernel judges.
        uid: uids.split_whitespace().nth(1)?.parse().ok()?,
        began_ns: number(19)?.saturating_mul(tick()),
        name: line("Name")?.trim().to_owned(),
    })
}

/// A file of the process's.
pub fn path(pid: i32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

/// What a file of the process's says.
pub fn read(pid: i32, name: &str) -> Option<Vec<u8>> {
    let file = File::open(path(pid, name)).ok()?;
    // It has no length, and reading it to its end would ask for that first. Most say no more than this.
    let mut text = Vec::with_capacity(4096);
    file.take(u64::MAX).read_to_end(&mut text).ok()?;
    Some(text)
}

/// The words it was started with; none where it has none.
pub fn words(pid: i32) -> Option<String> {
    let words = read(pid, "cmdline")?;
    let words = words.strip_suffix(b"\0").unwrap_or(&words);
    let said = !words.is_empty();
    said.then(|| String::from_utf8_lossy(words).replace('\0', " "))
}

/// The directory it works in.
pub fn directory(pid: i32) -> Option<String> {
    let directory = fs::read_link(path(pid, "cwd")).ok()?;
    directory.into_os_string().into_string().ok()
}

/// The user's name, or the number where there is none.
pub fn user(uid: u32) -> String {
    let mut room = vec![0_u8; 16 * 1024];
    // SAFETY: plain numbers and pointers, for which zero is a value.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    // SAFETY: the answer has its places, and its texts lie in `room`.
    let name = unsafe {
        let failed = libc::getpwuid_r(
            uid,
            &raw mut entry,
            room.as_mut_ptr().cast(),
            room.len(),
            &raw mut found,
        );
        let known = failed == 0 && !found.is_null() && !entry.pw_name.is_null();
        known.then(|| std::ffi::CStr::from_ptr(entry.pw_name).to_string_lossy())
    };
    name.map_or_else(|| uid.to_string(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let pid = std::process::id().cast_signed();
        assert!(pids().unwrap().contains(&pid));
        let process = process(pid).unwrap();
        assert_eq!(
            process.parent,
            std::os::unix::process::parent_id().cast_signed()
        );
        // SAFETY: takes nothing and cannot fail.
        assert_eq!(process.uid, unsafe { libc::geteuid() });
        assert!(process.began_ns > 0);
        assert!(words(pid).unwrap().contains("forkguard"));
    }
}
