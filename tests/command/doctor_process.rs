//! `forkguard doctor PID`: whether the guard is in a process that runs, and if not, why.
//!
//! Would fail if a process without the guard were called guarded, if the reason were guessed, or if
//! what cannot be looked at ended the command in any other way than a sentence.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use forkguard_testkit::{Outcome, library};
use snapbox::{assert_data_eq, str};

use crate::doctors::{assert_found, copy_of_library, doctor};
use crate::programs::{folder, put};

/// A process that has begun, and waits; it ends with this.
struct Waiting(Child);

impl Waiting {
    /// The words make it say a line when it is there, and then wait for its standard input.
    fn new(words: &[&OsStr], preload: Option<&Path>) -> Self {
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .env_remove("LD_PRELOAD")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(library) = preload {
            command.env("LD_PRELOAD", library);
        }
        let mut child = command.spawn().expect("the program can be started");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("a pipe");
        BufReader::new(out)
            .read_line(&mut line)
            .expect("it says a line");
        assert_eq!(line, "here\n");
        Self(child)
    }

    fn shell(script: &str, preload: Option<&Path>) -> Self {
        let words = ["sh", "-c", script].map(OsStr::new);
        Self::new(&words, preload)
    }

    fn look(&self) -> Outcome {
        doctor().arg(self.0.id().to_string()).run()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const WAITS: &str = "echo here; read line";

/// A program that says a line and waits, linked as it is said.
fn compiled(folder: &Path, how: &[&str]) -> std::path::PathBuf {
    let source = folder.join("waits.c");
    let text = "#include <unistd.h>\nint main(void) { char c; (void)!write(1, \"here\\n\", 5); return (int)read(0, &c, 1); }\n";
    fs::write(&source, text).unwrap();
    let program = folder.join("waits");
    let made = Command::new("gcc")
        .args(how)
        .arg(source)
        .arg("-o")
        .arg(&program)
        .status();
    assert!(made.is_ok_and(|status| status.success()), "gcc failed");
    program
}

#[test]
fn guarded_with_children() {
    let guarded = Waiting::shell(
        "exec 3<&0; sh -c 'echo here; read line' <&3 & wait",
        Some(&library()),
    );
    let outcome = guarded.look();
    assert_found(&outcome, "guard", "ok", "is in it");
    assert_found(&outcome, "settings", "ok", "policy abort (default)");
    assert_found(&outcome, "forks", "ok", "MADV_WIPEONFORK");
    assert_found(&outcome, "children", "ok", "1, all with the guard");
}

#[test]
fn a_child_without_the_guard() {
    let script = "exec 3<&0; env -u LD_PRELOAD sh -c 'echo here; read line' <&3 & wait";
    let guarded = Waiting::shell(script, Some(&library()));
    let outcome = guarded.look();
    assert_found(&outcome, "guard", "ok", "is in it");
    assert_found(
        &outcome,
        "children",
        "warning",
        "1 of 1 are without the guard",
    );
}

/// A Python program on the stand-in driver, which runs until its input ends.
fn of_cuda(script: &str) -> Waiting {
    let script = format!(
        "import ctypes, os, sys\ndriver = ctypes.CDLL('{}/libcuda.so.1')\n{script}",
        forkguard_testkit::driver_dir().display()
    );
    let words = ["python3", "-c", &script].map(OsStr::new);
    Waiting::new(&words, Some(&library()))
}

#[test]
fn what_it_has_done_with_cuda() {
    let untouched = of_cuda("print('here', flush=True); input()").look();
    assert_found(&untouched, "cuda", "ok", "neither it nor a process");
    assert_found(&untouched, "driver", "ok", "libcuda.so.1 is in it");
    assert_found(&untouched, "forks", "ok", "not in use yet");
    let asked = of_cuda("driver.cuInit(0); print('here', flush=True); input()");
    let outcome = asked.look();
    let place = "to ask: it has no context (cuInit at ";
    assert_found(&outcome, "cuda", "ok", place);
    let clears = "the kernel clears the guard's table in its forked children";
    assert_found(&outcome, "forks", "ok", clears);
    // The child says the line; it is the one child of the process that was started.
    let parent = of_cuda(
        "driver.cuInit(0)\nif os.fork() == 0: print('here', flush=True); input(); os._exit(0)\nos.wait()",
    );
    let pid = parent.0.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let outcome = doctor().arg(children.trim()).run();
    assert_found(&outcome, "cuda", "ok", "it has not used CUDA itself");
    assert_found(
        &outcome,
        "cuda",
        "ok",
        &format!("forked from process {pid}"),
    );
}

#[test]
fn without_the_guard() {
    let outcome = Waiting::shell(WAITS, None).look();
    assert_found(
        &outcome,
        "guard",
        "problem",
        "it was started without the guard",
    );
}

#[test]
fn a_path_that_is_not_there() {
    let path = Path::new("/no/such/libforkguard.so");
    let outcome = Waiting::shell(WAITS, Some(path)).look();
    assert_found(&outcome, "guard", "problem", "which is not there");
}

#[test]
fn statically_linked() {
    let folder = folder();
    let program = compiled(folder.path(), &["-static"]);
    let outcome = Waiting::new(&[program.as_os_str()], Some(&library())).look();
    assert_found(&outcome, "guard", "problem", "is statically linked");
}

#[test]
fn replaced_since() {
    let folder = folder();
    let copy = copy_of_library(folder.path());
    let waiting = Waiting::shell(WAITS, Some(&copy));
    fs::remove_file(&copy).unwrap();
    let outcome = waiting.look();
    assert_found(&outcome, "guard", "warning", "replaced or removed since");
}

#[test]
fn loaded_later() {
    let script = format!(
        "import ctypes; ctypes.CDLL('{}'); print('here', flush=True); input()",
        library().display()
    );
    let words = ["python3", "-c", &script].map(OsStr::new);
    let outcome = Waiting::new(&words, None).look();
    assert_found(&outcome, "guard", "warning", "it was not preloaded");
}

/// Needs root, who alone may make a program another user's and run it as a third.
#[test]
fn with_other_rights_and_of_another_user() {
    let folder = folder();
    let program = compiled(folder.path(), &[]);
    // SAFETY: takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 || chown(&program, Some(1), None).is_err() {
        return;
    }
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    let copy = copy_of_library(folder.path());
    let as_nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"].map(OsStr::new);
    let mut words = vec![OsStr::new("setpriv")];
    words.extend(as_nobody);
    words.push(program.as_os_str());
    let secure = Waiting::new(&words, Some(&copy));
    let outcome = secure.look();
    assert_found(
        &outcome,
        "guard",
        "problem",
        "with other rights than its caller's",
    );

    let command = put(
        folder.path(),
        "forkguard",
        fs::read(snapbox::cmd::cargo_bin!("forkguard")).unwrap(),
    );
    let ended = Command::new("setpriv")
        .args(as_nobody)
        .arg(command)
        .args(["doctor", "--library"])
        .arg(copy)
        .arg(std::process::id().to_string())
        .env_remove("LD_PRELOAD")
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(2));
    assert_data_eq!(
        String::from_utf8_lossy(&ended.stderr).into_owned(),
        str![[r"
forkguard: process [..] cannot be looked at: it is another user's, or runs with other rights; run forkguard doctor as root

"]]
    );
}

#[track_caller]
fn refused(pid: &str, why: &str) {
    let outcome = doctor().arg(pid).run();
    outcome.assert_code(2).assert_says(why);
    assert_eq!(outcome.stdout, "");
}

#[test]
fn what_is_no_process() {
    // Above the kernel's largest pid.
    refused("4194305", "there is no process 4194305");
    refused("0", "invalid value '0' for '[PID]'");
    refused("x", "invalid value 'x' for '[PID]'");
    let mut zombie = Command::new("true").spawn().unwrap();
    let pid = zombie.id();
    // SAFETY: plain numbers, for which zero is a value, and a place for the answer; the child is
    // this process's and stays a zombie.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(
            libc::P_PID,
            pid,
            &raw mut info,
            libc::WEXITED | libc::WNOWAIT,
        );
    }
    refused(&pid.to_string(), "has ended; its parent");
    zombie.wait().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        // SAFETY: takes nothing and cannot fail.
        tell.send(unsafe { libc::gettid() }).unwrap();
        let _ = ended.recv();
    });
    refused(&told.recv().unwrap().to_string(), "is a thread of process");
    drop(end);
    thread.join().unwrap();
    let kernels = fs::read_to_string("/proc/2/comm").is_ok_and(|name| name == "kthreadd\n");
    if kernels {
        refused("2", "2 is a thread of the kernel");
    }
}
