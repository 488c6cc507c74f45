//! Events do not follow what another user put in the way: a symbolic link, a file of theirs, a second name of somebody
//! else's file, a pipe of theirs, in a folder that everybody may write to. What root put there is good, and so is what
//! Kubernetes mounts for a container's last words. Fails when an event reaches a file of another user's choice, when a
//! refusal does not say what is wrong, or when a place that is safe is refused. Takes root, to make another user's files.

use forkguard_testkit::tempfile::{TempDir, tempdir};
use forkguard_testkit::{Outcome, Program, client};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The user who runs the program, and another one.
const RUNNER: u32 = 65533;
const OTHER: u32 = 65534;

/// A folder that everybody may write to, as `/tmp` is, with a file in a folder beside it that nobody may write to but
/// the runner.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        // SAFETY: geteuid takes nothing and cannot fail.
        let euid = unsafe { libc::geteuid() };
        assert_eq!(
            euid, 0,
            "this test takes root: run it so, for example in a container"
        );
        let folder = tempdir().expect("a folder");
        let place = Self { folder };
        set_mode(place.folder.path(), 0o755);
        for (name, mode) in [("everybodys", 0o1777), ("private", 0o700)] {
            fs::create_dir(place.path(name)).expect("a folder");
            set_mode(&place.path(name), mode);
        }
        chown(place.path("private"), Some(RUNNER), None).expect("root may");
        place.file("private/precious", RUNNER, 0o600);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, owner: u32, mode: u32) {
        let path = self.path(name);
        fs::write(&path, "").expect("a file");
        chown(&path, Some(owner), None).expect("root may");
        set_mode(&path, mode);
    }

    fn link(&self, name: &str, target: &str, owner: u32) {
        let path = self.path(name);
        symlink(self.path(target), &path).expect("a link");
        lchown(&path, Some(owner), None).expect("root may");
    }

    /// Runs a program that violates, as the runner.
    fn run(&self, report: &str) -> Outcome {
        let program = Program::at("setpriv")
            .args([format!("--reuid={RUNNER}"), format!("--regid={RUNNER}")])
            .arg("--clear-groups")
            .arg(client("roads"))
            .args(["dlsym", "child-use"]);
        let outcome = program.env("FORKGUARD_REPORT", self.path(report)).run();
        outcome.assert_code(0).assert_reports("cuDeviceGetCount");
        outcome
    }

    #[track_caller]
    fn refuses(&self, report: &str, why: &str) {
        let outcome = self.run(report);
        outcome.assert_says(why).assert_says("set FORKGUARD_REPORT");
        let precious = fs::read_to_string(self.path("private/precious")).expect("still there");
        assert_eq!(precious, "", "{}", outcome.story());
    }

    #[track_caller]
    fn takes(&self, report: &str, written: &str) {
        let outcome = self.run(report);
        let events = fs::read_to_string(self.path(written)).expect("it is there");
        assert_eq!(
            events.matches("\"event\":\"violation\"").count(),
            1,
            "{}",
            outcome.story()
        );
        assert!(
            !outcome.stderr.contains("could not be written"),
            "{}",
            outcome.story()
        );
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("root may");
}

#[test]
fn a_link_at_the_end() {
    let place = Place::new();
    place.link("everybodys/events", "private/precious", OTHER);
    place.refuses("everybodys/events", "it is a symbolic link");
}

#[test]
fn a_link_on_the_way() {
    let place = Place::new();
    place.link("everybodys/logs", "private", OTHER);
    place.refuses(
        "everybodys/logs/precious",
        "that another user could have put there",
    );
}

#[test]
fn a_link_behind_a_link() {
    let place = Place::new();
    place.link("everybodys/theirs", "private", OTHER);
    place.link("ours", "everybodys/theirs", 0);
    place.refuses("ours/precious", "that another user could have put there");
}

#[test]
fn a_link_in_a_folder_of_another_user() {
    let place = Place::new();
    fs::create_dir(place.path("theirs")).expect("a folder");
    chown(place.path("theirs"), Some(OTHER), None).expect("root may");
    place.link("theirs/logs", "private", OTHER);
    place.refuses(
        "theirs/logs/precious",
        "that another user could have put there",
    );
}

#[test]
fn links_of_roots_and_of_our_own() {
    let place = Place::new();
    place.link("everybodys/roots", "private", 0);
    place.takes("everybodys/roots/one", "private/one");
    place.link("everybodys/ours", "private", RUNNER);
    place.takes("everybodys/ours/two", "private/two");
    // Where only root can put one, whoever it belongs to.
    place.link("moved", "private", OTHER);
    place.takes("moved/three", "private/three");
}

#[test]
fn a_file_of_another_user() {
    let place = Place::new();
    // Without the kernel's own protection of such files, which not all machines have.
    place.file("everybodys/events", OTHER, 0o666);
    let outcome = place.run("everybodys/events");
    let by_the_kernel = outcome.stderr.contains("permission denied");
    let by_the_guard = outcome.stderr.contains("it belongs to another user");
    assert!(by_the_kernel || by_the_guard, "{}", outcome.story());
    assert_eq!(
        fs::metadata(place.path("everybodys/events"))
            .expect("there")
            .size(),
        0
    );
}

#[test]
fn a_pipe_of_another_user() {
    let place = Place::new();
    let pipe = place.path("everybodys/events");
    let made = Command::new("mkfifo")
        .arg(&pipe)
        .status()
        .expect("mkfifo can be run");
    assert!(made.success());
    chown(&pipe, Some(OTHER), None).expect("root may");
    set_mode(&pipe, 0o666);
    // It has a reader, so that it can be opened.
    let reader = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&pipe)
        .expect("a pipe");
    let outcome = place.run("everybodys/events");
    let by_the_kernel = outcome.stderr.contains("permission denied");
    let by_the_guard = outcome.stderr.contains("it belongs to another user");
    assert!(by_the_kernel || by_the_guard, "{}", outcome.story());
    drop(reader);
}

#[test]
fn a_second_name() {
    let place = Place::new();
    fs::hard_link(
        place.path("private/precious"),
        place.path("everybodys/events"),
    )
    .expect("root may");
    place.refuses("everybodys/events", "it has a second name (a hard link)");
}

#[test]
fn a_file_of_our_own() {
    let place = Place::new();
    place.takes("everybodys/events", "everybodys/events");
    let made = fs::metadata(place.path("everybodys/events")).expect("made");
    assert_eq!((made.uid(), made.mode() & 0o777), (RUNNER, 0o600));
}

#[test]
fn a_container_s_last_words() {
    // As it is mounted there: root's, for everybody to write, in a folder that is root's.
    let place = Place::new();
    place.file("termination-log", 0, 0o666);
    place.takes("termination-log", "termination-log");
}

#[test]
fn links_to_open_files_are_named_for_what_they_are() {
    for path in ["/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"] {
        let program = Program::client("roads").args(["dlsym", "child-use"]);
        let outcome = program.env("FORKGUARD_REPORT", path).run();
        outcome.assert_reports("cuDeviceGetCount");
        outcome.assert_says(&format!(
            "FORKGUARD_REPORT: \"{path}\" names an open file descriptor"
        ));
    }
}
