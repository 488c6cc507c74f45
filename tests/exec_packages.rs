//! Packages that start workers in multiprocessing's way (`multiprocess`, billiard, joblib), and numpy's arrays, under
//! `exec`, with the real packages. Fails when one of their forks is not recognised, or when memory that is shared
//! becomes a copy. `scripts/setup` installs them.

use forkguard_testkit::python_with_packages;

fn works(package: &str) {
    let outcome = python_with_packages("exec_packages.py")
        .arg(package)
        .policy("exec,abort")
        .with_events()
        .run();
    outcome.assert_code(0);
    outcome.assert_stdout(&[&format!("{package} ok")]);
    outcome.assert_guard_silent();
    let rewritten = outcome.events_named("rewritten");
    assert!(!rewritten.is_empty(), "{}", outcome.story());
}

macro_rules! packages {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            works(stringify!($name));
        }
    )*};
}

packages!(multiprocess billiard joblib numpy);
