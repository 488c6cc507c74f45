//! Processes that died of one cause are told once, and other causes apart.
//!
//! Would fail if 500 workers filled the screen, if a cause hid behind another one, or if what is
//! urgent stood below what is not.

use serde_json::Value;

use crate::recorded::{Recorded, roads};

#[test]
fn four_workers_are_one_cause() {
    let text = Recorded::of([roads("workers")]).explained();
    assert!(
        text.contains("; 4 processes aborted (policy abort)"),
        "{text}"
    );
    assert_eq!(text.matches("● used").count(), 1, "{text}");
}

#[test]
fn five_hundred_workers_are_one_cause() {
    // The guard itself writes no more than so many events a second: one that it wrote, as it would
    // have been written by 500 workers.
    let real = Recorded::of([roads("child-use")]).line("violation");
    let event: Value = serde_json::from_str(&real).expect("an event");
    let lines: Vec<String> = (0..500)
        .map(|worker| {
            let mut event = event.clone();
            let pid = Value::from(10_000 + worker);
            let time = format!("2026-01-02T14:03:{:02}.{:03}Z", 2 + worker / 70, worker);
            for name in ["pid", "time"] {
                let value = if name == "pid" {
                    pid.clone()
                } else {
                    time.clone().into()
                };
                event[name] = value.clone();
                event["used"][name] = value;
            }
            event["forked"]["child"] = pid;
            event["forked"]["time"] = time.into();
            event.to_string()
        })
        .collect();
    let text = Recorded::with(lines.join("\n")).explained();
    assert!(
        text.starts_with("events.jsonl: 500 events, 1 cause; 2026-01-02 14:03:02–14:03:09 UTC"),
        "{text}"
    );
    assert!(text.contains("; 500 processes aborted"), "{text}");
    assert!(text.contains("pids 10000, 10001, "), "{text}");
    assert!(text.contains(" and 490 more"), "{text}");
    assert!(text.lines().count() < 60, "{text}");
}

#[test]
fn causes_are_told_apart_and_what_failed_comes_first() {
    let recorded = Recorded::of([
        roads("child-use").policy("cpu"),
        roads("child-use").policy("warn"),
        roads("child-alloc"),
        roads("workers"),
    ]);
    let text = recorded.explained();
    let heads: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with(|start: char| start.is_ascii_digit()))
        .collect();
    assert_eq!(
        heads,
        [
            "1  CUDA used in a forked process; 4 processes aborted (policy abort)",
            "2  CUDA used in a forked process; 1 process went on, and the call failed (policy warn)",
            "3  CUDA used in a forked process; 1 process aborted (policy abort)",
            "4  1 forked process goes on without CUDA (policy cpu)",
        ],
        "{text}"
    );
}
