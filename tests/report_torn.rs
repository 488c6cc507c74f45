//! What a full disk took only a part of does not spoil the next event, which begins on a line of its own; and a file that
//! has the largest size that the process may write does not end the process. Fails when an event is glued to the remains
//! of another one, when whole lines get empty ones between them, or when SIGXFSZ reaches the program.

use forkguard_testkit::{Program, client, with_own_mounts};
use serde_json::Value;

/// On a disk that has room for a part of an event; then there is room again.
const FULL_DISK: &str = r#"set -e
mount -t tmpfs -o size=8k none /mnt
head -c 4096 /dev/zero >/mnt/other
set +e
"$0" dlsym child-use
rm /mnt/other
mount -o remount,size=1m /mnt
"$0" dlsym child-use
echo "--- events"
cat /mnt/events
"#;

fn lines_of(output: &str) -> Vec<&str> {
    let (_, events) = output.split_once("--- events\n").expect("they follow");
    events.lines().collect()
}

fn is_event(line: &&str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|event| event["schema"] == 1)
}

#[test]
fn a_disk_that_was_full() {
    let outcome = with_own_mounts(FULL_DISK)
        .arg(client("roads"))
        .env("FORKGUARD_REPORT", "/mnt/events")
        .run();
    let lines = lines_of(&outcome.stdout);
    // One of the first run, perhaps whole, and what is left of one; both of the second run.
    let whole = lines.iter().filter(|line| is_event(line)).count();
    let torn: Vec<_> = lines.iter().filter(|line| !is_event(line)).collect();
    assert!(
        torn.len() == 1 && torn[0].starts_with("{\"schema\":1"),
        "{}",
        outcome.story()
    );
    assert!(
        whole >= 2 && is_event(lines.last().expect("some")),
        "{}",
        outcome.story()
    );
    // What was lost is told by its own words, and the policy acted.
    outcome.assert_says("the disk is full");
    assert_eq!(
        outcome.stdout.matches("child killed by signal 6").count(),
        2
    );
}

#[test]
fn many_at_once_leave_no_empty_lines() {
    let workers = Program::client("roads")
        .args(["dlsym", "workers"])
        .with_events();
    for _ in 0..5 {
        let outcome = workers.run();
        // Each line is an event: `events` fails on an empty one.
        assert_eq!(
            outcome.events_named("violation").len(),
            4,
            "{}",
            outcome.story()
        );
    }
}

#[test]
fn the_largest_size_of_a_file() {
    const LIMITED: &str = r#"ulimit -f 1; "$0" dlsym child-use; echo "ended $?""#;
    let outcome = Program::at("/bin/sh")
        .args(["-c", LIMITED])
        .arg(client("roads"))
        .with_events()
        .run();
    outcome.assert_stdout(&["child killed by signal 6", "parent count 0", "ended 0"]);
    outcome.assert_says("it has reached the largest size allowed");
}
