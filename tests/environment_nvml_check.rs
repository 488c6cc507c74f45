//! Under the policies that are for going on after a fork PyTorch is told, by its own variable, to ask NVML whether CUDA is
//! there: asked so, nothing is initialised. The user's own setting stands, and under other policies nothing is set. Fails
//! when a program's environment is changed otherwise.

use forkguard_testkit::Program;

fn seen(policy: &str, own: Option<&str>) -> Vec<String> {
    let mut program = Program::at("/usr/bin/env")
        .policy(policy)
        .env("HOME", "/home/me");
    if let Some(own) = own {
        program = program.env("PYTORCH_NVML_BASED_CUDA_CHECK", own);
    }
    let outcome = program.run();
    outcome.assert_silent();
    assert!(
        outcome.stdout.lines().any(|line| line == "HOME=/home/me"),
        "{}",
        outcome.story()
    );
    let lines = outcome.stdout.lines();
    lines
        .filter_map(|line| line.strip_prefix("PYTORCH_NVML_BASED_CUDA_CHECK="))
        .map(str::to_owned)
        .collect()
}

#[test]
fn set_where_children_are_to_go_on() {
    for policy in ["cpu", "revive", "exec", "exec,abort", "revive,cpu,abort"] {
        assert_eq!(seen(policy, None), ["1"], "{policy}");
    }
}

#[test]
fn not_set_otherwise() {
    for policy in ["", "abort", "warn", "off", "abort,cpu"] {
        assert_eq!(seen(policy, None), Vec::<String>::new(), "{policy}");
    }
}

#[test]
fn the_users_own_stands() {
    for own in ["0", "1", ""] {
        assert_eq!(seen("cpu", Some(own)), [own]);
    }
}
