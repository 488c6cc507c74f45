//! RQ's worker with a real Redis, which forks for each job, and imports of which one initialises CUDA: what each policy
//! makes of the jobs. Fails when a job that aborts takes the worker along, when the report does not name the job's lines
//! or RQ's switch, when that switch does not help, when `cpu` or `revive` give no results, or when a word is said of a
//! worker that does it right. `scripts/setup` installs both.

use forkguard_testkit::{Outcome, Program, python_with_packages};

fn rq(how: &str, switches: &[&str]) -> Program {
    python_with_packages("server_rq.py")
        .arg(how)
        .args(switches)
        .env("EARLY", "1")
}

/// A job without CUDA, two with it, and the end.
#[track_caller]
fn assert_results(outcome: &Outcome, results: [&str; 2]) {
    let results = format!("['{}']", results.join("', '"));
    let end = "ended 0, left behind nothing";
    outcome.assert_code(0).assert_stdout(&["9", &results, end]);
}

const WITH_CUDA: [&str; 2] = ["8 with CUDA", "16 with CUDA"];
const WITHOUT_CUDA: [&str; 2] = ["8 without CUDA", "16 without CUDA"];
const KILLED: &str = "Work-horse terminated unexpectedly; waitpid returned 6 (signal 6);";

#[test]
fn the_report_names_the_jobs_lines_and_the_switch() {
    let outcome = rq("early", &[]).run();
    assert_results(&outcome, [KILLED; 2]);
    outcome
        .assert_reports("cuInit")
        .assert_blames("server_jobs.py")
        .assert_says("`import server_jobs` at server_rq_worker.py:")
        .assert_explains("Worker.fork_work_horse")
        .assert_explains("rq worker --worker-class rq.SimpleWorker (or rq.worker.SpawnWorker)");
}

/// The work-horse is in the middle of RQ's function.
#[test]
fn a_fresh_process_cannot_go_on() {
    let outcome = rq("early", &[])
        .policy("exec,cpu")
        .env("FORKGUARD_VERBOSE", "1")
        .run();
    assert_results(&outcome, WITHOUT_CUDA);
    let outcome = rq("early", &[]).policy("exec,abort").run();
    assert_results(&outcome, [KILLED; 2]);
    outcome.assert_explains("only workers that multiprocessing starts can be");
}

#[test]
fn jobs_go_on_without_cuda() {
    let outcome = rq("early", &[]).policy("cpu,abort").run();
    assert_results(&outcome, WITHOUT_CUDA);
    outcome.assert_silent();
}

#[test]
fn each_job_has_a_driver_of_its_own() {
    let outcome = rq("early", &[])
        .policy("revive,abort")
        .with_events()
        .with_devices("")
        .run();
    assert_results(&outcome, WITH_CUDA);
    outcome.assert_silent();
    let revived = outcome.events_named("revived");
    assert_eq!(revived.len(), 2, "{}", outcome.story());
}

/// Jobs that are imported where they are done, by RQ's own command.
#[test]
fn who_does_it_right_is_left_alone() {
    let program = rq("rq", &[]);
    let bare = program.clone().bare().run();
    assert_results(&bare, WITH_CUDA);
    for policy in ["abort", "exec,revive,cpu"] {
        let outcome = program.clone().policy(policy).with_events().run();
        outcome
            .assert_same_as(&bare)
            .assert_silent()
            .assert_nothing_found();
    }
}

/// The first job's import initialises CUDA in the worker, and no fork follows.
#[test]
fn the_switch_helps() {
    for class in ["rq.SimpleWorker", "rq.worker.SpawnWorker"] {
        let outcome = rq("rq", &["--worker-class", class]).with_events().run();
        assert_results(&outcome, WITH_CUDA);
        outcome.assert_silent().assert_nothing_found();
    }
}
