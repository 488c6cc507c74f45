//! A configuration file that anybody may write is not read, for it can name a command that is executed
//! (`FORKGUARD_EXEC`): of `/etc/forkguard.conf` the defaults hold then, whatever the environment says, and of a file that
//! `FORKGUARD_CONFIG` names nothing holds. One line says so. Fails when a line of such a file has an effect, or a setuid
//! program reads a file that its caller names.

use forkguard_testkit::{Outcome, Root, client};

const WEAK: &str = "!FORKGUARD_POLICY=off\n";

fn child_of(root: Root, mode: u32, variables: &[&str]) -> Outcome {
    let variables: Vec<String> = variables
        .iter()
        .map(|&variable| variable.to_owned())
        .collect();
    let command = ["/usr/local/bin/roads", "dlsym", "child-use"];
    let command: Vec<&str> = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ]
    .into_iter()
    .chain(command)
    .collect();
    root.with_file(&client("roads"), "/usr/local/bin/roads", mode)
        .program_with(&variables, &command)
        .run()
}

#[track_caller]
fn guarded(outcome: &Outcome, line: &str) {
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    outcome.assert_reports("cuDeviceGetCount");
    let said = outcome.stderr.lines().filter(|said| said.contains(line));
    // The programs that start it say so, too, of the file that is for all.
    assert!((1..=3).contains(&said.count()), "{}", outcome.story());
}

#[test]
fn everybodys_file_in_etc() {
    let root = Root::preloaded(WEAK).then("chmod 666 \"$root/etc/forkguard.conf\"");
    guarded(
        &child_of(root, 0o755, &["FORKGUARD_POLICY=warn"]),
        "/etc/forkguard.conf was not read: anybody may write to it (chmod o-w)",
    );
}

#[test]
fn everybodys_file_by_name() {
    let named = Root::preloaded("").with_text("/tmp/own.conf", WEAK);
    let own = &["FORKGUARD_CONFIG=/tmp/own.conf"];
    // The counterpart: where only its owner writes it, it is heard.
    let heard = child_of(named.clone(), 0o755, own);
    heard.assert_stdout(&["child count 3", "child exited 3", "parent count 0"]);
    heard.assert_silent();
    guarded(
        &child_of(named.then("chmod 646 \"$root/tmp/own.conf\""), 0o755, own),
        "/tmp/own.conf was not read: anybody may write to it",
    );
}

#[test]
fn a_setuid_program_reads_no_file_of_its_callers() {
    let named = Root::preloaded("").with_text("/tmp/own.conf", WEAK);
    let outcome = child_of(named, 0o4755, &["FORKGUARD_CONFIG=/tmp/own.conf"]);
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    outcome.assert_reports("cuDeviceGetCount");
}
