//! What the template does in its own process, around the Python that imports and serves.
//!
//! In order: [`prepare`], the imports, [`settle`], then for each worker [`next`], the fork that
//! `clone` makes, and in the copy [`become_worker`] and [`go`]. A template of no use goes to
//! [`sleep`]. This process has one thread whenever anything here is called, so that what is kept
//! here needs no lock.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{CStr, c_void};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicPtr, Ordering};
use core::time::Duration;

use super::start::LISTENER;
use super::wire::{self, Fd, Request};
use super::{clone, sleeper, wait};
use crate::lineage;
use crate::report::sink;
use crate::sys::{descriptors, raw};

/// `IOPRIO_WHO_PROCESS`.
const THREAD: i32 = 1;
/// `IOPRIO_CLASS_IDLE`, where the kernel has it in the number.
const IDLE: i32 = 3 << 13;
/// How long threads that were told to end may take.
const THREADS_END_NS: u64 = 1_000_000_000;
/// Numbers below this are kept free of what the imports open.
const RESERVED: i32 = 256;
/// The stack of the one that watches.
const STACK: usize = 128 * 1024;

struct Server {
    program: i32,
    pidfd: i32,
    policy: i32,
    io_priority: i32,
    watch: Option<Watch>,
    /// Numbers that the imports are not to take: the program's files have low ones.
    reserved: Vec<Fd>,
    /// Files that the imports have opened.
    files: Vec<i32>,
    request: Option<Request>,
}

/// Made by [`prepare`], and never given back. Only the template's one thread comes here, and its
/// copies.
static SERVER: AtomicPtr<Server> = AtomicPtr::new(core::ptr::null_mut());

fn server() -> Option<&'static mut Server> {
    // SAFETY: null, or what `prepare` made; each caller is done with it before it returns.
    unsafe { SERVER.load(Ordering::Relaxed).as_mut() }
}

/// At the template's start: keeps nothing of the program's, sees to it that this process ends
/// when `program` does, and gives way to whoever has work to do. False where that cannot be had.
pub fn prepare(program: i32) -> bool {
    close_all_but(&[0, 1, 2, LISTENER]);
    let Ok(pidfd) = wire::pidfd(program) else {
        return false;
    };
    // SAFETY: asks only. A program that has ended is nobody's parent.
    if unsafe { libc::getppid() } != program {
        return false;
    }
    let pidfd = pidfd.keep();
    // SAFETY: numbers.
    unsafe { libc::fcntl(LISTENER, libc::F_SETFD, libc::FD_CLOEXEC) };
    let none = libc::sched_param { sched_priority: 0 };
    // SAFETY: numbers, and a place that is read.
    let (policy, io_priority) = unsafe {
        let policy = libc::syscall(libc::SYS_sched_getscheduler, 0) as i32;
        let io_priority = libc::syscall(libc::SYS_ioprio_get, THREAD, 0) as i32;
        libc::syscall(
            libc::SYS_sched_setscheduler,
            0,
            libc::SCHED_BATCH,
            &raw const none,
        );
        libc::syscall(libc::SYS_ioprio_set, THREAD, 0, IDLE);
        (policy, io_priority)
    };
    let Some(watch) = Watch::start(pidfd) else {
        return false;
    };
    let server = Box::new(Server {
        program,
        pidfd,
        policy,
        io_priority,
        watch: Some(watch),
        reserved: reserve(),
        files: Vec::new(),
        request: None,
    });
    SERVER.store(Box::into_raw(server), Ordering::Relaxed);
    true
}

/// Takes the low numbers, as long as there are enough others.
fn reserve() -> Vec<Fd> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a place for the answer.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    let end = RESERVED.min((limit.rlim_cur / 4) as i32);
    let mut reserved = Vec::new();
    loop {
        // SAFETY: numbers; the first is /dev/null here.
        let fd = unsafe { libc::fcntl(0, libc::F_DUPFD_CLOEXEC, 0) };
        if fd < 0 {
            return reserved;
        }
        let fd = Fd(fd);
        if fd.0 >= end {
            return reserved;
        }
        reserved.push(fd);
    }
}

/// After the imports: whether a copy of this process would be as good as a new one; else why not.
pub fn settle() -> Result<(), &'static str> {
    let server = server().ok_or("it was not prepared")?;
    if let Some(watch) = server.watch.take() {
        watch.end();
    }
    if !lineage::is_clean() {
        return Err("importing what the program imported initialises CUDA");
    }
    // Libraries end their threads before a fork, where they know of forks.
    // SAFETY: the child ends at once.
    let child = unsafe { libc::fork() };
    if child == 0 {
        raw::exit_now(0);
    }
    if child > 0 {
        wait::reap(child);
    }
    let begun = raw::clock_ns(libc::CLOCK_MONOTONIC);
    while !has_one_thread() {
        if raw::clock_ns(libc::CLOCK_MONOTONIC) - begun > THREADS_END_NS {
            return Err("importing what the program imported starts threads");
        }
        // A thread that was joined is in the kernel's list for a moment longer.
        raw::pause(Duration::from_millis(2));
    }
    if wait::has_children() {
        return Err("importing what the program imported starts processes");
    }
    server.reserved.clear();
    let own = [0, 1, 2, LISTENER, server.pidfd];
    server.files = open_files().map_err(|_| "its descriptors cannot be listed")?;
    server.files.retain(|fd| !own.contains(fd));
    let none = libc::sched_param { sched_priority: 0 };
    // SAFETY: numbers, and a place that is read.
    unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            0,
            server.policy,
            &raw const none,
        );
        libc::syscall(libc::SYS_ioprio_set, THREAD, 0, server.io_priority);
        // From here on the kernel names this process as the one that listens: the program tells by
        // it that an answer is only a moment away.
        libc::listen(LISTENER, libc::SOMAXCONN);
    }
    Ok(())
}

/// Waits for the next worker to make and answers what the program says of it. The next `fork`
/// makes it. Ends with the program.
pub fn next() -> Option<&'static [u8]> {
    let server = server()?;
    server.request = None;
    loop {
        match wire::poll(&[server.pidfd, LISTENER], -1) {
            Ok(Some(0)) => raw::exit_now(0),
            Ok(Some(_)) => {}
            Ok(None) | Err(libc::EINTR) => continue,
            Err(_) => sleep(c"it cannot wait for what it is asked"),
        }
        let Some(request) = wire::take(LISTENER, server.program) else {
            continue;
        };
        // A file of a library's would lose its number to one of the program's.
        if request.numbers.iter().any(|fd| server.files.contains(fd)) {
            wire::refuse(&request.connection);
            continue;
        }
        clone::want();
        let kept: &'static Request = server.request.insert(request);
        return Some(&kept.body);
    }
}

/// After the fork, in the template: the copy was made, or not.
pub fn made(pid: i32) {
    if let Some(server) = server()
        && let Some(request) = server.request.take()
        && pid < 0
    {
        wire::refuse(&request.connection);
    }
}

/// In the copy: becomes what a forked child of the program would be. `directory` is the number
/// under which the working directory came. Does not return where that fails.
pub fn become_worker(directory: i32) {
    let Some(server) = server() else {
        raw::exit_now(1)
    };
    let Some(mut request) = server.request.take() else {
        raw::exit_now(1)
    };
    for fd in [LISTENER, server.pidfd, 0, 1, 2] {
        // SAFETY: the template's own, of which the worker is to have none.
        unsafe { libc::close(fd) };
    }
    let Some(connection) = aside(&request.connection, &request.numbers) else {
        wire::fail(&request.connection);
        raw::exit_now(1)
    };
    request.connection = connection;
    let files = core::mem::take(&mut request.files);
    request.inherited.make_room();
    let done = place(files, &request.numbers)
        .and_then(|()| enter(directory))
        .and_then(|()| request.inherited.put());
    if done.is_err() {
        wire::fail(&request.connection);
        raw::exit_now(1);
    }
    sink::remember_stderr();
    server.request = Some(request);
}

/// In the copy, when all else is done: tells the program and waits for its word.
pub fn go() {
    let Some(server) = server() else {
        raw::exit_now(1)
    };
    match server.request.take() {
        Some(request) if wire::ready(&request.connection, server.program) => {
            request.inherited.put_signals();
        }
        _ => raw::exit_now(1),
    }
}

/// In the copy, where something could not be put on: the program is to make another by an exec.
pub fn fail() -> ! {
    if let Some(request) = server().and_then(|server| server.request.take()) {
        wire::fail(&request.connection);
    }
    raw::exit_now(1)
}

/// Of no use, and why: does nothing until the program ends.
pub fn sleep(why: &CStr) -> ! {
    let pidfd = server().map_or(-1, |server| server.pidfd);
    close_all_but(&[pidfd, LISTENER]);
    if pidfd >= 0 {
        // Nobody is turned away before: who is can read why.
        sleeper::become_one(pidfd, why, turn_away);
        turn_away();
        close_all_but(&[pidfd]);
        while wire::poll(&[pidfd], -1) == Err(libc::EINTR) {}
    }
    raw::exit_now(0)
}

/// Nobody is to wait any more for this process to answer. What the imports have started may have the
/// listener, too, and so may the next program of this process, where it could not be marked to be
/// closed by executing.
fn turn_away() {
    // SAFETY: numbers, and no address is asked for. What was shut down makes nobody wait.
    unsafe {
        if libc::shutdown(LISTENER, libc::SHUT_RDWR) == 0 {
            loop {
                let none = core::ptr::null_mut();
                let asking = libc::accept4(LISTENER, none, core::ptr::null_mut(), 0);
                if asking < 0 {
                    break;
                }
                libc::close(asking);
            }
        }
        libc::close(LISTENER);
    }
}

/// The connection under a number that no file of the worker's is to have.
fn aside(connection: &Fd, numbers: &[i32]) -> Option<Fd> {
    let mut least = 0;
    loop {
        // SAFETY: numbers.
        let fd = unsafe { libc::fcntl(connection.0, libc::F_DUPFD_CLOEXEC, least) };
        if fd < 0 {
            return None;
        }
        if !numbers.contains(&fd) {
            return Some(Fd(fd));
        }
        // SAFETY: made just now.
        unsafe { libc::close(fd) };
        least = fd + 1;
    }
}

/// Gives each file its number. A number may be another file's at present, which goes first.
fn place(mut files: Vec<Fd>, numbers: &[i32]) -> Result<(), i32> {
    let mut pending: Vec<(Fd, i32)> = files.drain(..).zip(numbers.iter().copied()).collect();
    while !pending.is_empty() {
        let before = pending.len();
        let taken: Vec<i32> = pending.iter().map(|(fd, _)| fd.0).collect();
        let mut later = Vec::new();
        for (fd, number) in pending {
            if fd.0 == number {
                descriptors::close_on_exec(number, false)?;
                fd.keep();
            } else if taken.contains(&number) {
                later.push((fd, number));
            // SAFETY: numbers; nobody has the second.
            } else if unsafe { libc::dup2(fd.0, number) } < 0 {
                return Err(raw::errno());
            }
        }
        if later.len() == before {
            // All wait for one another: one steps aside.
            let (fd, _) = &mut later[0];
            // SAFETY: a number of ours.
            let copy = unsafe { libc::fcntl(fd.0, libc::F_DUPFD_CLOEXEC, 0) };
            if copy < 0 {
                return Err(raw::errno());
            }
            *fd = Fd(copy);
        }
        pending = later;
    }
    Ok(())
}

fn enter(directory: i32) -> Result<(), i32> {
    // SAFETY: numbers.
    let entered = unsafe { libc::fchdir(directory) };
    let failed = (entered < 0).then(raw::errno);
    // SAFETY: it came for this only.
    unsafe { libc::close(directory) };
    failed.map_or(Ok(()), Err)
}

fn has_one_thread() -> bool {
    let mut threads = 0;
    let listed = descriptors::each_number(c"/proc/self/task", |_, _| threads += 1);
    listed.is_ok() && threads == 1
}

fn open_files() -> Result<Vec<i32>, i32> {
    let mut files = Vec::new();
    descriptors::each_open(|fd| files.push(fd))?;
    Ok(files)
}

fn close_all_but(kept: &[i32]) {
    // Where they cannot be listed, they stay open in a process that does nothing.
    for fd in open_files().unwrap_or_default() {
        if !kept.contains(&fd) {
            // SAFETY: nobody in this process uses it.
            unsafe { libc::close(fd) };
        }
    }
}

// ---- the end of the program, while this process is busy importing

struct Watch {
    thread: libc::pthread_t,
    stop: Fd,
    asked: *mut [i32; 2],
}

impl Watch {
    fn start(pidfd: i32) -> Option<Self> {
        // SAFETY: numbers.
        let stop = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        let stop = (stop >= 0).then_some(Fd(stop))?;
        let asked = Box::into_raw(Box::new([pidfd, stop.0]));
        let mut thread = MaybeUninit::uninit();
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: initialised before use and given back after; the thread's argument lives until
        // it was joined.
        let failed = unsafe {
            libc::pthread_attr_init(attributes.as_mut_ptr());
            libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK);
            let failed = libc::pthread_create(
                thread.as_mut_ptr(),
                attributes.as_ptr(),
                watch,
                asked.cast(),
            );
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            failed
        };
        if failed != 0 {
            // SAFETY: made above, and no thread has it.
            drop(unsafe { Box::from_raw(asked) });
            return None;
        }
        Some(Self {
            // SAFETY: the thread was made.
            thread: unsafe { thread.assume_init() },
            stop,
            asked,
        })
    }

    fn end(self) {
        let one = 1_u64;
        // SAFETY: reads 8 bytes; the thread ends for it, is joined once, and its argument is
        // given back after.
        unsafe {
            libc::write(self.stop.0, (&raw const one).cast(), 8);
            libc::pthread_join(self.thread, core::ptr::null_mut());
            drop(Box::from_raw(self.asked));
        }
    }
}

extern "C" fn watch(asked: *mut c_void) -> *mut c_void {
    // SAFETY: the two numbers that `Watch::start` gave, alive until this thread was joined.
    let asked = unsafe { *asked.cast::<[i32; 2]>() };
    loop {
        match wire::poll(&asked, -1) {
            Ok(Some(0)) => raw::exit_now(0),
            Ok(None) | Err(libc::EINTR) => {}
            // Where this cannot be waited for, the imports are not watched.
            Ok(Some(_)) | Err(_) => return core::ptr::null_mut(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::IntoRawFd;

    /// A file that holds this text, and reading it by a number.
    fn file(text: &str) -> Fd {
        let (reading, mut writing) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writing, text.as_bytes()).unwrap();
        Fd(reading.into_raw_fd())
    }

    fn text(fd: i32) -> u8 {
        let mut byte = 0_u8;
        // SAFETY: room for one byte.
        assert_eq!(unsafe { libc::read(fd, (&raw mut byte).cast(), 1) }, 1);
        byte
    }

    #[test]
    fn files_change_places() {
        let (one, two, three) = (file("1"), file("2"), file("3"));
        let (a, b, c) = (one.0, two.0, three.0);
        // A circle of three.
        place(vec![one, two, three], &[b, c, a]).unwrap();
        assert_eq!((text(b), text(c), text(a)), (b'1', b'2', b'3'));
        // One stays, one goes to a number that is free.
        let free = {
            let unused = file("x");
            unused.0
        };
        let (four, five) = (file("4"), file("5"));
        let at = if four.0 == free { five.0 } else { four.0 };
        let numbers = if four.0 == free {
            [free, at]
        } else {
            [at, free]
        };
        place(vec![four, five], &numbers).unwrap();
        for fd in [a, b, c, free, at] {
            // SAFETY: numbers of this test's.
            unsafe { libc::close(fd) };
        }
    }
}
