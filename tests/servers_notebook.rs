//! A notebook: a real Jupyter kernel whose cells define what forked workers run. Under `exec` fresh processes run it with
//! CUDA, as no spawned one could. Fails when functions and classes of cells are not carried, when a kernel's threads or
//! sockets are in the way of a start, or when the report does not name cells or sends their reader to `spawn` alone.
//! `scripts/setup` installs the kernel.

use forkguard_testkit::{Program, python_with_packages};

fn notebook() -> Program {
    python_with_packages("exec_notebook.py")
}

#[test]
fn what_cells_define_runs_in_fresh_processes() {
    for template in ["0", "1"] {
        let outcome = notebook()
            .arg("pools")
            .policy("exec,abort")
            .env("FORKGUARD_TEMPLATE", template)
            .with_events()
            .run();
        outcome.assert_stdout(&[
            "parent 0",
            "process 0 ('seven', 0)",
            "pool [(0, 0), (3, 0), (6, 0)]",
            "executor [(15, 0)]",
        ]);
        outcome.assert_guard_silent();
        let count = |name: &str| outcome.events_named(name).len();
        assert_eq!(count("rewritten"), 4, "{}", outcome.story());
        let others = count("refused") + count("violation");
        assert_eq!(others, 0, "{}", outcome.story());
    }
}

#[test]
fn the_report_names_the_cells() {
    let bare = notebook().bare().run();
    bare.assert_stdout(&["parent 0", "process 0 ('seven', 3)"]);
    let outcome = notebook().policy("abort").with_events().run();
    outcome.assert_stdout(&["parent 0", "process -6 "]);
    let [violation] = &outcome.events_named("violation")[..] else {
        panic!("{}", outcome.story());
    };
    for (place, line, function) in [
        ("initialised", 5, "<module>"),
        ("forked", 3, "<module>"),
        ("used", 11, "tell"),
    ] {
        let stack = violation[place]["python"].as_array().unwrap();
        assert!(
            stack.iter().any(|frame| {
                let file = frame["file"].as_str().unwrap();
                let name = frame["function"].as_str().unwrap();
                file.contains("/ipykernel_")
                    && frame["line"] == line
                    && name.rsplit('.').next() == Some(function)
            }),
            "{place}: {}",
            outcome.story()
        );
    }
    outcome.assert_explains("functions that are in no file");
}
