//! In secure-execution mode, that is a setuid program, the environment is ignored: whoever starts the program cannot
//! switch the guard off or choose a file for it to write. Fails when a variable has an effect there. Takes root, to
//! make a program setuid and to start it as somebody else.

use forkguard_testkit::tempfile::tempdir;
use forkguard_testkit::{Program, driver_dir, library};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

#[test]
fn the_environment_is_ignored() {
    // SAFETY: geteuid takes nothing and cannot fail.
    let euid = unsafe { libc::geteuid() };
    assert_eq!(
        euid, 0,
        "this test takes root: run it so, for example in a container"
    );
    let folder = tempdir().expect("a folder");
    let open = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode that can be set");
    };
    open(folder.path(), 0o755);

    // LD_PRELOAD is ignored too, so the guard comes as a library that the program is linked with, before all others.
    let program = folder.path().join("secure");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let guard = library();
    let rpath = format!(
        "-Wl,--disable-new-dtags,-rpath,{}:{}",
        guard.parent().expect("it lies somewhere").display(),
        driver_dir().display()
    );
    let built = Command::new("gcc")
        .args(["-O1", "-rdynamic", "-pthread", "-Wl,--no-as-needed"])
        .args([&rpath, "-o"])
        .arg(&program)
        .args(["roads.c", "scenarios.c"].map(|source| sources.join(source)))
        .arg(&guard)
        .status()
        .expect("gcc can be run");
    assert!(built.success(), "the program could not be built");

    let report = folder.path().join("events");
    let trace = folder.path().join("trace");
    let run = |trace: &Path| {
        Program::at("setpriv")
            .bare()
            .without_driver()
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .args(["dlsym", "child-use"])
            .policy("off")
            .env("FORKGUARD_REPORT", &report)
            .env("FORKGUARD_TRACE", trace)
            .run()
    };

    // Not setuid, off is off.
    open(&program, 0o755);
    let heard = run(Path::new(""));
    heard.assert_stdout(&["child count 3", "child exited 3", "parent count 0"]);

    open(&program, 0o4755);
    let ignored = run(&trace);
    ignored.assert_stdout(&["child killed by signal 6", "parent count 0"]);
    ignored.assert_code(0).assert_reports("cuDeviceGetCount");
    assert!(
        !report.exists() && !trace.exists(),
        "a file of the caller's choice was written"
    );
}
