//! Where the guard is preloaded into every program (`/etc/ld.so.preload`), `forkguard run` adds no
//! second one, and does not warn of programs that only the environment does not reach.
//!
//! Would fail if two guards reported, or if a setuid program that is guarded were said not to be.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use forkguard_testkit::{Program, library, with_own_mounts};
use snapbox::cmd::cargo_bin;

use crate::doctors::{about, doctor_after};
use crate::programs::{dynamic, folder, of_static};

/// On a machine with this in its `/etc/ld.so.preload`.
fn everywhere(script: &str) -> String {
    format!(
        "cp -a /etc /tmp/etc.$$ && mount --bind /tmp/etc.$$ /etc || exit 99\n\
         echo '# ours' >/etc/ld.so.preload\n\
         echo '{}' >>/etc/ld.so.preload\n\
         {script}\n\
         code=$?; umount -l /etc; rm -rf /tmp/etc.$$; exit $code",
        library().display()
    )
}

fn run(words: &str) -> Program {
    with_own_mounts(&everywhere(&format!(
        "'{}' run --library '{}' -- {words}",
        cargo_bin!("forkguard").display(),
        library().display()
    )))
    .bare()
}

#[test]
fn no_second_guard_is_added() {
    let outcome = run("sh -c 'echo \"<$LD_PRELOAD>\"; grep -q libforkguard /proc/self/maps'").run();
    outcome.assert_silent().assert_stdout(&["<>"]);
}

#[test]
fn what_the_environment_does_not_reach_is_guarded() {
    let folder = folder();
    let program = dynamic(folder.path());
    let words = format!("env -i '{}'", program.display());
    let outcome = run(&words).run();
    outcome.assert_code(3);
    assert_eq!(outcome.stderr, "");
    if chown(&program, Some(1), None).is_ok() {
        fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
        let outcome = run(&format!("'{}'", program.display())).run();
        outcome.assert_code(3);
        assert_eq!(outcome.stderr, "");
    }
    // What has no loader has none here either.
    let outcome = run(&format!("'{}'", of_static(folder.path()).display())).run();
    outcome.assert_code(3).assert_says("is statically linked");
}

#[test]
fn doctor_tells_of_it() {
    let outcome = doctor_after(&everywhere("$doctor")).run();
    outcome.assert_code(0);
    let expected = format!(
        "ok: the guard, {}, by /etc/ld.so.preload",
        library().display()
    );
    assert_eq!(about(&outcome, "preloaded"), [expected]);
}
