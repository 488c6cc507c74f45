//! `python -m forkguard` says which Python started the command: a program that is a script runs by
//! it, and the program does not learn of that.
//!
//! Would fail if a script were executed as it is, if another program were taken for one, or if the
//! variable were passed on.

use crate::programs::forkguard;

/// A "Python" that tells how it was called.
fn interpreter(folder: &std::path::Path) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("python");
    let text = "#!/bin/sh\necho \"$0 $*\" | sed 's,.*/,,'\necho \"<$FORKGUARD_PYTHON>\"\n";
    std::fs::write(&path, text).expect("the folder can be written to");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

#[test]
fn a_script_runs_by_the_python_that_was_named() {
    let folder = forkguard_testkit::tempfile::tempdir().expect("a folder can be made");
    let python = interpreter(folder.path());
    std::fs::write(folder.path().join("app.py"), "").expect("the folder can be written to");
    for (words, said) in [
        (&["app.py", "-x"][..], "python app.py -x\n<>\n"),
        (&["--", "-m", "app"][..], "python -m app\n<>\n"),
        (&["sh", "-c", "echo \"<$FORKGUARD_PYTHON>\""][..], "<>\n"),
    ] {
        forkguard("run")
            .current_dir(folder.path())
            .env("FORKGUARD_PYTHON", &python)
            .args(words)
            .assert()
            .success()
            .stderr_eq("")
            .stdout_eq(said);
    }
}
