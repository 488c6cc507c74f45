//! PyTorch itself: a training loop whose `DataLoader` forks its workers after CUDA was initialised. Fails when the report
//! does not name the `Dataset`'s line or the `DataLoader`'s own switch, when `exec`, `cpu` or `revive` do not serve a
//! `Dataset` that uses CUDA, or when a word is said, or the training differs, where it does not. PyTorch is Debian's,
//! which computes on the CPU; `scripts/setup` installs it.

use forkguard_testkit::{Outcome, Program, python_with_torch};
use std::time::Duration;

fn training(dataset: &str, workers: u8) -> Program {
    python_with_torch("server_dataloader.py")
        .args([dataset, &workers.to_string()])
        .patience(Duration::from_secs(180))
}

/// What `cuInit` answered in the workers; the training is the same in all ways.
#[track_caller]
fn assert_trained(outcome: &Outcome, answered: i32) {
    let said = format!("cuInit [{answered}] loss 0.0860");
    outcome.assert_silent().assert_stdout(&[&said]);
}

#[test]
fn a_dataset_that_leaves_cuda_alone() {
    assert_trained(&training("cpu", 2).bare().run(), -1);
    for policy in ["abort", "exec,abort", "cpu,revive"] {
        assert_trained(&training("cpu", 2).policy(policy).run(), -1);
    }
}

/// One worker: PyTorch raises from its handler of SIGCHLD, anywhere in the program when a second one dies.
#[test]
fn the_report_names_the_datasets_line_and_the_switch() {
    let outcome = training("cuda", 1).run();
    outcome
        .assert_code(0)
        .assert_stdout(&["DataLoader worker  exited unexpectedly"])
        .assert_reports("cuInit")
        .assert_blames("server_dataloader.py")
        .assert_says("Points.__getitem__")
        .assert_explains("give the DataLoader at")
        .assert_explains("multiprocessing_context=\"spawn\"")
        .assert_explains("keep CUDA out of the Dataset");
}

#[test]
fn a_dataset_that_uses_cuda_is_served() {
    let bare = training("cuda", 2).bare().run();
    assert_trained(&bare, 3);
    assert_trained(&training("cuda", 2).policy("exec,abort").run(), 0);
    assert_trained(&training("cuda", 2).policy("cpu,abort").run(), 100);
    let revived = training("cuda", 2).policy("revive,abort").with_devices("");
    assert_trained(&revived.run(), 0);
}
