//! `forkguard doctor` names each setting that is in force, where it was set, what is wrong with it,
//! and who else may change it.
//!
//! Would fail if a mistyped setting, or a configuration that anybody may write, went by unnoticed.

use forkguard_testkit::Program;

use crate::doctors::{about, assert_found, doctor, doctor_after};
use crate::programs::folder;

#[test]
fn where_each_was_set() {
    let folder = folder();
    let file = folder.path().join("my.conf");
    std::fs::write(&file, "FORKGUARD_VERBOSE=0\n!FORKGUARD_EXIT_CODE=86\n").unwrap();
    let outcome = doctor()
        .env("FORKGUARD_CONFIG", &file)
        .env("FORKGUARD_POLICY", "exec,abort")
        .run();
    let file = file.display();
    assert_eq!(
        about(&outcome, "settings"),
        [format!(
            "ok: policy is exec,abort (environment); verbose is 0 ({file}:1); exit_code is 86 \
             ({file}:2, locked)"
        )]
    );
    outcome.assert_code(0);
}

#[test]
fn what_is_wrong_with_them() {
    let outcome = doctor()
        .env("FORKGUARD_POLICY", "abrot")
        .env("FORKGUARD_POLCY", "exec")
        .env("FORKGUARD_REPORT", "/no/such/folder/events")
        .run();
    assert_found(
        &outcome,
        "settings",
        "problem",
        "there is no policy \"abrot\"",
    );
    assert_found(&outcome, "settings", "warning", "FORKGUARD_POLCY is set");
    assert_found(&outcome, "report", "problem", "cannot be written to");
}

/// Who may write it is of no interest.
#[test]
fn a_configuration_file_that_is_a_folder() {
    let folder = folder();
    let outcome = doctor().env("FORKGUARD_CONFIG", folder.path()).run();
    assert_found(&outcome, "settings", "problem", "it is not a regular file");
    assert_eq!(about(&outcome, "config"), [""; 0]);
}

#[test]
fn where_events_go() {
    let folder = folder();
    let file = folder.path().join("events");
    let outcome = doctor().env("FORKGUARD_REPORT", &file).run();
    assert_found(&outcome, "report", "ok", "events are written to");
    assert!(!file.exists(), "it was made");
    let text = format!("text:{}", file.display());
    let outcome = doctor().env("FORKGUARD_REPORT", &text).run();
    assert_found(&outcome, "report", "ok", "the report's text is written to");
    assert!(!file.exists(), "it was made");
    let outcome = doctor().env("FORKGUARD_REPORT", "fd:77").run();
    assert_found(&outcome, "report", "warning", "descriptor 77");
}

#[test]
fn where_no_events_go() {
    let folder = folder();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("events", &link).unwrap();
    // It is looked at where it is, however long its path.
    let long = folder.path().join("long/".repeat(50));
    std::fs::create_dir_all(&long).unwrap();
    for (path, why) in [
        (folder.path(), "a folder"),
        (&link, "a symbolic link"),
        (&long, "a folder"),
    ] {
        let outcome = doctor().env("FORKGUARD_REPORT", path).run();
        assert_found(&outcome, "report", "problem", why);
        outcome.assert_code(1);
    }
    let outcome = doctor_after(
        "mount -t tmpfs -o mode=1777 none /mnt && touch /mnt/events && chown 65534 /mnt/events ||
         exit 9
         FORKGUARD_REPORT=/mnt/events $doctor",
    )
    .run();
    // In a namespace of one user the file can be given to nobody.
    if outcome.code() != Some(9) {
        assert_found(&outcome, "report", "problem", "a file of user 65534's");
    }
}

#[test]
fn a_command_that_is_not_there() {
    for (command, count) in [("no-such-command -x", 1), ("true -x", 0), ("restart", 0)] {
        let outcome = doctor()
            .env("FORKGUARD_POLICY", "exec,abort")
            .env("FORKGUARD_EXEC", command)
            .run();
        let found = about(&outcome, "settings");
        let missing = found
            .iter()
            .filter(|line| line.starts_with("warning: no-such-command, which FORKGUARD_EXEC"));
        assert_eq!(missing.count(), count, "{found:?}");
    }
}

fn with_configuration(commands: &str) -> Program {
    doctor_after(&format!(
        "cp -a /etc /tmp/etc.$$ && mount --bind /tmp/etc.$$ /etc\n\
         echo FORKGUARD_VERBOSE=1 >/etc/forkguard.conf\n\
         {commands}\n\
         $doctor; code=$?; umount /etc; rm -rf /tmp/etc.$$; exit $code"
    ))
}

#[test]
fn who_may_change_the_configuration() {
    for (commands, level, text) in [
        (
            "chmod 644 /etc/forkguard.conf",
            "ok",
            "only its owner may write",
        ),
        (
            "chmod 666 /etc/forkguard.conf",
            "problem",
            "everybody may write",
        ),
        (
            "chown 65534 /etc/forkguard.conf || exit 9",
            "problem",
            "belongs to user 65534",
        ),
        (
            "chgrp 65534 /etc/forkguard.conf || exit 9; chmod 664 /etc/forkguard.conf",
            "warning",
            "group 65534 may write",
        ),
    ] {
        let outcome = with_configuration(commands).run();
        // In a namespace of one user the file can be given to nobody.
        if outcome.code() != Some(9) {
            assert_found(&outcome, "config", level, text);
        }
    }
}
