//! A copy of the warm template has the environment, folder, umask, limits, priorities, signals, streams and files that
//! its parent has at the start, not those of the template's own start. Compared with a plain fork, line by line. Fails
//! when anything of them is the template's.

use forkguard_testkit::python_with_packages;

#[test]
fn what_the_parent_has_at_the_start() {
    same_as_forked("");
}

#[test]
fn streams_without_buffers() {
    same_as_forked("1");
}

fn same_as_forked(unbuffered: &str) {
    let program =
        python_with_packages("exec_template_inherits.py").env("PYTHONUNBUFFERED", unbuffered);
    let fresh = program
        .clone()
        .policy("exec,abort")
        .env("FORKGUARD_TEMPLATE", "1")
        .env("FORKGUARD_VERBOSE", "1")
        .run();
    let ways = fresh.stderr.matches("(by template, ").count();
    assert_eq!(ways, 2, "{}", fresh.story());
    let forked = program.run();
    let lines = |text: &str| -> Vec<String> {
        let ours = [
            "('FORKGUARD_POLICY', 'exec,abort'), ",
            "('FORKGUARD_TEMPLATE', '1'), ",
            "('FORKGUARD_VERBOSE', '1'), ",
            "('PYTORCH_NVML_BASED_CUDA_CHECK', '1'), ",
        ];
        text.lines()
            .map(|line| {
                ours.iter()
                    .fold(line.to_owned(), |line, own| line.replace(own, ""))
            })
            .collect()
    };
    assert!(forked.stdout.lines().count() > 30, "{}", forked.story());
    for (fresh, forked) in lines(&fresh.stdout).iter().zip(lines(&forked.stdout)) {
        assert_eq!(*fresh, forked);
    }
    assert_eq!(lines(&fresh.stdout).len(), lines(&forked.stdout).len());
}
