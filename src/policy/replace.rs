//! `FORKGUARD_EXEC`: a forked process that uses CUDA becomes another program.
//!
//! What `os.fork()` or a C program's `fork` left in the middle of its work cannot be continued in
//! a fresh process. So the user may name what is to run in its place, at its first use of CUDA:
//! same pid, same descriptors, same environment. Workers whose fork was refused for a reason of
//! their own are left alone, for another program does not do their work.
//!
//! Runs in a forked child that may hold any lock for ever: system calls and mapped memory only.
//! Where it cannot be done, everything is put back as it was, and the chain goes on.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_int};
use core::fmt;
use core::sync::atomic::{AtomicI32, Ordering};

use super::Call;
use super::exec::{self, Replaced, Rewrite};
use crate::config::command::{self, Piece};
use crate::config::{self, InPlace};
use crate::lineage::{self, FORKS_GIVEN, Fork, Moment};
use crate::report::buffer::Buffer;
use crate::report::emit;
use crate::stack::{native, python};
use crate::sys::descriptors::{self, Owner};
use crate::sys::process_lock::ProcessLock;
use crate::sys::program::{Guard, Mapping, NotExecuted, Strings, Variables, environment, own_path};
use crate::sys::raw::{self, checked};
use crate::sys::{command_line, rights, signals, thread};

/// Bytes of the longest path of a command.
const PATH: usize = 4096;

/// Has it while it is tried.
static TRYING: ProcessLock = ProcessLock::new();
/// The process in which it was decided; a child that inherits the number is not that process.
static DECIDED: AtomicI32 = AtomicI32::new(0);

struct Room(UnsafeCell<(Moment, signals::Before)>);

// SAFETY: touched only by the thread that has `TRYING`.
unsafe impl Sync for Room {}

static ROOM: Room = Room(UnsafeCell::new((Moment::EMPTY, signals::Before::EMPTY)));

/// At load: what must be known of the program before it changes it.
pub fn prepare() {
    match config::get().in_place() {
        None => {}
        Some(InPlace::Command(_)) => signals::remember_start(),
        Some(InPlace::Restart) => {
            signals::remember_start();
            command_line::keep();
        }
    }
}

/// At a use of CUDA in a forked process. Returns where this process stays what it is.
pub fn act(call: &Call<'_>) {
    let Some(what) = config::get().in_place() else {
        return;
    };
    let here = thread::current();
    if here.rewriting.get() != 0 {
        return;
    }
    here.rewriting.set(1);
    // Other threads of this process wait until it is decided.
    let trying = TRYING.take();
    if DECIDED.load(Ordering::Relaxed) != raw::getpid() {
        // SAFETY: this thread has the lock.
        let (used, before) = unsafe { &mut *ROOM.0.get() };
        if !exec::has_reason() {
            let refusal = replace(call, what, used, before);
            exec::refuse_here(format_args!("{refusal}"));
            tell(what, used, exec::refusal());
        }
        DECIDED.store(raw::getpid(), Ordering::Relaxed);
    }
    drop(trying);
    here.rewriting.set(0);
}

/// Why another program does not run here.
enum Refusal {
    Twice(&'static str),
    Rights(&'static str),
    NoCommandLine,
    NotFound(&'static str),
    /// Descriptors could not be found out, or not be handed on.
    Descriptors(c_int),
    Failed(&'static str, c_int),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Refusal::Twice(variable) => write!(
                f,
                "this program was itself run by FORKGUARD_EXEC in the place of a forked process \
                 ({variable} is set), and that is done once, lest it never end"
            ),
            Refusal::Rights(why) => {
                write!(
                    f,
                    "FORKGUARD_EXEC runs nothing in the place of this process: {why}"
                )
            }
            Refusal::NoCommandLine => f.write_str(
                "FORKGUARD_EXEC=restart has the program's command line from /proc, and it could \
                 not be read there when the program began",
            ),
            Refusal::NotFound(line) => write!(
                f,
                "the command of FORKGUARD_EXEC ({line}) was not found, or is not executable"
            ),
            Refusal::Descriptors(errno) => write!(
                f,
                "FORKGUARD_EXEC runs nothing in the place of this process, whose descriptors cannot \
                 all be passed on ({})",
                NotExecuted(errno)
            ),
            Refusal::Failed(line, errno) => write!(
                f,
                "what FORKGUARD_EXEC names ({}) could not be executed: {}",
                line,
                NotExecuted(errno)
            ),
        }
    }
}

/// Bytes of a command line that are told.
const TOLD: usize = 200;

/// A command line for a message, which has room for the beginning of a long one. Its arguments may
/// hold what is nobody else's to know, so they are told where a program's are.
fn told(line: &[u8]) -> &str {
    let line = if config::get().report_argv {
        line
    } else {
        command::first_word(line)
    };
    shortened(line)
}

fn shortened(text: &[u8]) -> &str {
    let text = core::str::from_utf8(text).unwrap_or("no text");
    &text[..text.floor_char_boundary(TOLD)]
}

/// Executes what is to run here. Answers why not.
fn replace(
    call: &Call<'_>,
    what: InPlace<'static>,
    used: &mut Moment,
    before: &mut signals::Before,
) -> Refusal {
    used.stack.native_len = 0;
    python::capture(&mut used.stack.python);
    used.stamp(call.name, call.caller);
    if native::is_safe() {
        native::capture(&mut used.stack);
    }
    if config::get().is_restart() {
        return Refusal::Twice("FORKGUARD_RESTARTED");
    }
    if config::get().is_replacement() {
        return Refusal::Twice("FORKGUARD_PARENT_PID");
    }
    if let Some(why) = rights::differ_after_execve() {
        return Refusal::Rights(why);
    }
    match what {
        InPlace::Restart => {
            let Some((path, arguments)) = command_line::kept() else {
                return Refusal::NoCommandLine;
            };
            let name = shortened(path.to_bytes());
            command_line::arguments(arguments).map_or_else(
                |errno| Refusal::Failed(name, errno),
                |all| execute(path, &all, name, call, what, used, before),
            )
        }
        InPlace::Command(line) => {
            let found = words(line).and_then(|words| Ok((words, Mapping::new(PATH)?)));
            let (words, mut room) = match found {
                Ok(found) => found,
                Err(errno) => return Refusal::Failed(told(line), errno),
            };
            let Some(path) = find(&words, &mut room) else {
                return Refusal::NotFound(told(line));
            };
            execute(path, &words, told(line), call, what, used, before)
        }
    }
}

/// The words of the command line.
fn words(line: &[u8]) -> Result<Strings, c_int> {
    let mut count = 0;
    let _ = command::split(line, &mut |piece| count += usize::from(piece == Piece::End));
    // A word and its NUL take no more than what they were made of and what ended it.
    let mut strings = Strings::with_room(count, line.len() + 1)?;
    let mut word = Mapping::new(line.len())?;
    let mut len = 0;
    // Accepted when the configuration was read.
    let _ = command::split(line, &mut |piece| match piece {
        Piece::Byte(byte) => {
            word.bytes_mut()[len] = byte;
            len += 1;
        }
        Piece::End => {
            strings.put(&[&word.bytes()[..len]]);
            len = 0;
        }
    });
    Ok(strings)
}

/// Where the command is: along `PATH`, as a shell looks for it.
fn find<'a>(words: &'a Strings, room: &'a mut Mapping) -> Option<&'a CStr> {
    // SAFETY: the first word, a C string that lives as long as the words.
    let name = unsafe { CStr::from_ptr(words.get(0) as *const c_char) };
    if name.to_bytes().contains(&b'/') {
        return is_executable(name).then_some(name);
    }
    let folders = Variables::find(b"PATH").and_then(crate::sys::program::copied);
    let folders = folders.as_ref().map_or(&b"/bin:/usr/bin"[..], |path| {
        let path = path.bytes();
        &path[..path
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(path.len())]
    });
    let name = name.to_bytes();
    let mut len = None;
    for folder in folders.split(|&byte| byte == b':') {
        // An empty one is the working directory.
        let folder = if folder.is_empty() { b"." } else { folder };
        let end = folder.len() + 1 + name.len();
        let Some(place) = room.bytes_mut().get_mut(..=end) else {
            continue;
        };
        place[..folder.len()].copy_from_slice(folder);
        place[folder.len()] = b'/';
        place[folder.len() + 1..end].copy_from_slice(name);
        place[end] = 0;
        if CStr::from_bytes_with_nul(place).is_ok_and(is_executable) {
            len = Some(end);
            break;
        }
    }
    CStr::from_bytes_with_nul(room.bytes().get(..=len?)?).ok()
}

fn is_executable(path: &CStr) -> bool {
    // SAFETY: `stat` is plain numbers, for which zero is a value.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: a C string, and a place for the answer.
    let asked = unsafe {
        libc::syscall(
            libc::SYS_newfstatat,
            libc::AT_FDCWD,
            path.as_ptr(),
            &raw mut stat,
            0,
        )
    };
    checked(asked).is_ok()
        && stat.st_mode & libc::S_IFMT == libc::S_IFREG
        && stat.st_mode & 0o111 != 0
}

/// Executes it. Answers why not, with everything as it was before.
fn execute(
    path: &CStr,
    arguments: &Strings,
    name: &'static str,
    call: &Call<'_>,
    what: InPlace<'_>,
    used: &Moment,
    before: &mut signals::Before,
) -> Refusal {
    let environment = match variables(call, what) {
        Ok(environment) => environment,
        Err(errno) => return Refusal::Failed(name, errno),
    };
    let descriptors = match Descriptors::hand_over() {
        Ok(descriptors) => descriptors,
        Err(errno) => return Refusal::Descriptors(errno),
    };
    tell(what, used, None);
    before.start_anew();
    // SAFETY: C strings, and arrays of them that end with a null pointer.
    let answer = checked(unsafe {
        libc::syscall(
            libc::SYS_execve,
            path.as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
        )
    });
    before.put_back();
    drop(descriptors);
    Refusal::Failed(name, answer.err().unwrap_or_default())
}

fn variables(call: &Call<'_>, what: InPlace<'_>) -> Result<Strings, c_int> {
    let parent = last_fork().map_or_else(
        // SAFETY: takes nothing and always succeeds.
        || unsafe { libc::getppid() },
        |fork| fork.at.pid,
    );
    let (mut number, mut chain) = ([0; 48], [0; 64]);
    let mut parents = Buffer::new(&mut number);
    parents.put(format_args!("{parent}"));
    let chain_len = exec::chain(&mut chain);
    let guard = Guard {
        library: own_path(),
        policy: &chain[..chain_len],
    };
    let set: [(&CStr, &[u8]); 3] = [
        (c"FORKGUARD_PARENT_PID", parents.since(0).as_bytes()),
        (c"FORKGUARD_FUNCTION", call.name.to_bytes()),
        (c"FORKGUARD_RESTARTED", b"1"),
    ];
    let restarted = usize::from(what == InPlace::Restart);
    environment(&set[..2 + restarted], guard)
}

/// The fork that made this very process, if it was seen.
fn last_fork() -> Option<&'static Fork> {
    let mut found: [Option<&'static Fork>; FORKS_GIVEN] = [None; FORKS_GIVEN];
    let count = lineage::forks(&mut found);
    let last = found[..count].iter().rev().find_map(|fork| *fork);
    last.filter(|fork| fork.child == raw::getpid())
}

/// Tells of it where that is asked for.
fn tell(what: InPlace<'_>, used: &Moment, refusal: Option<&str>) {
    if !emit::tells_of_service() {
        return;
    }
    let rewrite = Rewrite {
        way: "command",
        child: refusal.is_none().then(raw::getpid),
        process: match what {
            InPlace::Restart => "restart",
            InPlace::Command(line) => told(line),
        },
        reason: refusal.unwrap_or_default(),
        suspicious: "",
        payload: 0,
        took_us: 0,
        replaced: Some(Replaced { fork: last_fork() }),
    };
    emit::rewritten(&rewrite, used);
}

/// Descriptors whose flag was changed for the program that is to be executed: it has all that the
/// forked process had, but nothing of the driver's, nor of the guard's. Dropped, they are as they were.
struct Descriptors {
    /// The number of each; inverted, so that it is negative, where the program is not to have it.
    changed: Mapping,
    len: usize,
}

impl Descriptors {
    const NUMBER: usize = size_of::<c_int>();

    fn hand_over() -> Result<Self, c_int> {
        let mut count = 0;
        descriptors::each_open(|_| count += 1)?;
        let mut all = Self {
            changed: Mapping::new((count + 1) * Self::NUMBER)?,
            len: 0,
        };
        let mut refused = None;
        descriptors::each_known(|known| {
            let closes = known.owner != Owner::Program;
            if known.closes == closes || all.len == count {
                return;
            }
            match descriptors::close_on_exec(known.fd, closes) {
                Ok(()) => all.put(if closes { !known.fd } else { known.fd }),
                // Another thread has closed it.
                Err(libc::EBADF) => {}
                Err(errno) => refused = Some(errno),
            }
        })?;
        refused.map_or(Ok(all), Err)
    }

    fn put(&mut self, number: c_int) {
        let at = self.len * Self::NUMBER;
        self.changed.bytes_mut()[at..at + Self::NUMBER].copy_from_slice(&number.to_ne_bytes());
        self.len += 1;
    }
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        let (numbers, _) = self.changed.bytes()[..self.len * Self::NUMBER].as_chunks();
        for &number in numbers {
            let number = c_int::from_ne_bytes(number);
            let (fd, closed) = if number < 0 {
                (!number, false)
            } else {
                (number, true)
            };
            // One that another thread has closed needs nothing.
            let _ = descriptors::close_on_exec(fd, closed);
        }
    }
}
