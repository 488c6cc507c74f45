//! The process's variables, and what is to be found among them.
//!
//! `FORKGUARD_TRACE` is no setting but the `forkguard` command's own way to watch a program: the
//! full path of a file that every event goes to, whatever the settings say, with those that only a
//! trace is told (`attempted`, `context`). It decides nothing, so no file can forbid it; under `off`
//! it has the guard watch without a word.

use core::ffi::{CStr, c_char};

use super::key::KEYS;
use super::loader::{Loader, Place, Rank};
use super::settings::PATH;
use super::shown::Shown;

/// The process's variables, as they stand in memory.
#[derive(Clone)]
pub(super) struct Environment(*const *const c_char);

impl Environment {
    /// Without a variable.
    pub(super) const NONE: Self = Self(core::ptr::null());

    pub(super) fn of_this_process() -> Self {
        unsafe extern "C" {
            static environ: *const *const c_char;
        }
        // SAFETY: libc defines it and sets it before any constructor; it is read only.
        Self(unsafe { environ })
    }
}

impl Iterator for Environment {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: the constructor runs before the program has a thread or changes its
        // environment: this is the array that the kernel made, which ends with a null pointer,
        // and we stop there.
        let entry = unsafe { *self.0 };
        if entry.is_null() {
            return None;
        }
        // SAFETY: the null pointer was not reached, so there is a next element.
        self.0 = unsafe { self.0.add(1) };
        // SAFETY: every entry is a NUL-terminated string, which nobody changes while we read.
        Some(unsafe { CStr::from_ptr(entry) })
    }
}

impl Loader<'_> {
    /// Takes the variables.
    pub(super) fn environment<'e>(&mut self, variables: impl Iterator<Item = &'e CStr>) {
        let mut seen = [false; KEYS.len()];
        for variable in variables {
            let variable = variable.to_bytes();
            if variable.starts_with(b"NO_COLOR=") && variable.len() > b"NO_COLOR=".len()
                || variable == b"TERM=dumb"
            {
                self.config.plain = true;
            }
            if !variable.starts_with(b"FORKGUARD_") {
                continue;
            }
            self.config.replaced |= variable.starts_with(b"FORKGUARD_PARENT_PID=");
            self.config.restarted |= variable.starts_with(b"FORKGUARD_RESTARTED=");
            if let Some(path) = variable.strip_prefix(b"FORKGUARD_TRACE=") {
                self.trace(path);
            }
            for (i, (key, name)) in KEYS.into_iter().enumerate() {
                let value = variable
                    .strip_prefix(name.as_bytes())
                    .and_then(|value| value.strip_prefix(b"="));
                // Of a variable that is there twice, getenv gives the first.
                if let Some(value) = value
                    && !seen[i]
                {
                    seen[i] = true;
                    self.set(
                        key,
                        value.trim_ascii(),
                        Rank::Environment,
                        Place::Variable(name),
                    );
                }
            }
        }
    }

    fn trace(&mut self, path: &[u8]) {
        let empty_or_full = path.is_empty() || path.starts_with(b"/");
        if !empty_or_full || !self.config.trace.set(&[path]) {
            self.say(format_args!(
                "FORKGUARD_TRACE: \"{}\" is no full path of at most {} bytes; nothing is traced",
                Shown(path),
                PATH - 1
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::given::environment;
    use crate::config::policy::Policy;

    #[test]
    fn the_first_of_a_repeated_variable_counts() {
        let (config, _) = environment(&[c"FORKGUARD_POLICY=off", c"FORKGUARD_POLICY=warn"]);
        assert_eq!(config.policy.first(), Policy::Off);
    }

    #[test]
    fn colour_is_refused_as_usual() {
        assert!(environment(&[c"NO_COLOR=1"]).0.plain);
        assert!(!environment(&[c"NO_COLOR="]).0.plain);
        assert!(environment(&[c"TERM=dumb"]).0.plain);
    }
}
