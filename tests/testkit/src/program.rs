//! Runs one program to its end, or to the end of the test's patience.

use crate::{Outcome, client, clients_dir, driver_dir, library};
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use std::{env, iter, thread};

/// What the tests' own environment may not decide for a program under test.
const OURS: [&str; 3] = ["FORKGUARD_", "FAKE_CUDA_", "LD_"];

/// A program and how it is to be run.
#[derive(Clone)]
#[must_use = "a program does nothing until it is run"]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    preloads: Vec<PathBuf>,
    libraries: Vec<PathBuf>,
    guarded: bool,
    driver: Option<PathBuf>,
    with_events: bool,
    patience: Duration,
}

impl Program {
    /// A client program, guarded, with the stand-in driver in its library path.
    pub fn client(name: &str) -> Self {
        Self::at(client(name))
    }

    /// The client `revive` in this scenario, where there are devices, under `revive`.
    pub fn reviving(scenario: &str) -> Self {
        Self::client("revive")
            .arg(scenario)
            .policy("revive,abort")
            .with_devices("")
    }

    /// Any program, in the same way.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            preloads: Vec::new(),
            libraries: Vec::new(),
            guarded: true,
            driver: Some(driver_dir().into()),
            with_events: false,
            patience: Duration::from_secs(60),
        }
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments.
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// A variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// `FORKGUARD_POLICY`; without it the default stands.
    pub fn policy(self, policy: &str) -> Self {
        self.env("FORKGUARD_POLICY", policy)
    }

    /// Run by another program, which takes it and its arguments as arguments of its own.
    pub fn under(mut self, program: impl Into<PathBuf>) -> Self {
        let path = std::mem::replace(&mut self.path, program.into());
        self.arguments.insert(0, path.into());
        self
    }

    /// On a machine where the stand-in driver has devices: files in a /dev of the program's own.
    /// `before` is shell text that runs as root of that machine, before the program.
    pub fn with_devices(self, before: &str) -> Self {
        let program = self.path.clone();
        let mut with = with_own_mounts(&format!("{DEVICES}\n{before}\nexec \"$@\""))
            .arg("sh")
            .arg(program);
        with.arguments.extend(self.arguments);
        Self {
            path: with.path,
            arguments: with.arguments,
            ..self
        }
        .env("FAKE_CUDA_NODES", "1")
    }

    /// As process 1 of a pid namespace of its own, with a /proc that shows no other processes. What is
    /// left of it ends with it.
    pub fn alone(self) -> Self {
        let mut with = Self::at("unshare")
            .args(rights_of_root())
            .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
            .arg(&self.path);
        with.arguments.extend(self.arguments);
        Self {
            path: with.path,
            arguments: with.arguments,
            ..self
        }
    }

    /// Another library to preload, after the guard.
    pub fn preload(mut self, library: impl Into<PathBuf>) -> Self {
        self.preloads.push(library.into());
        self
    }

    /// Without the guard: the reference that a guarded run is compared with.
    pub fn bare(mut self) -> Self {
        self.guarded = false;
        self
    }

    /// With this directory's libcuda in place of the usual one.
    pub fn driver_in(mut self, directory: impl Into<PathBuf>) -> Self {
        self.driver = Some(directory.into());
        self
    }

    /// Without a libcuda that could be found.
    pub fn without_driver(mut self) -> Self {
        self.driver = None;
        self
    }

    /// Collects JSON events through `FORKGUARD_REPORT`; [`Outcome::events`] gives them.
    pub fn with_events(mut self) -> Self {
        self.with_events = true;
        self
    }

    /// How long it may take before it is killed and the test fails.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs it to its end, that is until it has ended and nobody holds its output open any more.
    pub fn run(&self) -> Outcome {
        let events = self
            .with_events
            .then(|| tempfile::tempdir().expect("a directory for the events"));
        let mut command = self.command(events.as_ref().map(tempfile::TempDir::path));
        let shown = format!("{command:?}");
        let mut running = command
            .spawn()
            .unwrap_or_else(|error| panic!("{shown} cannot be started: {error}"));
        let group = libc::pid_t::try_from(running.id()).expect("a pid fits a pid_t");
        let (tell, told) = mpsc::channel();
        let stdout = follow(
            running.stdout.take().expect("stdout is a pipe"),
            tell.clone(),
        );
        let stderr = follow(
            running.stderr.take().expect("stderr is a pipe"),
            tell.clone(),
        );
        thread::spawn(move || {
            tell.send(Some(
                running
                    .wait()
                    .expect("a child that is ours can be waited for"),
            ))
        });

        let patience = self.patience * slower();
        let until = Instant::now() + patience;
        let mut status: Option<ExitStatus> = None;
        for _ in 0..3 {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(ended) = told.recv_timeout(left) else {
                // SAFETY: kill takes no pointers. The group is the one made above, and it still has a member,
                // because something holds its output open or has not ended.
                unsafe { libc::kill(-group, libc::SIGKILL) };
                panic!(
                    "{shown}\ndid not end within {:?}; killed\n--- stdout\n{}\n--- stderr\n{}",
                    patience,
                    text(&stdout),
                    text(&stderr)
                );
            };
            status = ended.or(status);
        }
        let status = status.expect("three tellers, and one of them tells the status");
        Outcome {
            shown,
            stdout: text(&stdout),
            stderr: text(&stderr),
            status,
            events,
        }
    }

    /// Its file's name and its arguments, for a list of programs.
    pub(crate) fn shown(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        let words = iter::once(name).chain(self.arguments.iter().map(OsString::as_os_str));
        let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
        words.join(" ")
    }

    fn command(&self, events: Option<&Path>) -> Command {
        let mut command = match env::var_os(MEMCHECK) {
            Some(log) if self.guarded => memcheck(log, &self.path),
            _ => Command::new(&self.path),
        };
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A group of its own, so that what it leaves behind can be killed with it.
        command.process_group(0);
        for (name, _) in env::vars_os() {
            let known = name.to_string_lossy();
            if known != SLOWER && OURS.iter().any(|ours| known.starts_with(ours)) {
                command.env_remove(name);
            }
        }
        let libraries = iter::once(clients_dir())
            .chain(self.driver.as_deref())
            .chain(self.libraries.iter().map(PathBuf::as_path));
        command.env(
            "LD_LIBRARY_PATH",
            env::join_paths(libraries).expect("no colon in the build directory"),
        );
        let mut preloads: Vec<PathBuf> = if self.guarded {
            vec![library()]
        } else {
            Vec::new()
        };
        preloads.extend(self.preloads.iter().cloned());
        if !preloads.is_empty() {
            command.env(
                "LD_PRELOAD",
                env::join_paths(preloads).expect("no colon in a library's path"),
            );
        }
        if let Some(directory) = events {
            command.env("FORKGUARD_REPORT", directory.join("events"));
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Set by scripts/check-valgrind: the folder for what valgrind says.
const MEMCHECK: &str = "FORKGUARD_TEST_MEMCHECK";

/// Set by scripts/check-aarch64: how many times as long as elsewhere programs may take. The clients know it, too.
const SLOWER: &str = "FORKGUARD_TEST_SLOWER";

/// How many times as long as usually everything may take, programs and what they measure of themselves.
pub fn slower() -> u32 {
    match env::var(SLOWER) {
        Ok(times) => times
            .parse()
            .unwrap_or_else(|_| panic!("{SLOWER} is a number, not {times}")),
        Err(_) if env::var_os(MEMCHECK).is_some() => 10,
        Err(_) => 1,
    }
}

/// A program under valgrind's memcheck, which follows what it forks and executes and writes a file for each process.
fn memcheck(log: OsString, program: &Path) -> Command {
    let mut of_each = OsString::from("--log-file=");
    of_each.push(log);
    of_each.push("/%p.%n");
    let mut suppressions = OsString::from("--suppressions=");
    suppressions.push(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../scripts/data/valgrind.supp"
    ));
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--trace-children=yes", "--leak-check=no"])
        .args([of_each, suppressions])
        .arg(program);
    command
}

/// Mounts a /dev that has the driver's devices, as ordinary files.
const DEVICES: &str = include_str!("devices.sh");

/// The Python that tests use which need none of its packages.
pub fn interpreter() -> OsString {
    env::var_os("FORKGUARD_TEST_PYTHON").unwrap_or_else(|| "python3".into())
}

/// A Python client, by the interpreter that `FORKGUARD_TEST_PYTHON` names, else `python3`.
pub fn python(script: &str) -> Program {
    Program::at(interpreter())
        .arg("-B")
        .arg(crate::script(script))
}

/// A Python client, by the interpreter that has the packages which `scripts/setup` installs: `FORKGUARD_TEST_PACKAGES`
/// names it.
/// Panics when it is not there.
pub fn python_with_packages(script: &str) -> Program {
    let usual = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../target/python/bin/python"
    ));
    let path = env::var_os("FORKGUARD_TEST_PACKAGES").map_or(usual.into(), PathBuf::from);
    assert!(
        path.exists(),
        "{} is not there: scripts/setup makes it",
        path.display()
    );
    Program::at(path).arg("-B").arg(crate::script(script))
}

/// A Python client, by the system's interpreter and Debian's PyTorch for it, which `scripts/setup` unpacks:
/// `FORKGUARD_TEST_TORCH` names the folder.
/// Panics when it is not there.
pub fn python_with_torch(script: &str) -> Program {
    let usual = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/torch"));
    let folder = env::var_os("FORKGUARD_TEST_TORCH").map_or(usual.into(), PathBuf::from);
    let packages = folder.join("usr/lib/python3/dist-packages");
    assert!(
        packages.join("torch").exists(),
        "PyTorch is not in {}: scripts/setup puts it there",
        folder.display()
    );
    let mut program = Program::at("/usr/bin/python3")
        .arg("-B")
        .arg(crate::script(script))
        .env("PYTHONPATH", packages);
    let libraries = folder.join("usr/lib");
    let native = libraries.join(format!("{}-linux-gnu", env::consts::ARCH));
    // What Debian chooses among when it installs them.
    let chosen = ["blas", "lapack"].map(|name| native.join(name));
    program.libraries.extend([libraries, native]);
    program.libraries.extend(chosen);
    program
}

/// A shell's script in a mount namespace of its own, in which it may mount what it likes over what it likes.
pub fn with_own_mounts(script: &str) -> Program {
    Program::at("unshare")
        .args(rights_of_root())
        .args(["--mount", "sh", "-c", script])
}

/// What `unshare` is told to be allowed to do what root may: who is not root is, in a user namespace.
fn rights_of_root() -> &'static [&'static str] {
    // SAFETY: geteuid takes nothing and cannot fail.
    let is_root = unsafe { libc::geteuid() } == 0;
    if is_root { &[] } else { &["--map-root-user"] }
}

/// The program that takes a shared libpython in, when it is to call `cuInit`, and the script that Python runs there.
/// The library is that of `FORKGUARD_TEST_PYTHON`, else of `python3`. Panics where that has none.
pub fn embedded_python(when: &str, script: &str) -> Program {
    let interpreter = interpreter();
    let answer = Command::new(&interpreter)
        .args(["-c", WHERE_LIBPYTHON_IS])
        .output()
        .expect("Python can be run");
    let answer = String::from_utf8(answer.stdout).expect("paths are text");
    let (library, home) = answer.trim_end().split_once('\n').expect("two lines");
    assert!(
        !library.is_empty(),
        "{} has no libpython: name a Python that has one in FORKGUARD_TEST_PYTHON",
        interpreter.display()
    );
    Program::client("pystack_embed")
        .args([library, when, script])
        .env("PYTHONHOME", home)
}

/// Prints the path of the interpreter's shared library, and where its modules are.
const WHERE_LIBPYTHON_IS: &str = "
import glob, os, sys, sysconfig
names = [os.path.join(sysconfig.get_config_var(folder) or '', sysconfig.get_config_var('INSTSONAME') or '')
         for folder in ('LIBDIR', 'LIBPL')]
names += glob.glob('/usr/lib/*/libpython%d.%d.so.1.0' % sys.version_info[:2])
print(next((name for name in names if name.find('.so') > 0 and os.path.isfile(name)), ''))
print(sys.base_prefix)
";

type Collected = Arc<Mutex<Vec<u8>>>;

/// Collects a pipe in a thread of its own and tells when it has ended.
fn follow(
    mut pipe: impl Read + Send + 'static,
    tell: mpsc::Sender<Option<ExitStatus>>,
) -> Collected {
    let collected = Collected::default();
    let place = Arc::clone(&collected);
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(got @ 1..) = pipe.read(&mut buffer) {
            place
                .lock()
                .expect("nobody panics with it")
                .extend_from_slice(&buffer[..got]);
        }
        tell.send(None)
    });
    collected
}

fn text(collected: &Collected) -> String {
    String::from_utf8_lossy(&collected.lock().expect("nobody panics with it")).into_owned()
}
