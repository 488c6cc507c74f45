//! Starting the template: a fresh interpreter that has nothing of the program's but its
//! environment and its place among the processes.

use alloc::string::String;
use core::ffi::{CStr, c_char};
use core::mem::MaybeUninit;
use core::time::Duration;

use super::inherit::Inherited;
use super::{adopt, is_gone, wire};
use crate::config;
use crate::report::buffer::Buffer;
use crate::report::emit;
use crate::report::sink::Target;
use crate::sys::raw;

/// The files that the template finds, beside `/dev/null` three times.
pub const ORDERS: i32 = 3;
/// See above: the socket under whose name it is asked.
pub const LISTENER: i32 = 4;

/// A template as its program knows it. Plain numbers: Python keeps it as bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Started {
    /// What it has of the program's at its start.
    pub inherited: Inherited,
    /// The name under which it is asked.
    pub name: [u8; wire::NAME],
    /// Its pid.
    pub pid: i32,
    /// No byte is without a value.
    pub pad: i32,
}

/// Executes `program` with these arguments, in this environment, and with `orders`, a file, as fd
/// 3.
///
/// Every signal is blocked in it, and it is in a group of its own: what is sent to the program's
/// terminal, group or service is the program's to judge.
pub fn start(
    program: &CStr,
    arguments: &[*const c_char],
    environment: &[*const c_char],
    orders: i32,
) -> Result<Started, i32> {
    let inherited = Inherited::take().ok_or(libc::ENOSYS)?;
    if !super::wait::can_tell() || !super::clone::is_possible() {
        return Err(libc::ENOSYS);
    }
    // What it will need at its start, where it could only end.
    drop(wire::pidfd(raw::getpid())?);
    let (listener, name) = wire::listen()?;
    let orders = above(orders)?;
    let listener = above(listener.0)?;
    let pid = spawn(program, arguments, environment, &orders, &listener)?;
    adopt(pid);
    Ok(Started {
        inherited,
        name,
        pid,
        pad: 0,
    })
}

/// The same file under a number that is none of the template's.
fn above(fd: i32) -> Result<wire::Fd, i32> {
    // SAFETY: asks for a number above the template's.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, LISTENER + 1) };
    if copy < 0 {
        Err(raw::errno())
    } else {
        Ok(wire::Fd(copy))
    }
}

fn spawn(
    program: &CStr,
    arguments: &[*const c_char],
    environment: &[*const c_char],
    orders: &wire::Fd,
    listener: &wire::Fd,
) -> Result<i32, i32> {
    let mut files = MaybeUninit::<libc::posix_spawn_file_actions_t>::uninit();
    let mut attributes = MaybeUninit::<libc::posix_spawnattr_t>::uninit();
    let mut every = MaybeUninit::<libc::sigset_t>::uninit();
    let flags = libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGMASK;
    let mut pid = 0;
    // SAFETY: each object is initialised by its own function before it is used, and given back
    // after; the strings and arrays are the caller's, which end as they have to.
    let failed = unsafe {
        libc::posix_spawn_file_actions_init(files.as_mut_ptr());
        libc::posix_spawnattr_init(attributes.as_mut_ptr());
        libc::sigfillset(every.as_mut_ptr());
        let null = c"/dev/null".as_ptr();
        let mut failed = 0;
        for fd in 0..3 {
            failed |= libc::posix_spawn_file_actions_addopen(
                files.as_mut_ptr(),
                fd,
                null,
                libc::O_RDWR,
                0,
            );
        }
        for (from, to) in [(orders, ORDERS), (listener, LISTENER)] {
            failed |= libc::posix_spawn_file_actions_adddup2(files.as_mut_ptr(), from.0, to);
        }
        failed |= libc::posix_spawnattr_setflags(attributes.as_mut_ptr(), flags as _);
        failed |= libc::posix_spawnattr_setpgroup(attributes.as_mut_ptr(), 0);
        failed |= libc::posix_spawnattr_setsigmask(attributes.as_mut_ptr(), every.as_ptr());
        if failed == 0 {
            failed = libc::posix_spawn(
                &raw mut pid,
                program.as_ptr(),
                files.as_ptr(),
                attributes.as_ptr(),
                arguments.as_ptr().cast(),
                environment.as_ptr().cast(),
            );
        }
        libc::posix_spawn_file_actions_destroy(files.as_mut_ptr());
        libc::posix_spawnattr_destroy(attributes.as_mut_ptr());
        failed
    };
    if failed == 0 { Ok(pid) } else { Err(failed) }
}

/// Asks for a worker; a template that is found dead is waited for.
pub fn ask(started: &Started, body: &[u8], files: &[i32], patience: i32) -> wire::Asked {
    if super::here() != Some(started.pid) {
        return wire::Asked::Gone;
    }
    let able = Inherited::take().is_some_and(|wanted| started.inherited.can_become(&wanted));
    if !able {
        return wire::Asked::Refused;
    }
    let asked = wire::ask(&started.name, started.pid, body, files, patience);
    if matches!(asked, wire::Asked::Gone | wire::Asked::Refused)
        && !is_gone(started.pid)
        && asked == wire::Asked::Gone
    {
        say_why(started.pid);
    }
    asked
}

/// Says why a template is of no use, as it tells itself in the list of processes.
fn say_why(pid: i32) {
    let config = config::get();
    if config.verbose == 0 || config.report() == Some(Target::Stderr) {
        return;
    }
    let mut room = [0; 512];
    let mut name = [0; 40];
    let mut out = Buffer::new(&mut name);
    out.put(format_args!("/proc/{pid}/cmdline\0"));
    let Ok(path) = CStr::from_bytes_until_nul(out.finish()) else {
        return;
    };
    // It is about to execute that program; a moment later its arguments are there.
    for _ in 0..200 {
        let line = raw::read_file(path, &mut room).unwrap_or_default();
        let mut words = line.split(|&byte| byte == 0);
        if let (Some(b"forkguard-sleeper"), Some(why)) = (words.next(), words.next()) {
            return emit::notice(format_args!(
                "workers are executed and not copied from a warm template: {}",
                String::from_utf8_lossy(why)
            ));
        }
        raw::pause(Duration::from_millis(5));
    }
}
