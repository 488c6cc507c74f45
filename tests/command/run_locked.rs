//! What a configuration file locks is told to whoever asks `forkguard run` for something else.
//!
//! Would fail if the option were ignored in silence, or if what holds anyway were complained of.

use forkguard_testkit::Outcome;
use forkguard_testkit::with_own_mounts;
use snapbox::cmd::cargo_bin;
use snapbox::{assert_data_eq, str};

/// `forkguard run ARGUMENTS -- true` on a machine with this `/etc/forkguard.conf`.
fn run(file: &str, arguments: &str) -> Outcome {
    let command = cargo_bin!("forkguard").display().to_string();
    let library = forkguard_testkit::library().display().to_string();
    with_own_mounts(&format!(
        "set -e\n\
         cp -a /etc /tmp/etc.$$ 2>/dev/null || true\n\
         mount --bind /tmp/etc.$$ /etc\n\
         printf '{file}' >/etc/forkguard.conf\n\
         set +e\n\
         '{command}' run --library '{library}' {arguments} -- true\n\
         code=$?\n\
         umount /etc; rm -rf /tmp/etc.$$; exit $code"
    ))
    .bare()
    .run()
}

#[test]
fn a_locked_line_is_named() {
    let file = "# ours\\n\\n!FORKGUARD_POLICY=abort\\n!FORKGUARD_REPORT=\\n";
    let outcome = run(file, "--policy exec,abort --report fd:1");
    outcome.assert_code(0);
    assert_data_eq!(
        outcome.stderr,
        str![[r"
forkguard: --policy does not hold: FORKGUARD_POLICY is set to abort by /etc/forkguard.conf:3 and cannot be overridden
forkguard: --report does not hold: FORKGUARD_REPORT is set to nothing by /etc/forkguard.conf:4 and cannot be overridden

"]]
    );
}

#[test]
fn what_holds_is_not_complained_of() {
    let long = format!("/tmp/{}events", "long/".repeat(50));
    let (locked, report) = (
        format!("!FORKGUARD_REPORT={long}\\n"),
        format!("--report {long}"),
    );
    for (file, arguments) in [
        (&*locked, &*report),
        ("FORKGUARD_POLICY=abort\\n", "--policy warn"),
        ("!FORKGUARD_POLICY=exec,abort\\n", "--policy exec,abort -vv"),
        ("!FORKGUARD_POLICY=exec,abort\\n", ""),
    ] {
        run(file, arguments).assert_silent();
    }
}
