//! `forkguard doctor` of a machine: the library loads, the kernel clears the table, the driver is
//! found without being initialised, and a forked child's use of CUDA is seen.
//!
//! Would fail if a guard that does not load, or sees nothing, were called effective.

use std::os::unix::fs::PermissionsExt;

use forkguard_testkit::{Program, library, stand_in};
use snapbox::cmd::cargo_bin;
use snapbox::{assert_data_eq, str};

use crate::doctors::{about, assert_found, doctor, doctor_after, doctor_of};
use crate::programs::{folder, put};

#[test]
fn a_machine_where_all_is_well() {
    stand_in();
    let outcome = Program::at(cargo_bin!("forkguard"))
        .bare()
        .args(["doctor", "--library"])
        .arg(library())
        .env("PATH", "/no/such/folder")
        .run();
    outcome.assert_code(0);
    assert_data_eq!(
        outcome.stdout,
        str![[r"
ok       system       Linux [..]
ok       library      [..]
...
ok       forks        the kernel clears the guard's table in every forked child (MADV_WIPEONFORK)
...
ok       driver       [..]
...
ok       settings     policy is abort (default)
...
ok       preloaded    no guard in this environment: [..]
...
ok       python       no interpreter in PATH
ok       self-test    a child that used CUDA after its parent had initialised it was seen (policy
                      abort)

nothing keeps the guard from being effective here[..]

"]]
    );
}

/// A driver that leaves a file where it is initialised.
const TELLTALE: &str = r#"
#include <stdio.h>
#include <stdlib.h>

int cuDriverGetVersion(int *version)
{
    *version = 12040;
    return 0;
}

int cuInit(unsigned flags)
{
    FILE *mark = fopen(getenv("INITIALISED"), "w");
    return mark ? fclose(mark) : 999;
}
"#;

#[test]
fn the_driver_is_not_initialised() {
    let folder = folder();
    let source = folder.path().join("driver.c");
    std::fs::write(&source, TELLTALE).expect("the folder is ours");
    let made = std::process::Command::new("gcc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(folder.path().join("libcuda.so.1"))
        .arg(&source)
        .status();
    assert!(made.is_ok_and(|status| status.success()), "gcc failed");
    let mark = folder.path().join("initialised");
    let under = |program: Program| program.driver_in(folder.path()).env("INITIALISED", &mark);
    let outcome = under(doctor()).run();
    assert_found(&outcome, "driver", "ok", "/libcuda.so.1, CUDA 12.4");
    assert!(!mark.exists(), "{}", outcome.story());
    // The mark is made where somebody does.
    let init = "import ctypes; ctypes.CDLL('libcuda.so.1').cuInit(0)";
    let python = Program::at(forkguard_testkit::interpreter()).bare();
    under(python.args(["-c", init])).run().assert_silent();
    assert!(mark.exists());
}

/// The loader would take the name for two.
#[test]
fn a_temporary_folder_with_a_colon() {
    let folder = folder();
    let split = folder.path().join("a:b");
    std::fs::create_dir(&split).expect("the folder is ours");
    let outcome = doctor().env("TMPDIR", split).run();
    assert_found(&outcome, "self-test", "ok", "was seen");
    let outcome = doctor().env("TMPDIR", folder.path().join("none")).run();
    assert_found(
        &outcome,
        "self-test",
        "problem",
        "none: no such file or directory → set TMPDIR to a folder that can be written to",
    );
}

#[test]
fn the_driver_is_found() {
    let outcome = doctor().run();
    assert_found(&outcome, "driver", "ok", "/libcuda.so.1, CUDA 13.0");
    let outcome = doctor().without_driver().run();
    // A machine with a driver of its own still has it.
    if !outcome.stdout.contains("/libcuda.so.1, CUDA") {
        assert_found(
            &outcome,
            "driver",
            "warning",
            "cannot open shared object file",
        );
    }
}

#[test]
fn a_driver_that_is_none() {
    let folder = folder();
    put(folder.path(), "libcuda.so.1", "not a library");
    let outcome = doctor().driver_in(folder.path()).run();
    assert_found(&outcome, "driver", "warning", "file too short");
}

#[test]
fn the_toolkits_stub() {
    let folder = folder();
    let stubs = folder.path().join("stubs");
    std::fs::create_dir(&stubs).unwrap();
    std::fs::copy(stand_in(), stubs.join("libcuda.so.1")).unwrap();
    let outcome = doctor().driver_in(stubs).run();
    assert_found(&outcome, "driver", "problem", "is the toolkit's stub");
}

#[test]
fn a_library_that_does_not_load() {
    let folder = folder();
    let whole = std::fs::read(library()).unwrap();
    for (name, len, why) in [
        ("none.so", 0, "it is no library"),
        ("cut.so", 65536, "does not load"),
    ] {
        let path = put(folder.path(), name, &whole[..len]);
        let outcome = doctor_of(&path).run();
        assert_found(&outcome, "library", "problem", why);
        assert_eq!(about(&outcome, "self-test"), Vec::<String>::new());
    }
}

#[test]
fn a_policy_that_does_nothing_is_told_of() {
    let outcome = doctor_after(
        "cp -a /etc /tmp/etc.$$ && mount --bind /tmp/etc.$$ /etc\n\
         echo '!FORKGUARD_POLICY=off' >/etc/forkguard.conf\n\
         $doctor; code=$?; umount /etc; rm -rf /tmp/etc.$$; exit $code",
    )
    .run();
    assert_found(&outcome, "settings", "warning", "nothing is intercepted");
    assert_found(
        &outcome,
        "settings",
        "warning",
        "/etc/forkguard.conf:1, locked",
    );
    assert_found(&outcome, "self-test", "warning", "nothing is done about it");
}

#[test]
fn a_library_that_only_root_can_read() {
    // SAFETY: takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return;
    }
    let folder = folder();
    let path = crate::doctors::copy_of_library(folder.path());
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let outcome = doctor_of(&path).run();
    assert_found(&outcome, "library", "warning", "only root can read it");
}

#[test]
fn without_proc() {
    let outcome = doctor_after("umount -l /proc && $doctor").run();
    assert_found(&outcome, "library", "ok", "loads");
    assert_found(&outcome, "/proc", "warning", "is not mounted");
    let outcome = doctor_after("umount -l /proc && $doctor 1").run();
    outcome
        .assert_code(2)
        .assert_says("no process can be looked at: /proc is not mounted");
}
