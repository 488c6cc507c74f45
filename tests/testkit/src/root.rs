//! A Debian of its own: the root directory that `scripts/setup` makes, as a small image or machine would be, entered by
//! chroot in a mount namespace of its own. It cannot be written but for /etc, /usr/local, /opt, /srv, /tmp and /run,
//! which are made anew for each run; nothing of a run is left.

use crate::program::with_own_mounts;
use crate::{Program, driver_dir, library};
use std::env;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Where the guard lies in there, in every recipe.
pub const GUARD: &str = "/usr/local/lib/forkguard/libforkguard.so";

/// Makes what may be written, a /proc and a /dev, and installs the stand-in driver where the loader finds it by itself,
/// so that it takes no variable. `$root` is the directory, `$1` the driver's. Names no program by its path: it runs outside.
const MOUNTS: &str = r#"set -e
unset LD_LIBRARY_PATH
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o mode=755 none "$root/mnt"
cp -a "$root/etc" "$root/mnt/etc"
mkdir -p "$root/mnt/local/bin" "$root/mnt/local/lib" "$root/mnt/opt" "$root/mnt/srv" "$root/mnt/run" "$root/mnt/dev/shm"
mkdir -m 1777 "$root/mnt/tmp"
for node in null zero full random urandom; do
    : >"$root/mnt/dev/$node"
    mount --bind "/dev/$node" "$root/mnt/dev/$node"
done
ln -s /proc/self/fd "$root/mnt/dev/fd"
for folder in etc opt srv run tmp dev; do
    mount --rbind "$root/mnt/$folder" "$root/$folder"
done
mount --bind "$root/mnt/local" "$root/usr/local"
mount --rbind /proc "$root/proc"
cp "$1/libcuda.so.1" "$root/usr/local/lib/"
shift
chroot "$root" ldconfig -X
"#;

/// What the chroot's programs have for an environment, before what the test says.
const ENVIRONMENT: [&str; 4] = [
    "-i",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LC_ALL=C.UTF-8",
];

/// A Debian, and what is done to it before the program is started.
#[derive(Clone, Default)]
#[must_use = "nothing runs in it until it is asked to"]
pub struct Root {
    /// Shell text for [`MOUNTS`]' shell.
    script: String,
}

/// Where the directory is: `FORKGUARD_TEST_ROOT` names it.
/// Panics when it is not there.
fn directory() -> PathBuf {
    let usual = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/root"));
    let path = env::var_os("FORKGUARD_TEST_ROOT").map_or(usual.into(), PathBuf::from);
    assert!(
        path.join("etc").is_dir(),
        "{} is not there: scripts/setup makes it",
        path.display()
    );
    path
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

impl Root {
    /// As it was made, but for the stand-in driver.
    pub fn bare() -> Self {
        Self::default()
    }

    /// With the guard in place and `/etc/ld.so.preload` naming it, and this for `/etc/forkguard.conf`.
    pub fn preloaded(settings: &str) -> Self {
        Self::bare()
            .with_file(&library(), GUARD, 0o644)
            .with_text("/etc/forkguard.conf", settings)
            .with_text("/etc/ld.so.preload", &format!("{GUARD}\n"))
    }

    /// With a copy of this file there.
    pub fn with_file(self, from: &Path, to: &str, mode: u32) -> Self {
        let from = quoted(from.to_str().expect("the tests' paths are text"));
        self.then(&format!(
            "install -D -m {mode:o} {from} \"$root\"{}",
            quoted(to)
        ))
    }

    /// With a file of this text there, which everybody may read.
    pub fn with_text(self, to: &str, text: &str) -> Self {
        self.then(&format!(
            "printf %s {} >\"$root\"{}",
            quoted(text),
            quoted(to)
        ))
    }

    /// Another step: shell text that runs outside, where `$root` is the directory.
    pub fn then(mut self, step: &str) -> Self {
        writeln!(self.script, "{step}").expect("text can be added to");
        self
    }

    /// Another step: shell text that runs in there, with these variables (`NAME=value`).
    pub fn then_inside(self, variables: &[String], script: &str) -> Self {
        let words: Vec<String> = inside(variables, &["/bin/sh", "-ec", script])
            .iter()
            .map(|word| quoted(word))
            .collect();
        self.then(&format!("chroot \"$root\" {}", words.join(" ")))
    }

    /// This command in there, by root, with nothing in the environment but what a shell needs to find programs.
    pub fn program<A: AsRef<str>>(&self, command: &[A]) -> Program {
        self.program_with(&[], command)
    }

    /// The same with these variables (`NAME=value`).
    pub fn program_with<A: AsRef<str>>(&self, variables: &[String], command: &[A]) -> Program {
        let root = directory();
        let root = root.to_str().expect("the tests' paths are text");
        let command: Vec<&str> = command.iter().map(AsRef::as_ref).collect();
        let script = format!(
            "root={}\n{MOUNTS}\n{}exec chroot \"$root\" \"$@\"",
            quoted(root),
            self.script
        );
        with_own_mounts(&script)
            .arg("sh")
            .arg(driver_dir())
            .args(inside(variables, &command))
            .bare()
            .without_driver()
    }
}

/// The command with its environment.
fn inside(variables: &[String], command: &[&str]) -> Vec<String> {
    let environment = ENVIRONMENT.iter().map(|&word| word.to_owned());
    std::iter::once("/usr/bin/env".to_owned())
        .chain(environment)
        .chain(variables.iter().cloned())
        .chain(command.iter().map(|&word| word.to_owned()))
        .collect()
}
