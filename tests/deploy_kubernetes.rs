//! The Kubernetes recipes of `scripts/deploy`: each fits the API's schema and itself, and does what it is for, as far as
//! that can be tried without a cluster: the library copied by the init container's command, the service started by a user
//! who is not root, in a root directory that cannot be written, with the variables and files of the recipe, and the file
//! of the termination message as a kubelet gives it. What `kubectl describe pod` would show is then the report, whole. Fails
//! when a name in the files does not fit another, or when the message is none, or is cut.

use forkguard_testkit::{GUARD, Root, library, python_with_packages, script};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What a kubelet takes of the end of a container's message.
const MESSAGE: usize = 4096;

fn recipe(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scripts/deploy")
        .join(name)
}

/// How the recipe's pod is to be started; it was checked.
fn pod(name: &str) -> Value {
    let checked = python_with_packages("deploy_kubernetes.py")
        .arg(recipe("kubernetes").join(name))
        .arg(GUARD)
        .arg(recipe("forkguard.conf"))
        .bare()
        .run();
    checked.assert_silent();
    serde_json::from_str(&checked.stdout).expect("JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn starts_and_tells(name: &str) {
    let pod = pod(name);
    let as_user = format!(
        "setpriv --reuid={} --regid={} --clear-groups --no-new-privs --bounding-set=-all",
        pod["user"], pod["group"]
    );
    let (target, message) = (text(&pod["library"]), text(&pod["message"]));
    let folder = Path::new(target).parent().expect("a folder");
    let copy: Vec<&str> = pod["init"]
        .as_array()
        .expect("words")
        .iter()
        .map(text)
        .collect();

    let mut root = Root::bare()
        .with_file(&library(), GUARD, 0o644)
        .with_file(&script("deploy_service.py"), "/srv/service.py", 0o644)
        // An empty folder that everybody may write, and a file made by root that everybody may write.
        .then(&format!("mkdir -p -m 777 \"$root\"{}", folder.display()))
        .then_inside(&[], &format!("{as_user} {}", copy.join(" ")))
        .then(&format!(
            ": >\"$root\"{message}; chmod 666 \"$root\"{message}"
        ))
        .then("mount -o remount,bind,ro \"$root/opt\"");
    for (path, content) in pod["files"].as_object().expect("files") {
        root = root.with_text(path, text(content));
    }
    let environment = pod["environment"].as_object().expect("variables");
    let environment: Vec<String> = environment
        .iter()
        .map(|(name, value)| format!("{name}={}", text(value)))
        .collect();

    let service = format!(
        "{as_user} python3 -B /srv/service.py 2>/tmp/log; echo $?
         cat {message}; cmp {message} /tmp/log >&2"
    );
    let outcome = root
        .program_with(&environment, &["/bin/sh", "-c", &service])
        .run();
    outcome.assert_silent();
    let (said, shown) = outcome
        .stdout
        .split_once("forkguard: CUDA used")
        .unwrap_or_else(|| panic!("no report\n{}", outcome.story()));
    assert_eq!(
        said,
        "/ hello\n/gpu no answer\nended 86\n86\n",
        "{}",
        outcome.story()
    );
    assert!(shown.len() < MESSAGE - 100, "{} bytes", shown.len());
    for part in [
        "1 initialised",
        "2 forked",
        "3 used here",
        "cuDeviceGetCount",
        "  fix  ",
    ] {
        assert!(shown.contains(part), "{part}\n{}", outcome.story());
    }
}

#[test]
fn a_deployment() {
    starts_and_tells("deployment.yaml");
}

#[test]
fn a_job() {
    starts_and_tells("job.yaml");
}

#[test]
fn enforced() {
    starts_and_tells("enforced.yaml");
}
