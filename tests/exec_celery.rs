//! Celery's prefork pool, with the real Celery: an app whose module initialises CUDA, and tasks that use it. Fails when
//! billiard's fork is not recognised, when a worker started in its place has no tasks (Celery must be told that it was
//! executed), or when the workers that replace the first are forks. `scripts/setup` installs it.

use forkguard_testkit::python_with_packages;
use std::time::Duration;

#[test]
fn tasks_of_prefork_workers_use_cuda() {
    for template in ["0", "1"] {
        let outcome = python_with_packages("exec_celery.py")
            .policy("exec,abort")
            .env("FORKGUARD_TEMPLATE", template)
            .with_events()
            .patience(Duration::from_secs(180))
            .run();
        outcome.assert_stdout(&[
            "[[0, 0], [0, 1], [0, 4], [0, 9], [0, 16], [0, 25]]",
            "True 0",
        ]);
        outcome.assert_guard_silent();
        let count = |name: &str| outcome.events_named(name).len();
        assert!(count("rewritten") >= 3, "{}", outcome.story());
        assert_eq!(
            count("refused") + count("violation"),
            0,
            "{}",
            outcome.story()
        );
    }
}
