//! What the user asked for: the `FORKGUARD_*` variables and the configuration file.
//!
//! Read once, by the constructor, into static memory; from then on every hook reads it without
//! a lock. Nothing here allocates. A value that is not understood is an error said once, and
//! the default stands: a mistyped setting must neither stop a program nor disarm the guard.
//!
//! | room | what it is for |
//! |---|---|
//! | `key` | the settings' names |
//! | `policy` | the policies, and chains of them |
//! | `settings` | what holds, and what it means for who asks |
//! | `read` | a file's bytes, or why it is not read |
//! | `file` | a file's text, line by line |
//! | `environment` | the process's variables |
//! | `loader` | which of these may set what, and what is locked |
//! | `value` | what may be written as a setting's value |
//! | [`command`] | a command line taken apart |
//! | [`origin`] | what came of it all, and from where, as it would be written |

pub mod command;
mod environment;
mod file;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
#[cfg(test)]
mod given;
mod key;
mod loader;
pub mod origin;
mod policy;
mod read;
mod settings;
mod shown;
mod value;

use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use environment::Environment;
use file::File;
use key::KEYS;
use loader::{DEFAULT_FILE, Loader, Rank};
use read::{FILE, Unreadable, read};

pub use policy::Policy;
pub use settings::{Config, InPlace, Template};

use crate::report::buffer::Buffer;
use crate::report::sink::{self, Pace};

/// Bytes of one message.
const MESSAGE: usize = 768;

/// Static memory for the configuration and for reading it.
struct Store {
    ready: AtomicBool,
    config: UnsafeCell<Config>,
    file: UnsafeCell<[u8; FILE + 1]>,
}

// SAFETY: `config` and `file` are written by `load` alone, once, before `ready` is set; after
// that they are only read.
unsafe impl Sync for Store {}

static STORE: Store = Store {
    ready: AtomicBool::new(false),
    config: UnsafeCell::new(Config::DEFAULT),
    file: UnsafeCell::new([0; FILE + 1]),
};

/// The defaults. In a cell, for what never changes would stand in the file.
struct Defaults(UnsafeCell<Config>);

// SAFETY: nobody writes it.
unsafe impl Sync for Defaults {}

static DEFAULT: Defaults = Defaults(UnsafeCell::new(Config::DEFAULT));

/// The configuration; the defaults before [`load`].
pub fn get() -> &'static Config {
    if STORE.ready.load(Ordering::Acquire) {
        // SAFETY: `ready` says that `load` is done with it, and nobody writes it again.
        unsafe { &*STORE.config.get() }
    } else {
        // SAFETY: nobody writes it.
        unsafe { &*DEFAULT.0.get() }
    }
}

/// Reads the configuration. Called once, by the constructor, before the program has a thread.
pub fn load() {
    static BEGUN: AtomicBool = AtomicBool::new(false);
    if BEGUN.swap(true, Ordering::Relaxed) {
        return;
    }
    sink::remember_stderr();
    // SAFETY: the swap above lets one caller come here, and `get` gives nobody a reference to
    // these before `ready`.
    let (config, file) = unsafe { (&mut *STORE.config.get(), &mut *STORE.file.get()) };
    let mut say = |message: fmt::Arguments<'_>| {
        let mut room = [0; MESSAGE];
        let mut line = Buffer::new(&mut room);
        line.put(format_args!("forkguard: {message}\n"));
        sink::to_stderr(line.finish_printable(), Pace::GoesOn);
    };
    let mut loader = Loader {
        config,
        rank: [Rank::Default; KEYS.len()],
        say: &mut say,
    };

    // SAFETY: getauxval reads a table that the kernel made.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    let environment = if secure {
        Environment::NONE
    } else {
        Environment::of_this_process()
    };
    let named = environment
        .clone()
        .find_map(|entry| entry.to_bytes_with_nul().strip_prefix(b"FORKGUARD_CONFIG="))
        .filter(|path| path.len() > 1)
        .and_then(|path| CStr::from_bytes_with_nul(path).ok());

    match read(DEFAULT_FILE, file) {
        Ok(text) => {
            let only_locked = named.is_some();
            loader.file(text, DEFAULT_FILE, File::Default { only_locked });
        }
        Err(Unreadable::Errno(libc::ENOENT | libc::ENOTDIR)) => {}
        Err(reason) => loader.unreadable(DEFAULT_FILE, reason, Rank::LockedDefaultFile),
    }
    if let Some(path) = named.filter(|_| !loader.is_locked()) {
        match read(path, file) {
            Ok(text) => {
                // What does not fit is not opened either.
                loader.config.named.set(&[path.to_bytes()]);
                loader.file(text, path, File::Named);
            }
            Err(reason) => loader.unreadable(path, reason, Rank::Default),
        }
    }
    loader.environment(environment);
    loader.finish();
    STORE.ready.store(true, Ordering::Release);
}
