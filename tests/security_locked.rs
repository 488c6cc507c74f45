//! What `/etc/forkguard.conf` locks, no environment opens: not by a variable, not by another file that it names, not by a
//! second copy of the library. A locked policy takes with it what would weaken it, `!*` takes everything, and a mistake in
//! the file locks more and not less. Fails when a program that is held to a policy finds a way around it in what whoever
//! starts it may set.

use forkguard_testkit::tempfile::tempdir;
use forkguard_testkit::{Outcome, client, library, with_own_mounts};
use std::fs;

/// The client in a place of its own where `/etc` has nothing but what `$FILE` makes there.
const RUN: &str = r#"set -e
mount -t tmpfs none /etc
eval "$FILE"
printf '%s\n' "$OTHER" >/etc/other.conf
unset FILE OTHER
exec "$0" dlsym child-use
"#;

/// Runs it with this as the file, or with what shell text makes in its place.
fn run(file: &str, other: &str, environment: &[(&str, &str)]) -> Outcome {
    let program = with_own_mounts(RUN).arg(client("roads"));
    let file = match file.strip_prefix('@') {
        Some(text) => text.to_owned(),
        None => format!("printf '%s\\n' '{file}' >/etc/forkguard.conf"),
    };
    let program = program.env("FILE", file);
    let program = program.env("OTHER", other);
    environment
        .iter()
        .fold(program, |program, (name, value)| program.env(name, value))
        .run()
}

const OTHER_FILE: (&str, &str) = ("FORKGUARD_CONFIG", "/etc/other.conf");

fn is_stopped(outcome: &Outcome) {
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    outcome.assert_reports("cuDeviceGetCount");
}

#[test]
fn a_locked_policy() {
    let locked = "!FORKGUARD_POLICY=abort";
    // The counterpart: without the lock each of these has an effect.
    let off: &[_] = &[("FORKGUARD_POLICY", "off")];
    run("FORKGUARD_POLICY=abort", "", off).assert_stdout(&[
        "child count 3",
        "child exited 3",
        "parent count 0",
    ]);
    is_stopped(&run(locked, "", off));
    is_stopped(&run(
        locked,
        "",
        &[("FORKGUARD_IGNORE", "cuDeviceGetCount")],
    ));
    is_stopped(&run(locked, "!FORKGUARD_POLICY=off", &[OTHER_FILE]));
    is_stopped(&run(
        locked,
        "!FORKGUARD_IGNORE=cuDeviceGetCount",
        &[OTHER_FILE],
    ));
    is_stopped(&run(
        "!*",
        "!*\n!FORKGUARD_POLICY=off",
        &[OTHER_FILE, off[0]],
    ));
}

#[test]
fn a_command_that_is_forbidden() {
    let chain = ("FORKGUARD_POLICY", "exec,abort");
    let command = ("FORKGUARD_EXEC", "/bin/echo never");
    let locked = "!FORKGUARD_EXEC=";
    let runs = |outcome: &Outcome| outcome.stdout.contains("never");

    assert!(runs(&run("# nothing is forbidden", "", &[chain, command])));
    let folder = tempdir().expect("a folder");
    let copy = folder.path().join("libcopy.so");
    fs::copy(library(), &copy).expect("a copy");
    let twice = format!("{}:{}", copy.display(), library().display());
    for (other, environment) in [
        ("", &[chain, command][..]),
        ("!FORKGUARD_EXEC=/bin/echo never", &[chain, OTHER_FILE]),
        (
            "!*\nFORKGUARD_EXEC=/bin/echo never",
            &[chain, command, OTHER_FILE],
        ),
        ("", &[chain, command, ("LD_PRELOAD", &twice)]),
    ] {
        let outcome = run(locked, other, environment);
        assert!(!runs(&outcome), "{}", outcome.story());
        is_stopped(&outcome);
    }
    // A locked policy forbids it as well, unless the file has one.
    let outcome = run("!FORKGUARD_POLICY=exec,abort", "", &[command]);
    assert!(!runs(&outcome), "{}", outcome.story());
    let both = "!FORKGUARD_POLICY=exec,abort\nFORKGUARD_EXEC=/bin/echo never";
    assert!(runs(&run(both, "", &[])));
}

#[test]
fn a_file_with_a_mistake() {
    let off = [("FORKGUARD_POLICY", "off")];
    for (file, why) in [
        (
            "!FORKGUARD_POLICY=abrot",
            "/etc/forkguard.conf:1: there is no policy \"abrot\"",
        ),
        ("# held\n!FORKGUARD_POLICY abort", "/etc/forkguard.conf:2: "),
        ("@mkdir /etc/forkguard.conf", "it is not a regular file"),
        ("@mkfifo /etc/forkguard.conf", "it is not a regular file"),
        (
            "@head -c 20000 /dev/zero >/etc/forkguard.conf",
            "it is longer than 16384 bytes",
        ),
        (
            "@ln -s forkguard.conf /etc/forkguard.conf",
            "/etc/forkguard.conf was not read",
        ),
    ] {
        let outcome = run(file, "", &off);
        is_stopped(&outcome);
        outcome.assert_says(why);
    }
}
