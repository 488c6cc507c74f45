//! `forkguard run` says in one sentence, before it starts the program, that and why the guard does
//! not get into it; and starts it all the same.
//!
//! Would fail if a program that is not guarded were run as if it were, if one that is were warned
//! of, or if the loader's own complaint were all there is to read.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command as Process;

use snapbox::cmd::OutputAssert;
use snapbox::{assert_data_eq, str};

use crate::programs::{dynamic, folder, foreign, forkguard, of_musl, of_static, put};

fn run(words: &[&Path]) -> OutputAssert {
    forkguard("run").arg("--").args(words).assert()
}

#[test]
fn a_program_that_is_guarded_is_not_spoken_of() {
    let folder = folder();
    run(&[&dynamic(folder.path())]).code(3).stderr_eq("");
}

#[test]
fn statically_linked() {
    let folder = folder();
    run(&[&of_static(folder.path())]).code(3).stderr_eq(str![[r"
forkguard: [..]/static is statically linked, so no loader runs that could load the guard: it is not guarded, only what it starts

"]]);
}

#[test]
fn through_scripts_and_env() {
    let folder = folder();
    let program = of_static(folder.path());
    let program = program.display();
    let inner = put(folder.path(), "inner", format!("#!{program} -x\n"));
    let inner = inner.display();
    let outer = put(
        folder.path(),
        "outer",
        format!("#!/usr/bin/env -S A=1 {inner} -y\n"),
    );
    let said = str![[r"
forkguard: [..]/static, which runs [..]/outer, is statically linked, so no loader runs that could load the guard: it is not guarded, only what it starts

"]];
    run(&[&outer]).code(3).stderr_eq(said.clone());
    run(&[Path::new("env"), Path::new("A=1"), &outer])
        .code(3)
        .stderr_eq(said);
}

#[test]
fn an_environment_that_is_emptied() {
    let folder = folder();
    let program = dynamic(folder.path());
    run(&[Path::new("env"), Path::new("-i"), &program])
        .code(3)
        .stderr_eq(str![[r"
forkguard: [..]/dynamic is started by way of env -i, which takes the guard out of its environment: it is not guarded

"]]);
}

#[test]
fn of_another_machine() {
    let folder = folder();
    let outcome = run(&[&foreign(folder.path())]);
    let said = String::from_utf8_lossy(&outcome.get_output().stderr).into_owned();
    assert_data_eq!(
        said.lines().next().unwrap_or_default(),
        str![
            "forkguard: [..]/foreign is for [..]-bit machine number 8 and the guard for [..]: its loader says that it ignores the guard, and it is not guarded, only what it starts"
        ]
    );
}

#[test]
fn of_another_c_library() {
    let folder = folder();
    run(&[&of_musl(folder.path())]).code(127).stderr_eq(str![[r"
forkguard: [..]/of_musl is loaded by /ld-musl-x.so.1, and the guard is for glibc: it runs without, and so does what it starts
forkguard: [..]/of_musl cannot be started: its interpreter /ld-musl-x.so.1 is not there

"]]);
}

#[test]
fn an_interpreter_that_is_not_there() {
    let folder = folder();
    let script = put(folder.path(), "script", "#!/no/such/shell\n");
    run(&[&script]).code(127).stderr_eq(str![[r"
forkguard: [..]/script cannot be started: its interpreter /no/such/shell is not there

"]]);
}

/// Needs root, who may give a file away; anybody else could not make what is to be warned of.
#[test]
fn with_its_owners_or_its_groups_rights_or_capabilities() {
    const NOBODY: u32 = 65534;
    let folder = folder();
    let program = dynamic(folder.path());
    if chown(&program, Some(NOBODY), Some(NOBODY)).is_err() {
        // In a namespace with one user there is nobody to whom it could be given.
        return;
    }
    for (mode, how) in [
        (0o4755, "runs with its owner's rights (setuid)"),
        (0o2755, "runs with its group's rights (setgid)"),
    ] {
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        let expected = format!(
            "forkguard: [..]/dynamic {how}, and for such programs the loader ignores LD_PRELOAD: \
             neither it nor what it starts is guarded\n"
        );
        run(&[&program]).code(3).stderr_eq(expected);
    }
    // To its owner it gives nothing that he has not.
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    let library = put(
        folder.path(),
        "libforkguard.so",
        fs::read(forkguard_testkit::library()).unwrap(),
    );
    let command = put(
        folder.path(),
        "forkguard",
        fs::read(snapbox::cmd::cargo_bin!("forkguard")).unwrap(),
    );
    let by_owner = |program: &Path| {
        Process::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&command)
            .args(["run", "--library"])
            .arg(&library)
            .arg("--")
            .arg(program)
            .env_remove("LD_PRELOAD")
            .output()
            .unwrap()
    };
    let ended = by_owner(&program);
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(3));
    // Capabilities are for users that are not root.
    let given = put(folder.path(), "given", fs::read(&program).unwrap());
    if set_capability(&given) {
        let ended = by_owner(&given);
        assert_data_eq!(
            String::from_utf8_lossy(&ended.stderr).into_owned(),
            str![[r"
forkguard: [..]/given runs with capabilities of its own (setcap), and for such programs the loader ignores LD_PRELOAD: neither it nor what it starts is guarded

"]]
        );
    }
}

/// Gives the file `CAP_NET_RAW`, where the file system keeps such a thing.
fn set_capability(path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    // struct vfs_cap_data, revision 2, effective; permitted: bit 13.
    let data: [u8; 20] = [
        1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    // SAFETY: two strings that end with a NUL, and as many bytes as are said.
    let answer = unsafe {
        libc::setxattr(
            path.as_ptr(),
            c"security.capability".as_ptr(),
            data.as_ptr().cast(),
            data.len(),
            0,
        )
    };
    answer == 0
}

#[test]
fn a_policy_that_does_not_exist() {
    forkguard("run")
        .args(["--policy", "exec,abrot", "--", "true"])
        .assert()
        .code(2)
        .stderr_eq(str![[r"
error: invalid value 'abrot' for '--policy <POLICY>'
  [possible values: abort, exec, revive, cpu, warn, off]

  tip: a similar value exists: 'abort'

For more information, try '--help'.

"]]);
}
