//! What the program and its template say to one another, over a connection for each start.
//!
//! ```text
//! template  greeting: ready, and which build of this library it runs
//! program   the request: what is inherited, the files' numbers, a body; then the files
//! worker    its pid, once it is what a forked child would be       (template: no, if none)
//! program   go
//! ```
//!
//! A worker goes on only after `go`. Whoever is lost on the way, there is one worker or none: the
//! program makes another by an exec only when this connection was ended, and a worker that finds it
//! ended ends. It waits for that as long as it takes, for a program may be stopped for hours; the
//! end is said by a `shutdown`, because a process that was forked meanwhile has a copy of the
//! descriptor. (Whether the program's `fork` ever answers, a worker of any kind learns later:
//! [`crate::python::spawn`].)
//!
//! Both ends are processes of one user on one machine that run this very library, and each checks
//! with the kernel which process the other is.

use alloc::vec;
use alloc::vec::Vec;
use core::mem::{MaybeUninit, size_of, size_of_val};

use super::inherit::Inherited;
use crate::sys::raw;
use crate::sys::rights::Rights;

/// Bytes of an abstract address.
pub const NAME: usize = 32;
/// Files that the kernel takes in one message.
const FILES_AT_ONCE: usize = 253;
/// How long either end waits for the other's next word, in seconds, before it counts as lost.
const PATIENCE: i64 = if cfg!(test) { 4 } else { 20 };
/// More than any program has open.
const MOST_FILES: usize = 1 << 20;
/// More than an environment and an argument list take.
const MOST_BODY: usize = 1 << 26;

const READY: u8 = b'R';
const WORKER: u8 = b'W';
const FAILED: u8 = b'F';
const NO: u8 = b'N';
const GO: u8 = b'G';

/// A file descriptor that is closed with its owner.
pub struct Fd(pub i32);

impl Fd {
    /// Its number, which nobody closes any more.
    pub fn keep(self) -> i32 {
        let fd = self.0;
        core::mem::forget(self);
        fd
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: owned by this value, which gave the number to nobody.
        unsafe { libc::close(self.0) };
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Greeting {
    build: u64,
    status: u8,
    pad: [u8; 7],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Opening {
    inherited: Inherited,
    body: u64,
    files: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Answer {
    pid: i32,
    status: u8,
    pad: [u8; 3],
}

/// Tells builds of the library apart: what crosses lies in memory as the compiler laid it.
fn build() -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let sizes = [size_of::<Opening>(), size_of::<Answer>()];
    for byte in env!("CARGO_PKG_VERSION")
        .bytes()
        .chain(sizes.iter().flat_map(|size| size.to_ne_bytes()))
    {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

/// What became of a start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// The worker's pid.
    Started(i32),
    /// There is no template that would serve; there will be none. Or it does not answer, and nobody is
    /// to wait for that again.
    Gone,
    /// It still imports.
    NotReady,
    /// A signal came while it was waited for.
    Interrupted,
    /// It cannot serve this one.
    Refused,
}

/// Asks the template of this name, process `template`, for a worker. Waits for it to be ready for
/// so many milliseconds.
pub fn ask(name: &[u8; NAME], template: i32, body: &[u8], files: &[i32], patience: i32) -> Asked {
    let Some(inherited) = Inherited::take() else {
        return Asked::Refused;
    };
    let connection = match connect(name) {
        Ok(connection) => connection,
        Err(libc::ECONNREFUSED) => return Asked::Gone,
        Err(_) => return Asked::Refused,
    };
    // The program itself made the address listen, and the template does so again when it is ready:
    // then it answers as soon as it has a processor.
    let (is_ready, patience) = match peer(&connection) {
        Some(pid) if pid == template => (true, PATIENCE as i32 * 1000),
        Some(pid) if pid == raw::getpid() => (false, patience),
        _ => return Asked::Refused,
    };
    let asked = match talk(&connection, &inherited, body, files, patience) {
        Asked::NotReady if is_ready => Asked::Gone,
        asked => asked,
    };
    // SAFETY: a number. What was sent before arrives before the end does.
    unsafe { libc::shutdown(connection.0, libc::SHUT_RDWR) };
    asked
}

fn talk(
    connection: &Fd,
    inherited: &Inherited,
    body: &[u8],
    files: &[i32],
    patience: i32,
) -> Asked {
    match poll(&[connection.0], patience) {
        Ok(Some(_)) => {}
        Ok(None) => return Asked::NotReady,
        Err(libc::EINTR) => return Asked::Interrupted,
        Err(_) => return Asked::Refused,
    }
    let Ok(greeting) = receive::<Greeting>(connection) else {
        return Asked::Gone;
    };
    if greeting.status != READY || greeting.build != build() {
        return Asked::Gone;
    }
    match converse(connection, inherited, body, files) {
        Ok(asked) => asked,
        Err(libc::EAGAIN) => Asked::Gone,
        Err(_) => Asked::Refused,
    }
}

fn converse(
    connection: &Fd,
    inherited: &Inherited,
    body: &[u8],
    files: &[i32],
) -> Result<Asked, i32> {
    // Another thread may have closed one meanwhile; a forked child would not have it either.
    let mut open = Vec::with_capacity(files.len());
    for &fd in files {
        if is_open(fd)? {
            open.push(fd);
        }
    }
    let files = open;
    let opening = Opening {
        inherited: *inherited,
        body: body.len() as u64,
        files: files.len() as u64,
    };
    send(connection, bytes_of(&opening))?;
    // SAFETY: numbers, as bytes.
    send(connection, unsafe {
        core::slice::from_raw_parts(files.as_ptr().cast(), size_of_val(files.as_slice()))
    })?;
    send(connection, body)?;
    for some in files.chunks(FILES_AT_ONCE) {
        send_files(connection, some)?;
    }
    let answer = receive::<Answer>(connection)?;
    match answer.status {
        WORKER => {
            // Where it cannot be told any more it has died, as a worker may at any time.
            let _ = send(connection, &[GO]);
            Ok(Asked::Started(answer.pid))
        }
        FAILED => {
            // It has said that it is ending, and the program has not heard of it.
            super::wait::reap(answer.pid);
            Ok(Asked::Refused)
        }
        _ => Ok(Asked::Refused),
    }
}

/// A request as the template received it.
pub struct Request {
    /// Open until the worker runs.
    pub connection: Fd,
    /// What the worker puts on.
    pub inherited: Inherited,
    /// The numbers that the files are to have.
    pub numbers: Vec<i32>,
    /// The files, in the same order.
    pub files: Vec<Fd>,
    /// For the Python side.
    pub body: Vec<u8>,
}

/// Takes the next connection of `program`'s and its request; `None` where it came to nothing.
pub fn take(listener: i32, program: i32) -> Option<Request> {
    // SAFETY: no address is asked for.
    let connection = unsafe {
        libc::accept4(
            listener,
            core::ptr::null_mut(),
            core::ptr::null_mut(),
            libc::SOCK_CLOEXEC,
        )
    };
    let connection = (connection >= 0).then_some(Fd(connection))?;
    // What this process may do is what its program might when it began. A program that gave some
    // of that up since, or was taken over, is not to have it back from here.
    let own = Rights::own()?;
    if peer(&connection) != Some(program) || Rights::of(program)? != own {
        return None;
    }
    be_patient(&connection);
    let greeting = Greeting {
        build: build(),
        status: READY,
        pad: [0; 7],
    };
    send(&connection, bytes_of(&greeting)).ok()?;
    request(connection)
}

/// The request that comes over a connection.
pub fn request(connection: Fd) -> Option<Request> {
    let opening = receive::<Opening>(&connection).ok()?;
    let (files, body) = (opening.files as usize, opening.body as usize);
    if files > MOST_FILES || body > MOST_BODY {
        return None;
    }
    let mut numbers = vec![0_i32; files];
    // SAFETY: numbers, as bytes, every value of which is a number.
    receive_into(&connection, unsafe {
        core::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), files * size_of::<i32>())
    })
    .ok()?;
    let mut text = vec![0; body];
    receive_into(&connection, &mut text).ok()?;
    let mut received = Vec::with_capacity(files);
    while received.len() < files {
        let wanted = (files - received.len()).min(FILES_AT_ONCE);
        if !receive_files(&connection, wanted, &mut received) {
            refuse(&connection);
            return None;
        }
    }
    Some(Request {
        connection,
        inherited: opening.inherited,
        numbers,
        files: received,
        body: text,
    })
}

/// From the template: this start is none of its.
pub fn refuse(connection: &Fd) {
    tell(connection, 0, NO);
}

/// From the worker: it could not be made what it should be. It ends after this.
pub fn fail(connection: &Fd) {
    tell(connection, raw::getpid(), FAILED);
}

/// From the worker of `program`: it is ready. Whether it is to go on, however long that takes to be
/// said.
pub fn ready(connection: &Fd, program: i32) -> bool {
    tell(connection, raw::getpid(), WORKER);
    // The connection of a program that was killed may live on in a child of its own.
    let end = pidfd(program);
    // Looked at after that: the pid of a program that has ended may be another's by now.
    if !is_parent(program) {
        return was_told_to_go(connection);
    }
    let Ok(end) = end else {
        return is_told_to_go(connection, program);
    };
    loop {
        match poll(&[connection.0, end.0], -1) {
            Ok(Some(0)) => return receive::<u8>(connection) == Ok(GO),
            Ok(Some(_)) => return was_told_to_go(connection),
            Err(libc::EINTR) | Ok(None) => {}
            Err(_) => return is_told_to_go(connection, program),
        }
    }
}

/// Whether the word is there: a program may have said it and ended at once. Nothing is waited for,
/// also where a sandbox refuses `poll`.
fn was_told_to_go(connection: &Fd) -> bool {
    let mut word = 0_u8;
    loop {
        // SAFETY: room for one byte.
        let got =
            unsafe { libc::recv(connection.0, (&raw mut word).cast(), 1, libc::MSG_DONTWAIT) };
        if got >= 0 || raw::errno() != libc::EINTR {
            return got == 1 && word == GO;
        }
    }
}

fn is_parent(program: i32) -> bool {
    // SAFETY: asks only.
    unsafe { libc::getppid() == program }
}

/// The same where both cannot be waited for: whether the program is still there is looked at as
/// often as the connection's patience ends.
fn is_told_to_go(connection: &Fd, program: i32) -> bool {
    loop {
        match receive::<u8>(connection) {
            Ok(word) => return word == GO,
            Err(libc::EAGAIN) if is_parent(program) => {}
            Err(libc::EAGAIN) => return was_told_to_go(connection),
            Err(_) => return false,
        }
    }
}

fn tell(connection: &Fd, pid: i32, status: u8) {
    let answer = Answer {
        pid,
        status,
        pad: [0; 3],
    };
    // Where nobody listens any more, the next read says so.
    let _ = send(connection, bytes_of(&answer));
}

// ---- sockets

fn address(name: &[u8; NAME]) -> (libc::sockaddr_un, libc::socklen_t) {
    // SAFETY: plain numbers, for which zero is a value.
    let mut address: libc::sockaddr_un = unsafe { MaybeUninit::zeroed().assume_init() };
    address.sun_family = libc::AF_UNIX as _;
    // The first byte stays 0: an abstract name, of which the file system knows nothing.
    for (to, from) in address.sun_path[1..].iter_mut().zip(name) {
        *to = *from as _;
    }
    let length = size_of_val(&address.sun_family) + 1 + NAME;
    (address, length as libc::socklen_t)
}

fn socket() -> Result<Fd, i32> {
    // SAFETY: numbers.
    let fd = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        Err(raw::errno())
    } else {
        Ok(Fd(fd))
    }
}

/// A socket that listens under a name nobody can guess.
pub fn listen() -> Result<(Fd, [u8; NAME]), i32> {
    let mut random = [0_u8; NAME / 2];
    // SAFETY: room for as many bytes as are asked for.
    let got = unsafe { libc::getrandom(random.as_mut_ptr().cast(), random.len(), 0) };
    if got != random.len() as isize {
        return Err(raw::errno());
    }
    let mut name = [0; NAME];
    for (two, byte) in name.chunks_mut(2).zip(random) {
        two[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        two[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    let listener = socket()?;
    let (address, length) = address(&name);
    // SAFETY: an address of that length.
    let bound = unsafe {
        libc::bind(listener.0, (&raw const address).cast(), length) == 0
            && libc::listen(listener.0, libc::SOMAXCONN) == 0
    };
    if bound {
        Ok((listener, name))
    } else {
        Err(raw::errno())
    }
}

fn connect(name: &[u8; NAME]) -> Result<Fd, i32> {
    let connection = socket()?;
    be_patient(&connection);
    let (address, length) = address(name);
    // SAFETY: an address of that length.
    let answer = unsafe { libc::connect(connection.0, (&raw const address).cast(), length) };
    if answer == 0 {
        Ok(connection)
    } else {
        Err(raw::errno())
    }
}

fn be_patient(connection: &Fd) {
    let time = libc::timeval {
        tv_sec: PATIENCE,
        tv_usec: 0,
    };
    for option in [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO] {
        // SAFETY: reads one `timeval`.
        unsafe {
            libc::setsockopt(
                connection.0,
                libc::SOL_SOCKET,
                option,
                (&raw const time).cast(),
                size_of_val(&time) as libc::socklen_t,
            );
        }
    }
}

/// A file that can be read when that process has ended.
pub fn pidfd(pid: i32) -> Result<Fd, i32> {
    // SAFETY: numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as i32;
    if fd < 0 {
        Err(raw::errno())
    } else {
        Ok(Fd(fd))
    }
}

/// The process at the other end, which has to be this user's.
fn peer(connection: &Fd) -> Option<i32> {
    let mut about = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut length = size_of_val(&about) as libc::socklen_t;
    // SAFETY: room for the answer, of that length.
    let answer = unsafe {
        libc::getsockopt(
            connection.0,
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut about).cast(),
            &raw mut length,
        )
    };
    // SAFETY: both only ask.
    let own = unsafe { (libc::geteuid(), libc::getegid()) };
    (answer == 0 && (about.uid, about.gid) == own).then_some(about.pid)
}

/// Which of them can be read, within so many milliseconds (-1: whenever).
pub fn poll(fds: &[i32], milliseconds: i32) -> Result<Option<usize>, i32> {
    let mut asked = [libc::pollfd {
        fd: -1,
        events: libc::POLLIN,
        revents: 0,
    }; 4];
    for (place, &fd) in asked.iter_mut().zip(fds) {
        place.fd = fd;
    }
    let count = fds.len().min(asked.len());
    // SAFETY: `count` places.
    match unsafe { libc::poll(asked.as_mut_ptr(), count as libc::nfds_t, milliseconds) } {
        answer if answer < 0 => Err(raw::errno()),
        _ => Ok(asked[..count].iter().position(|place| place.revents != 0)),
    }
}

/// Whether it is; the error is why that cannot be known.
fn is_open(fd: i32) -> Result<bool, i32> {
    // SAFETY: asks about a number.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0 {
        return Ok(true);
    }
    match raw::errno() {
        libc::EBADF => Ok(false),
        errno => Err(errno),
    }
}

fn bytes_of<T: Copy>(value: &T) -> &[u8] {
    // SAFETY: a value of plain numbers without gaps, each byte of which is written.
    unsafe { core::slice::from_raw_parts((&raw const *value).cast(), size_of::<T>()) }
}

fn send(connection: &Fd, mut bytes: &[u8]) -> Result<(), i32> {
    while !bytes.is_empty() {
        // SAFETY: reads those bytes.
        let sent = unsafe {
            libc::send(
                connection.0,
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_NOSIGNAL,
            )
        };
        match usize::try_from(sent) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(_) if raw::errno() == libc::EINTR => {}
            Err(_) => return Err(raw::errno()),
        }
    }
    Ok(())
}

/// Fewer bytes than wanted are an error: the other end is gone.
fn receive_into(connection: &Fd, mut bytes: &mut [u8]) -> Result<(), i32> {
    while !bytes.is_empty() {
        // SAFETY: room for as many bytes.
        let got = unsafe { libc::recv(connection.0, bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        match usize::try_from(got) {
            Ok(0) => return Err(libc::EPIPE),
            Ok(got) => bytes = &mut bytes[got..],
            Err(_) if raw::errno() == libc::EINTR => {}
            Err(_) => return Err(raw::errno()),
        }
    }
    Ok(())
}

/// For types of plain numbers only, every pattern of which is a value.
fn receive<T: Copy>(connection: &Fd) -> Result<T, i32> {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: the value's own bytes, zeroed.
    let bytes =
        unsafe { core::slice::from_raw_parts_mut(value.as_mut_ptr().cast(), size_of::<T>()) };
    receive_into(connection, bytes)?;
    // SAFETY: every byte is written, and `T` is made of plain numbers.
    Ok(unsafe { value.assume_init() })
}

/// Room for the control message of as many files as go at once, aligned as it has to be.
#[repr(C, align(8))]
struct Control([u8; 1040]);

const _: () = assert!(size_of::<Control>() >= 16 + FILES_AT_ONCE * size_of::<i32>());

fn message<'a>(part: &'a mut libc::iovec, control: &'a mut Control, files: usize) -> libc::msghdr {
    // SAFETY: plain numbers and pointers, for which zero is a value.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: computes a number.
    message.msg_controllen = unsafe { libc::CMSG_SPACE((files * size_of::<i32>()) as u32) } as _;
    message
}

fn send_files(connection: &Fd, files: &[i32]) -> Result<(), i32> {
    let mut byte = 0_u8;
    let mut part = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    let mut control = Control([0; 1040]);
    let message = message(&mut part, &mut control, files.len());
    // SAFETY: the control message lies in `control`, which has room for as many files as a chunk
    // has, and is aligned for its header.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of_val(files) as u32) as _;
        core::ptr::copy_nonoverlapping(
            files.as_ptr().cast::<u8>(),
            libc::CMSG_DATA(header),
            size_of_val(files),
        );
    }
    loop {
        // SAFETY: all that the message points to is alive.
        let sent = unsafe { libc::sendmsg(connection.0, &raw const message, libc::MSG_NOSIGNAL) };
        match sent {
            1 => return Ok(()),
            _ if raw::errno() == libc::EINTR => {}
            _ => return Err(raw::errno()),
        }
    }
}

/// Whether so many files came, all of them.
fn receive_files(connection: &Fd, wanted: usize, into: &mut Vec<Fd>) -> bool {
    let mut byte = 0_u8;
    let mut part = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    let mut control = Control([0; 1040]);
    let mut message = message(&mut part, &mut control, FILES_AT_ONCE);
    loop {
        // SAFETY: all that the message points to is alive, and as long as it says.
        let got = unsafe { libc::recvmsg(connection.0, &raw mut message, libc::MSG_CMSG_CLOEXEC) };
        match got {
            1 => break,
            -1 if raw::errno() == libc::EINTR => {}
            _ => return false,
        }
    }
    let before = into.len();
    // SAFETY: the kernel has written control messages into `control`, of which these functions
    // find the beginnings and lengths.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let data = libc::CMSG_DATA(header).cast::<[u8; 4]>();
                let bytes = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                for at in 0..bytes / 4 {
                    into.push(Fd(i32::from_ne_bytes(*data.add(at))));
                }
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    message.msg_flags & libc::MSG_CTRUNC == 0 && into.len() - before == wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::descriptors::tests::forbid_fcntl;
    use std::io::Read;
    use std::os::fd::{AsRawFd, FromRawFd};

    fn pair() -> (Fd, Fd) {
        let mut ends = [0; 2];
        // SAFETY: room for two numbers.
        let made = unsafe {
            libc::socketpair(
                libc::AF_UNIX,
                libc::SOCK_STREAM | libc::SOCK_CLOEXEC,
                0,
                ends.as_mut_ptr(),
            )
        };
        assert_eq!(made, 0);
        (Fd(ends[0]), Fd(ends[1]))
    }

    /// The template would make a worker that lacks it.
    #[test]
    fn a_file_of_which_nothing_can_be_learned_is_not_left_out() {
        std::thread::spawn(|| {
            let (ours, template) = pair();
            let inherited = Inherited::take().expect("this process has all of it");
            assert!(is_open(ours.0) == Ok(true) && is_open(-1) == Ok(false));
            forbid_fcntl();
            // Nobody answers there, and nobody waits for that.
            // SAFETY: a number of this test's own.
            unsafe { libc::shutdown(template.0, libc::SHUT_WR) };
            let asked = converse(&ours, &inherited, b"body", &[template.0]);
            assert!(asked == Err(libc::EPERM));
        })
        .join()
        .expect("no panic");
    }

    #[test]
    fn more_files_than_fit_one_message_come_in_their_order() {
        let (here, there) = pair();
        let pipes: Vec<_> = (0..FILES_AT_ONCE + 40)
            .map(|_| std::io::pipe().unwrap())
            .collect();
        let writing: Vec<i32> = pipes.iter().map(|(_, end)| end.as_raw_fd()).collect();
        for some in writing.chunks(FILES_AT_ONCE) {
            send_files(&here, some).unwrap();
        }
        let mut received = Vec::new();
        while received.len() < writing.len() {
            let wanted = (writing.len() - received.len()).min(FILES_AT_ONCE);
            assert!(receive_files(&there, wanted, &mut received));
        }
        for (number, (fd, (mut reading, writing))) in received.into_iter().zip(pipes).enumerate() {
            drop(writing);
            let text = number.to_string();
            // SAFETY: received just now; the file owns it from here on.
            let mut file = unsafe { std::fs::File::from_raw_fd(fd.0) };
            core::mem::forget(fd);
            std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
            drop(file);
            let mut got = String::new();
            reading.read_to_string(&mut got).unwrap();
            assert_eq!(got, text);
        }
    }

    #[test]
    fn a_name_that_nobody_listens_under_is_gone() {
        let (listener, name) = listen().unwrap();
        drop(listener);
        assert_eq!(ask(&name, raw::getpid(), b"", &[], 0), Asked::Gone);
    }

    #[test]
    fn what_is_asked_arrives_and_nothing_runs_without_a_go() {
        let (listener, name) = listen().unwrap();
        let own = raw::getpid();
        let server = std::thread::spawn(move || {
            let request = take(listener.0, own).unwrap();
            assert_eq!(
                (request.body.as_slice(), request.files.len()),
                (&b"work"[..], 1)
            );
            assert_eq!(request.numbers, [2]);
            // SAFETY: the child makes system calls only, and ends.
            let worker = unsafe { libc::fork() };
            if worker == 0 {
                raw::exit_now(i32::from(!ready(&request.connection, own)));
            }
            worker
        });
        let asked = ask(&name, own, b"work", &[2, 999_999], 10_000);
        let worker = server.join().unwrap();
        let mut status = -1;
        // SAFETY: a child of this test's own, and a place for the answer.
        unsafe { libc::waitpid(worker, &raw mut status, 0) };
        assert_eq!((asked, status), (Asked::Started(worker), 0));
    }

    /// Every start would wait for it again.
    #[test]
    fn a_template_that_does_not_answer_is_not_asked_again() {
        let (listener, name) = listen().unwrap();
        let own = raw::getpid();
        assert_eq!(ask(&name, own, b"", &[], 0), Asked::Gone);
        // It greets, and is heard of no more.
        let server = std::thread::spawn(move || {
            take(listener.0, own);
            take(listener.0, own)
        });
        assert_eq!(ask(&name, own, b"", &[], 0), Asked::Gone);
        assert!(server.join().unwrap().is_some());
    }

    /// A child of the program's has the connection, too, and nobody would ever say that it has ended.
    #[test]
    fn a_worker_whose_program_has_ended_waits_for_nothing() {
        let (program, worker) = pair();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || tell.send(ready(&worker, raw::getpid())));
        let told = told.recv_timeout(std::time::Duration::from_secs(60));
        assert_eq!(told, Ok(false));
        drop(program);
        // It has said so before it ended.
        let (program, worker) = pair();
        send(&program, &[GO]).unwrap();
        assert!(ready(&worker, raw::getpid()));
    }
}
