//! What the adapter makes and must not lose: descriptors for one start, and the fresh process, which
//! is the interpreter again, as a child of this one.
//!
//! All are noted with the thread before Python sees them ([`exec::start`], [`close_noted`]): an
//! interrupt may be raised anywhere in the adapter, and none is forgotten for it.
//!
//! Between a process's start and the answer of the program's `fork` an exception can still end the
//! start, and the program is not to find that its worker has worked. So the fresh process, executed
//! or copied, runs nothing of the program's before it can lock the payload (`adapter/answered.py`),
//! on which this process has a lock from the beginning. It is a lock of the process, not of the
//! descriptor: no child has it, and the kernel takes it back from a process that dies. Whether the
//! program died before its `fork` answered or after is told by the file's position, which all who
//! have the descriptor share.

use alloc::vec::Vec;
use core::cell::Cell;
use core::ffi::{CStr, c_char, c_int, c_void};

use super::api::Object;
use super::hash_secret::{self, Variable};
use super::native::{Calls, calls};
use crate::policy::exec;
use crate::sys::raw::{self, checked};
use crate::sys::spawn::Program;
use crate::sys::{descriptors, rights, thread};

unsafe extern "C" {
    /// The C library's.
    static environ: *const *const c_char;
}

/// The position that says that the program's `fork` has answered; nobody reads by it.
const ANSWERED: libc::off_t = 1;
/// What the adapter seals a payload with: all there are.
const SEALS: c_int =
    libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;

/// `Py_buffer`.
#[repr(C)]
pub(super) struct Bytes {
    start: *const u8,
    object: Object,
    len: isize,
    rest: [*mut c_void; 7],
}

impl Bytes {
    pub(super) const NONE: Self = Self {
        start: core::ptr::null(),
        object: core::ptr::null_mut(),
        len: 0,
        rest: [core::ptr::null_mut(); 7],
    };

    /// `None` where Python said `None`.
    pub(super) fn get(&self) -> Option<&[u8]> {
        // SAFETY: filled in by the interpreter, and alive until it is given back.
        (!self.start.is_null())
            .then(|| unsafe { core::slice::from_raw_parts(self.start, self.len as usize) })
    }

    /// The C strings that it consists of, and the null at their end.
    fn strings(&self) -> Option<Vec<*const c_char>> {
        let text = self.get()?;
        let strings = text.split_inclusive(|&byte| byte == 0);
        let strings = strings.filter(|string| string.last() == Some(&0));
        let strings = strings.map(|string| string.as_ptr().cast());
        Some(strings.chain([core::ptr::null()]).collect())
    }
}

/// `payload(name)`: `(fd, errno)`. An empty memfd that can be sealed; it is closed when the program's
/// `fork` answers, or when there is to be no fresh process.
///
/// # Safety
/// For the interpreter to call, with the GIL and a tuple.
pub unsafe extern "C" fn payload(_module: Object, arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let mut name = core::ptr::null::<c_char>();
    // SAFETY: called by the interpreter, with the GIL and a tuple; `s` gives a C string that lives
    // as long as its object, which the tuple keeps alive.
    unsafe {
        if (calls.parse)(arguments, c"s".as_ptr(), &raw mut name) == 0 {
            return core::ptr::null_mut();
        }
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        let made = noted(&thread::current().payload, libc::memfd_create(name, flags));
        if let Ok(fd) = made {
            lock(fd, libc::F_WRLCK);
        }
        answered(calls, made)
    }
}

/// `directory()`: `(fd, errno)`. The working directory; closed as `payload`'s.
///
/// # Safety
/// For the interpreter to call, with the GIL.
pub unsafe extern "C" fn directory(_module: Object, _arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    // SAFETY: a C string and flags; the GIL is held, says the caller.
    unsafe {
        let opened = libc::open(c".".as_ptr(), libc::O_PATH | libc::O_CLOEXEC);
        answered(calls, noted(&thread::current().directory, opened))
    }
}

fn noted(place: &Cell<u32>, opened: c_int) -> Result<c_int, c_int> {
    let fd = checked(i64::from(opened))? as u32;
    close(place);
    place.set(fd + 1);
    Ok(opened)
}

fn close(place: &Cell<u32>) {
    if let Some(fd) = place.replace(0).checked_sub(1) {
        // SAFETY: opened on this thread by one of the functions above, and closed nowhere else.
        unsafe { libc::close(fd as c_int) };
    }
}

/// Has whoever wants a lock on it wait (`F_WRLCK`), or no more (`F_UNLCK`). Where there can be none, a
/// fresh process is not held back.
fn lock(fd: c_int, kind: c_int) {
    // SAFETY: plain numbers, for which zero is a value: the file from its beginning to its end.
    let mut whole: libc::flock = unsafe { core::mem::zeroed() };
    whole.l_type = kind as _;
    // SAFETY: reads the one value.
    unsafe { libc::fcntl(fd, libc::F_SETLK, &raw const whole) };
}

/// Whether the descriptor is still the payload's: nothing else has these seals but what was made here.
fn is_payload(fd: c_int) -> bool {
    // SAFETY: numbers. A worker waits for the answer, so one refusal is not the last word.
    (0..2).any(|_| unsafe { libc::fcntl(fd, libc::F_GET_SEALS) } == SEALS)
}

/// What this thread's last start has made to tell its process what to do.
pub fn own_payload() -> Option<c_int> {
    let fd = thread::current().payload.get().checked_sub(1)?;
    Some(fd as c_int)
}

/// The program's `fork` answers: the fresh process may run the program's code.
pub fn let_go() {
    let _errno = raw::ErrnoGuard::new();
    if let Some(fd) = own_payload() {
        // The program's at-fork handlers ran meanwhile, and may have closed and opened anything.
        if !is_payload(fd) {
            thread::current().payload.set(0);
            return;
        }
        // SAFETY: numbers.
        unsafe { libc::lseek(fd, ANSWERED, libc::SEEK_SET) };
        // A `close` that fails would leave the worker waiting for ever.
        lock(fd, libc::F_UNLCK);
    }
    close_noted();
}

/// Closes the working directory, which nobody needs once a process was asked for.
pub fn close_directory() {
    close(&thread::current().directory);
}

/// Closes what was opened for this thread's last start.
pub fn close_noted() {
    close(&thread::current().payload);
    close_directory();
}

/// `spawn(arguments, environment, kept, signal)`: `(pid, errno)`, one of them 0. The file is the
/// first argument. Arguments and environment are NUL-terminated each; no environment is the one of
/// this process as it is. `kept` are descriptors, a C `int` each.
///
/// # Safety
/// For the interpreter to call, with the GIL and a tuple.
pub unsafe extern "C" fn spawn(_module: Object, arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let (mut argv, mut envp, mut kept) = (Bytes::NONE, Bytes::NONE, Bytes::NONE);
    let mut signal: c_int = 0;
    // SAFETY: called by the interpreter, with the GIL and a tuple; `y*` and `z*` fill in a
    // `Py_buffer` each, which is given back below.
    unsafe {
        if (calls.parse)(
            arguments,
            c"y*z*y*i".as_ptr(),
            &raw mut argv,
            &raw mut envp,
            &raw mut kept,
            &raw mut signal,
        ) == 0
        {
            return core::ptr::null_mut();
        }
        let answer = start(&argv, &envp, &kept, signal);
        for bytes in [&mut argv, &mut envp, &mut kept] {
            (calls.release)((&raw mut *bytes).cast());
        }
        answered(calls, answer)
    }
}

unsafe fn answered(calls: &Calls, answer: Result<c_int, c_int>) -> Object {
    let (number, errno) = match answer {
        Ok(number) => (number, 0),
        Err(errno) => (0, errno),
    };
    // SAFETY: the GIL is held, says the caller.
    unsafe { (calls.build)(c"ii".as_ptr(), number, errno) }
}

/// An environment for an interpreter that stands for a fork of this one, its last pointer null.
///
/// # Safety
/// `environment` ends with a null pointer, before which all are C strings. They, and the secret,
/// outlive the answer.
pub(super) unsafe fn fresh_environment(
    environment: *const *const c_char,
    secret: Option<&Variable>,
) -> Vec<*const c_char> {
    let mut entries = Vec::new();
    let mut at = environment;
    // SAFETY: says the caller.
    unsafe {
        while !at.is_null() && !(*at).is_null() {
            entries.push(*at);
            at = at.add(1);
        }
        if let Some(secret) = secret {
            secret.add_to(&mut entries);
        }
    }
    if rights::is_hidden() {
        entries.push(rights::HIDDEN_ENTRY.as_ptr());
    }
    entries.push(core::ptr::null());
    entries
}

/// `rights()`: why a fresh process could not do what a fork of this one can, or would be able to do
/// more. Empty where neither is so.
///
/// # Safety
/// For the interpreter to call, with the GIL.
pub unsafe extern "C" fn rights(_module: Object, _arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let why = rights::differ_after_execve().unwrap_or_default();
    // SAFETY: the GIL is held, says the caller; as many bytes as the text has.
    unsafe { (calls.string)(why.as_ptr().cast(), why.len() as isize) }
}

fn start(argv: &Bytes, envp: &Bytes, kept: &Bytes, signal: c_int) -> Result<c_int, c_int> {
    let (arguments, environment) = (argv.strings().unwrap_or_default(), envp.strings());
    let file = match arguments.first() {
        // SAFETY: one of the C strings of `argv`.
        Some(&file) if !file.is_null() => unsafe { CStr::from_ptr(file) },
        _ => return Err(libc::EINVAL),
    };
    let numbers = kept
        .get()
        .unwrap_or_default()
        .chunks_exact(size_of::<c_int>());
    let numbers = numbers.filter_map(|bytes| Some(c_int::from_ne_bytes(bytes.try_into().ok()?)));
    let kept: Vec<c_int> = numbers.collect();
    let closed = others(&kept)?;
    let environment = environment.as_ref().map_or_else(
        // SAFETY: the C library's variable; its GIL-holding readers and writers are this one.
        || unsafe { environ },
        Vec::as_ptr,
    );
    let secret = hash_secret::variable();
    // SAFETY: an environment, as the C library's or `Bytes::strings` has it, and the secret's string,
    // which is there until it was copied by the kernel.
    let entries = unsafe { fresh_environment(environment, secret.as_ref()) };
    let pid = exec::execute(&Program {
        file,
        arguments: &arguments,
        environment: entries.as_ptr(),
        kept: &kept,
        told: own_payload().unwrap_or(-1),
        closed: &closed,
        blocked: Some(signal),
        pid: &[],
    })?;
    exec::start(pid);
    Ok(pid)
}

/// Open descriptors that would get across beside those that are to; the error is why they cannot be
/// known.
fn others(kept: &[c_int]) -> Result<Vec<c_int>, c_int> {
    let (mut found, mut unknown) = (Vec::new(), None);
    descriptors::each_open(|fd| {
        if kept.contains(&fd) {
            return;
        }
        match descriptors::closes_on_exec(fd) {
            Ok(false) => found.push(fd),
            // Another thread has closed it.
            Ok(true) | Err(libc::EBADF) => {}
            Err(errno) => unknown = Some(errno),
        }
    })?;
    unknown.map_or(Ok(found), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::descriptors::tests::forbid_fcntl;

    /// A fresh process would have it beside what it is to have.
    #[test]
    fn a_descriptor_of_which_nothing_can_be_learned_does_not_get_across() {
        std::thread::spawn(|| {
            // SAFETY: a C string and flags.
            let open = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY) };
            assert!(others(&[]).unwrap().contains(&open));
            assert!(!others(&[open]).unwrap().contains(&open));
            forbid_fcntl();
            assert_eq!(others(&[]), Err(libc::EPERM));
            // SAFETY: opened above.
            unsafe { libc::close(open) };
        })
        .join()
        .unwrap();
    }
}
