//! Under `exec` a worker has the rights of the fork that it stands for: none that its parent had given up, which an
//! `execve` may give back, none less, and whoever cannot look into a fork's memory cannot look into its. Where that cannot
//! be, the fork stays a fork and the reason is told. And a warm template does nothing for a program that has given rights
//! up since, or for anybody else. Fails when a fresh process is more than the fork was. Takes root, who has rights to give
//! up, and a directory where everybody may read the program.

use forkguard_testkit::{Outcome, Root, script};

fn run(policy: &str, words: &[&str]) -> Outcome {
    let template = if words[0] == "template" { "1" } else { "0" };
    let variables = [
        format!("FORKGUARD_POLICY={policy}"),
        format!("FORKGUARD_TEMPLATE={template}"),
        "FORKGUARD_REPORT=fd:1".to_owned(),
    ];
    let command = ["python3", "-B", "/srv/rights.py"];
    let command: Vec<&str> = command.iter().chain(words).copied().collect();
    Root::preloaded("")
        .with_file(&script("security_rights.py"), "/srv/rights.py", 0o644)
        .program_with(&variables[..if policy == "off" { 2 } else { 3 }], &command)
        .run()
}

/// The program's own line, without the events.
fn said(outcome: &Outcome) -> &str {
    let mut lines = outcome.stdout.lines().filter(|line| !line.starts_with('{'));
    lines
        .next()
        .unwrap_or_else(|| panic!("{}", outcome.story()))
}

/// Made a fresh process, with the fork's rights.
fn fresh(piece: &str) {
    let fork = run("off", &[piece]);
    let outcome = run("exec,warn", &[piece]);
    let expected = said(&fork).replace("init 3", "init 0");
    assert_eq!(said(&outcome), expected, "{}", outcome.story());
    outcome.assert_silent();
}

/// Left a fork, and why.
fn forked(piece: &str, why: &str) {
    let fork = run("off", &[piece]);
    let outcome = run("exec,warn", &[piece]);
    assert_eq!(said(&outcome), said(&fork), "{}", outcome.story());
    outcome.assert_explains(why);
}

#[test]
fn as_they_were() {
    fresh("nothing");
}

#[test]
fn hidden_from_others() {
    fresh("hidden");
}

#[test]
fn another_user_for_good() {
    fresh("user");
}

#[test]
fn capabilities_given_up_for_good() {
    fresh("capabilities_for_good");
}

#[test]
fn capabilities_that_would_come_back() {
    forked(
        "capabilities",
        "its capabilities are not those that a fresh process would have",
    );
}

#[test]
fn capabilities_that_would_be_lost() {
    forked(
        "kept_capabilities",
        "its capabilities are not those that a fresh process would have",
    );
}

#[test]
fn two_users_at_once() {
    forked("effective_user", "the rights of more than one user");
    forked("saved_user", "the rights of more than one user");
}

#[test]
fn a_template_serves_only_what_it_was_made_for() {
    for (piece, answered) in [
        ("nothing", "True"),
        ("user", "False"),
        ("capabilities", "False"),
        ("no_new_rights", "False"),
    ] {
        let outcome = run("exec,warn", &["template", piece]);
        let lines: Vec<&str> = outcome
            .stdout
            .lines()
            .filter(|line| !line.starts_with('{'))
            .collect();
        assert!(
            outcome.stdout.contains("\"way\":\"template\""),
            "{}",
            outcome.story()
        );
        assert_eq!(
            lines,
            ["before True", &format!("after {answered}")],
            "{}",
            outcome.story()
        );
    }
}
