//! `wait` for any child passes over the template.
//!
//! With no template every call is the C library's own. With one, a wait for any child that would
//! find no other answers `ECHILD`, as it would without the guard, and an answer that is the
//! template (somebody killed it) is not given to the program. Neither is a child that was to execute
//! a worker's program and could not.
//!
//! While one thread sleeps in such a wait, another may reap the last other child; the sleeper is
//! then to wake with `ECHILD`, and nothing in the kernel would wake it. So sleepers are counted,
//! and whoever reaps that child ends the template, whose end wakes them. That is the one case in
//! which the program sees a `SIGCHLD` of it. Where the program ignores `SIGCHLD`, children vanish
//! without being reaped by anybody, and the template goes before the sleep, unseen.
//!
//! Programs that call the kernel directly, without the C library, do see the template.
//!
//! As safe in a signal handler as the functions it stands before: no lock, no allocation.

use core::ffi::CStr;
use core::sync::atomic::{AtomicU32, Ordering};

use super::{forget, here, is_gone};
use crate::config;
use crate::sys::{quiet, raw, signals, spawn};

/// Only children of the calling thread: `__WNOTHREAD`.
const OWN_THREAD: i32 = 0x2000_0000;
/// Only children that do not signal their end by `SIGCHLD`: `__WCLONE`. The template does.
const CLONES: i32 = i32::MIN;

/// Threads that sleep in a wait for any child, or are about to.
static SLEEPERS: AtomicU32 = AtomicU32::new(0);

/// A call of one of the functions.
pub struct Call {
    /// Its options (`WNOHANG`, …).
    pub options: i32,
    /// The child stays to be waited for again.
    pub keeps: bool,
}

/// A wait for any child. `call` makes it once and tells what it answers and which child that is,
/// 0 for none.
pub fn any(about: &Call, mut call: impl FnMut() -> (i32, i32)) -> i32 {
    let concerned = config::get().rewrites() && about.options & CLONES == 0;
    if !concerned {
        return call().0;
    }
    let sleeps = about.options & libc::WNOHANG == 0;
    loop {
        // Counted before looking: whoever reaps the last child looks here after reaping it.
        if sleeps {
            SLEEPERS.fetch_add(1, Ordering::SeqCst);
        }
        let nobody = here().is_some_and(|template| is_alone(template, about.options, sleeps));
        let answer = if nobody { None } else { Some(call()) };
        if sleeps {
            SLEEPERS.fetch_sub(1, Ordering::SeqCst);
        }
        let Some((answer, child)) = answer else {
            return raw::fail(libc::ECHILD);
        };
        if child > 0 && spawn::has_failed(child) {
            if !about.keeps || spawn::reap(child) {
                spawn::forget_failed(child);
            }
            continue;
        }
        if child <= 0 || here() != Some(child) {
            if child > 0 && !about.keeps {
                reaped(child);
            }
            return answer;
        }
        if about.keeps {
            is_gone(child);
        } else {
            forget(child);
        }
    }
}

/// Waits for one of a group, which the template is not of. `call` as for [`any`].
pub fn of_group(mut call: impl FnMut() -> i32) -> i32 {
    loop {
        let child = call();
        if child <= 0 || !spawn::has_failed(child) {
            return child;
        }
        spawn::forget_failed(child);
    }
}

/// After a child was reaped, by whatever wait.
pub fn reaped(child: i32) {
    let Some(template) = here() else { return };
    if child == template {
        forget(template);
    } else {
        wake_sleepers(template);
    }
}

/// Who sleeps in a wait, with no child left but the template, is not to sleep on: the template was
/// started just now, or a child of which nobody was to know is gone.
pub fn wake() {
    if let Some(template) = here() {
        wake_sleepers(template);
    }
}

/// In a forked child: the sleepers are the parent's.
pub fn after_fork() {
    quiet::store(&SLEEPERS, 0);
}

fn wake_sleepers(template: i32) {
    if SLEEPERS.load(Ordering::SeqCst) > 0 && other_children(template, 0) == Some(false) {
        end(template);
    }
}

/// Ends the template, if it is still there. One that somebody has killed may have vanished without being
/// waited for, where the program ignores `SIGCHLD`, and its pid be another process's by now.
fn end(template: i32) -> bool {
    let is_there = !is_gone(template);
    if is_there {
        // SAFETY: this process's child, which nobody has waited for.
        unsafe { libc::kill(template, libc::SIGKILL) };
    }
    is_there
}

/// Whether the template is the only child left. It is ended where that cannot be known, or not be
/// noticed later.
fn is_alone(template: i32, options: i32, sleeps: bool) -> bool {
    let _errno = raw::ErrnoGuard::new();
    match other_children(template, options) {
        Some(false) => true,
        Some(true) if !sleeps || !signals::children_vanish() => false,
        None if !sleeps => false,
        _ => {
            retire(template);
            false
        }
    }
}

/// Ends the template and waits for it.
pub fn retire(template: i32) {
    if end(template) {
        reap(template);
    }
}

/// Waits for a child that is certain to end, and that the program does not know of.
pub fn reap(child: i32) {
    spawn::reap(child);
    reaped(child);
}

/// Whether this system can tell a process's children, under the pids it knows them by.
pub fn can_tell() -> bool {
    let mut room = [0_u8; 16];
    // SAFETY: room for as many bytes as are asked for.
    let length =
        unsafe { libc::readlink(c"/proc/self".as_ptr(), room.as_mut_ptr().cast(), room.len()) };
    let named = usize::try_from(length)
        .ok()
        .and_then(|length| number(&room[..length]));
    let mut threads = Threads::default();
    named == Some(raw::getpid()) && threads.children(raw::gettid(), |_| {}).is_some()
}

/// Whether this process has children at all, ended or not.
pub fn has_children() -> bool {
    other_children(0, 0) != Some(false)
}

/// Whether there are children beside the template; `None` where that cannot be found out.
fn other_children(template: i32, options: i32) -> Option<bool> {
    // A child may pass from a thread that ends to one already looked at.
    for _ in 0..2 {
        let mut others = false;
        let mut see = |child: i32| others |= child != template;
        let mut threads = Threads::default();
        if options & OWN_THREAD != 0 {
            threads.children(raw::gettid(), &mut see)?;
        } else {
            threads.each_child(&mut see)?;
        }
        if others {
            return Some(true);
        }
    }
    Some(false)
}

/// Reads `/proc/self/task`, in fixed room.
struct Threads {
    names: [u8; 1024],
    pids: [u8; 512],
}

impl Default for Threads {
    fn default() -> Self {
        Self {
            names: [0; 1024],
            pids: [0; 512],
        }
    }
}

impl Threads {
    fn each_child(&mut self, see: &mut impl FnMut(i32)) -> Option<()> {
        let folder = open(c"/proc/self/task", libc::O_DIRECTORY)?;
        loop {
            // SAFETY: room for as many bytes as are told.
            let length = unsafe {
                libc::syscall(
                    libc::SYS_getdents64,
                    folder.0,
                    self.names.as_mut_ptr(),
                    self.names.len(),
                )
            };
            let length = usize::try_from(length).ok()?;
            if length == 0 {
                return Some(());
            }
            let mut at = 0;
            // `struct linux_dirent64`: inode, offset, length of the record, kind, name.
            while at + 19 < length {
                let record = usize::from(u16::from_ne_bytes([
                    self.names[at + 16],
                    self.names[at + 17],
                ]));
                let name = &self.names[at + 19..(at + record).min(length)];
                let name = name.split(|&b| b == 0).next().unwrap_or(name);
                if let Some(thread) = number(name) {
                    self.children(thread, &mut *see)?;
                }
                at += record.max(19);
            }
        }
    }

    /// The children of one thread; a thread that has ended has none.
    fn children(&mut self, thread: i32, mut see: impl FnMut(i32)) -> Option<()> {
        let mut path = [0_u8; 48];
        let mut out = crate::report::buffer::Buffer::new(&mut path);
        out.put(format_args!("/proc/self/task/{thread}/children\0"));
        let path = CStr::from_bytes_until_nul(out.finish()).ok()?;
        let file = match open(path, 0) {
            Some(file) => file,
            None if matches!(raw::errno(), libc::ENOENT | libc::ESRCH)
                && thread != raw::gettid() =>
            {
                return Some(());
            }
            None => return None,
        };
        let mut pid = 0;
        loop {
            // SAFETY: room for as many bytes as are asked for.
            let length =
                unsafe { libc::read(file.0, self.pids.as_mut_ptr().cast(), self.pids.len()) };
            let Ok(length) = usize::try_from(length) else {
                return matches!(raw::errno(), libc::ENOENT | libc::ESRCH).then_some(());
            };
            if length == 0 {
                return Some(());
            }
            for &byte in &self.pids[..length] {
                if byte.is_ascii_digit() {
                    pid = pid * 10 + i32::from(byte - b'0');
                } else if pid != 0 {
                    see(core::mem::take(&mut pid));
                }
            }
        }
    }
}

struct Open(i32);

impl Drop for Open {
    fn drop(&mut self) {
        let _errno = raw::ErrnoGuard::new();
        // SAFETY: opened by this value.
        unsafe { libc::close(self.0) };
    }
}

fn open(path: &CStr, flags: i32) -> Option<Open> {
    // SAFETY: a C string.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC | flags) };
    (fd >= 0).then_some(Open(fd))
}

fn number(digits: &[u8]) -> Option<i32> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_children_of_every_thread_are_seen() {
        assert!(can_tell());
        let mut here = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let child = std::process::Command::new("sleep")
                .arg("60")
                .spawn()
                .unwrap();
            tell.send(child).unwrap();
            // A thread's children pass to another one when it ends.
            let _ = ended.recv();
        });
        let mut there = told.recv().unwrap();
        let mut seen = Vec::new();
        Threads::default()
            .each_child(&mut |pid| seen.push(pid))
            .unwrap();
        for child in [&here, &there] {
            assert!(seen.contains(&(child.id() as i32)), "{seen:?}");
            assert_eq!(other_children(child.id() as i32, 0), Some(true));
        }
        for child in [&mut here, &mut there] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        drop(end);
        thread.join().unwrap();
    }
}
