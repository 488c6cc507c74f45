//! Starts a fresh process of this program in the place of a fork.
//!
//! It is a spawn ([`crate::sys::spawn`]), so it costs the same however large the parent is, and
//! is given what a fork would have: every descriptor under its number, those that close on exec
//! too, and none of the driver's.

use core::ffi::{CStr, c_int};
use core::fmt;
use core::sync::atomic::AtomicU8;

use super::{NAME, fresh, is_registered, payload};
use crate::policy::exec;
use crate::report::buffer::Buffer;
use crate::sys::descriptors::{self, Owner};
use crate::sys::program::{Guard, Mapping, NotExecuted, Strings, environment, own_path};
use crate::sys::spawn::Program;
use crate::sys::{command_line, rights};

/// Bytes of the data, at most: it is to say what to do, not to be what it is done with.
const DATA: usize = 1 << 30;
/// Digits that stand in the environment for the child's pid, until it knows it.
const DIGITS: &str = "0000000000";

/// Why the fork stays a fork.
pub enum Refusal {
    /// Not a name.
    Name,
    /// Nobody registered it.
    Unknown,
    /// Too much data.
    TooLarge(usize),
    /// It would have other rights.
    Rights(&'static str),
    /// Without `/proc`.
    NoCommandLine,
    /// Without `/proc`, later, or in a sandbox.
    NoDescriptors(c_int),
    /// The payload could not be written.
    NotWritten(c_int),
    /// The child could not be made, or could not execute the program.
    NotStarted(c_int),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Refusal::Name => write!(
                f,
                "the name that forkguard_exec_next was given is empty or longer than {NAME} bytes"
            ),
            Refusal::Unknown => f.write_str(
                "no entry of the name that forkguard_exec_next was given is registered: call \
                 forkguard_on_exec at the beginning of main",
            ),
            Refusal::TooLarge(len) => write!(
                f,
                "the data for its entry has {len} bytes, and {DATA} can be passed: put what is \
                 large into a file or shared memory"
            ),
            Refusal::Rights(why) => write!(f, "the program is not started again: {why}"),
            Refusal::NoCommandLine => f.write_str(
                "the program's command line is had from /proc, and it could not be read there",
            ),
            Refusal::NoDescriptors(errno) => write!(
                f,
                "which descriptors the program has could not be found out ({})",
                NotExecuted(errno)
            ),
            Refusal::NotWritten(libc::EFAULT) => {
                f.write_str("the data for its entry is not where forkguard_exec_next was told")
            }
            Refusal::NotWritten(libc::EFBIG) => {
                f.write_str("the data for its entry is larger than files may be here (ulimit -f)")
            }
            Refusal::NotWritten(errno) => write!(
                f,
                "the data for its entry could not be passed on: {}",
                NotExecuted(errno)
            ),
            Refusal::NotStarted(errno) => write!(
                f,
                "the program could not be started again: {}",
                NotExecuted(errno)
            ),
        }
    }
}

/// Starts one that runs the entry of this name with `len` bytes at `data`. Answers its pid.
pub fn launch(name: &CStr, data: usize, len: usize) -> Result<i32, Refusal> {
    if name.is_empty() || name.count_bytes() > NAME {
        return Err(Refusal::Name);
    }
    // In a fresh process, what `main` registers after its entry is not known, and yet there.
    if !is_registered(name) && !fresh::is_one() {
        return Err(Refusal::Unknown);
    }
    if len > DATA {
        return Err(Refusal::TooLarge(len));
    }
    let (path, arguments) = command_line::kept().ok_or(Refusal::NoCommandLine)?;
    let arguments = command_line::arguments(arguments).map_err(Refusal::NotStarted)?;
    let mut open = Open::list().map_err(Refusal::NoDescriptors)?;
    if let Some(why) = rights::differ_after_execve() {
        return Err(Refusal::Rights(why));
    }
    let payload = payload::write(name, open.closing(), data, len).map_err(Refusal::NotWritten)?;
    open.keep(payload.fd);
    let environment = variables(&payload).map_err(Refusal::NotStarted)?;
    let (value, end) = environment
        .value_of(fresh::VARIABLE)
        .ok_or(Refusal::NotStarted(libc::EFAULT))?;
    let digits = value + end - DIGITS.len();
    // SAFETY: the last bytes of a string in memory of `environment`'s own, which is there as long.
    let pid = unsafe { core::slice::from_raw_parts(digits as *const AtomicU8, DIGITS.len()) };
    exec::execute(&Program {
        file: path,
        arguments: arguments.pointers(),
        environment: environment.as_ptr(),
        kept: open.kept(),
        told: payload.fd,
        closed: open.drivers(),
        blocked: None,
        pid,
    })
    .map_err(Refusal::NotStarted)
}

fn variables(payload: &payload::Payload) -> Result<Strings, c_int> {
    let (mut value, mut chain) = ([0; 96], [0; 64]);
    let mut given = Buffer::new(&mut value);
    given.put(format_args!("{}:{}:{DIGITS}", payload.fd, payload.inode));
    let chain_len = exec::chain(&mut chain);
    let guard = Guard {
        library: own_path(),
        policy: &chain[..chain_len],
    };
    let set: [(&CStr, &[u8]); 2] = [
        (fresh::VARIABLE, given.since(0).as_bytes()),
        (rights::HIDDEN, b"1"),
    ];
    environment(&set[..=usize::from(rights::is_hidden())], guard)
}

/// The descriptors that matter: those that close on exec, which the program is to have all the
/// same, and the driver's, which it must not have.
struct Open {
    /// The driver's, those that close, and one more that is to be kept.
    numbers: Mapping,
    drivers: usize,
    closing: usize,
    more: usize,
}

impl Open {
    fn list() -> Result<Self, c_int> {
        let mut count = 0;
        descriptors::each_open(|_| count += 1)?;
        let mut open = Self {
            numbers: Mapping::new((count + 1) * size_of::<c_int>())?,
            drivers: 0,
            closing: 0,
            more: 0,
        };
        // What another thread opens meanwhile may find no room.
        descriptors::each_known(|known| {
            if known.owner == Owner::Driver && open.drivers < count {
                let place = open.drivers;
                open.put(place, known.fd);
                open.drivers += 1;
            }
        })?;
        descriptors::each_known(|known| {
            let place = open.drivers + open.closing;
            if known.owner == Owner::Program && known.closes && place < count {
                open.put(place, known.fd);
                open.closing += 1;
            }
        })?;
        Ok(open)
    }

    fn keep(&mut self, fd: c_int) {
        let place = self.drivers + self.closing;
        self.put(place, fd);
        self.more = 1;
    }

    fn put(&mut self, place: usize, fd: c_int) {
        let at = place * size_of::<c_int>();
        let place = &mut self.numbers.bytes_mut()[at..at + size_of::<c_int>()];
        place.copy_from_slice(&fd.to_ne_bytes());
    }

    fn numbers(&self) -> &[c_int] {
        // SAFETY: page-aligned, and any bytes are numbers.
        unsafe { self.numbers.bytes().align_to().1 }
    }

    fn drivers(&self) -> &[c_int] {
        &self.numbers()[..self.drivers]
    }

    fn closing(&self) -> &[c_int] {
        &self.numbers()[self.drivers..self.drivers + self.closing]
    }

    fn kept(&self) -> &[c_int] {
        &self.numbers()[self.drivers..self.drivers + self.closing + self.more]
    }
}
