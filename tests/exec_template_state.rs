//! A copy of the warm template has what a forked worker would have: the pieces of `exec_state.rs`, with
//! `FORKGUARD_TEMPLATE=1`. Fails when the template adds something of its own or lacks something, or when a worker is
//! executed after all.

use forkguard_testkit::{exec_state_pieces, python_with_packages};

fn same_as_copied(piece: &str) {
    let program = python_with_packages("exec_state.py").arg(piece);
    let forked = program.clone().bare().run();
    let fresh = program
        .policy("exec,abort")
        .env("FORKGUARD_TEMPLATE", "1")
        .with_events()
        .run();
    fresh.assert_silent();
    for event in fresh.events() {
        assert!(
            event["event"] != "rewritten" || event["way"] == "template",
            "{}",
            fresh.story()
        );
    }
    let line = |text: &str| text.trim_end().strip_suffix("init 0").map(str::to_owned);
    assert!(forked.stdout.ends_with("init 3\n"), "{}", forked.story());
    assert_eq!(
        line(&fresh.stdout).as_deref(),
        forked.stdout.trim_end().strip_suffix("init 3"),
        "{}\n--- forked\n{}",
        fresh.story(),
        forked.story()
    );
}

exec_state_pieces!(same_as_copied);
