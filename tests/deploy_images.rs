//! The images of `scripts/deploy`: what their Dockerfiles say is done, line by line, in a Debian root directory, and then
//! a web service is asked there that uses CUDA in the process it forks for a request. Under `Dockerfile.enforced` nothing
//! in an environment changes how that process ends. Fails when a recipe does not put the guard in place, or a variable
//! weakens what `/etc/forkguard.conf` locks.

use forkguard_testkit::{Outcome, Root, client, library, script};
use std::fs;
use std::path::Path;

/// A root directory as an image is, and what a container of it starts with.
struct Image {
    root: Root,
    variables: Vec<String>,
    user: Option<String>,
}

/// What lies beside a Dockerfile.
fn beside(name: &str) -> std::path::PathBuf {
    if name == "libforkguard.so" {
        return library();
    }
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scripts/deploy")
        .join(name)
}

/// Does what the Dockerfile says. The instructions that the recipes need and no others.
fn built(dockerfile: &str) -> Image {
    let mut image = Image {
        root: Root::bare().with_file(&script("deploy_service.py"), "/srv/service.py", 0o644),
        variables: Vec::new(),
        user: None,
    };
    let text = fs::read_to_string(beside(dockerfile)).expect("the recipe");
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let (instruction, rest) = line.split_once(' ').expect("an instruction");
        let words: Vec<&str> = rest.split(' ').collect();
        image.root = match (instruction, &*words) {
            ("FROM", [_]) => image.root,
            ("COPY", ["--chmod=0644", from, to]) => image.root.with_file(&beside(from), to, 0o644),
            ("RUN", _) => image.root.then_inside(&image.variables, rest),
            ("ENV", [variable]) => {
                image.variables.push((*variable).to_owned());
                image.root
            }
            ("USER", [user]) => {
                image.user = Some((*user).to_owned());
                image.root
            }
            _ => panic!("{dockerfile}: nobody here knows how to do {line:?}"),
        };
    }
    image
}

impl Image {
    /// Starts this command as a container's.
    fn run(&self, command: &[&str]) -> Outcome {
        let user = self.user.as_ref().expect("the recipes name a user");
        let words = [
            "setpriv",
            "--reuid",
            user,
            "--regid",
            user,
            "--clear-groups",
        ];
        let words: Vec<&str> = words.iter().chain(command).copied().collect();
        self.root.program_with(&self.variables, &words).run()
    }

    fn serves(&self, environment: &[&str], arguments: &[&str]) -> Outcome {
        let service = ["python3", "-B", "/srv/service.py"];
        let words: Vec<&str> = ["/usr/bin/env"]
            .iter()
            .chain(environment)
            .chain(&service)
            .chain(arguments)
            .copied()
            .collect();
        self.run(&words)
    }
}

/// The process that used CUDA ended by the exit code of the recipe, after one report that names what it called.
#[track_caller]
fn stopped(outcome: &Outcome) {
    outcome
        .assert_code(86)
        .assert_stdout(&["/ hello", "/gpu no answer", "ended 86"])
        .assert_reports("cuDeviceGetCount");
}

#[test]
fn without_a_guard() {
    // What the service does where nobody looks.
    let image = Image {
        user: Some("65534".to_owned()),
        root: Root::bare().with_file(&script("deploy_service.py"), "/srv/service.py", 0o644),
        variables: Vec::new(),
    };
    let outcome = image.serves(&[], &[]);
    outcome.assert_stdout(&["/ hello", "/gpu cuDeviceGetCount 3", "ended 7"]);
}

#[test]
fn by_a_variable() {
    let image = built("Dockerfile");
    stopped(&image.serves(&[], &[]));
    // Which is no more than a variable.
    for weaker in [&["FORKGUARD_POLICY=off"], &["LD_PRELOAD="]] {
        let outcome = image.serves(weaker, &[]);
        outcome.assert_stdout(&["/ hello", "/gpu cuDeviceGetCount 3", "ended 7"]);
    }
}

#[test]
fn enforced() {
    let image = built("Dockerfile.enforced");
    stopped(&image.serves(&[], &[]));
    // The service's own environment empty, and its starter's.
    stopped(&image.serves(&[], &["empty"]));
    stopped(&image.serves(&["-i", "PATH=/usr/bin"], &[]));
}

#[test]
fn no_environment_weakens_it() {
    let mut image = built("Dockerfile.enforced");
    image.root = image.root.with_text(
        "/tmp/own.conf",
        "!FORKGUARD_POLICY=off\n!FORKGUARD_EXIT_CODE=0\n!FORKGUARD_IGNORE=cuDeviceGetCount\n",
    );
    for weaker in [
        &["FORKGUARD_POLICY=off"][..],
        &["FORKGUARD_POLICY=warn", "FORKGUARD_VERBOSE=0"],
        &["FORKGUARD_POLICY=cpu,revive"],
        &["FORKGUARD_POLICY=exec", "FORKGUARD_EXEC=/bin/true"],
        &[
            "FORKGUARD_POLICY=exec",
            "FORKGUARD_EXEC=restart",
            "FORKGUARD_RESTARTED=1",
            "FORKGUARD_PARENT_PID=1",
        ],
        &["FORKGUARD_CONFIG=/tmp/own.conf"],
        &["FORKGUARD_IGNORE=cuDeviceGetCount,cuInit"],
        &[
            "FORKGUARD_REVIVE=foreign-handles-unused",
            "FORKGUARD_TEMPLATE=1",
        ],
        &["FORKGUARD_EXIT_CODE=0"],
        &["LD_PRELOAD="],
        &["-u", "LD_PRELOAD", "LD_LIBRARY_PATH=/usr/local/lib"],
    ] {
        stopped(&image.serves(weaker, &[]));
    }
}

#[test]
fn nobody_but_root_can_change_it() {
    let image = built("Dockerfile.enforced");
    let outcome = image.run(&[
        "sh",
        "-c",
        "for file in /etc/ld.so.preload /etc/forkguard.conf /usr/local/lib/forkguard/libforkguard.so; do
             stat -c '%U %a' \"$file\"; (: >>\"$file\") 2>/dev/null || echo refused; rm -f \"$file\" 2>/dev/null || echo stays
         done",
    ]);
    outcome.assert_stdout(&["root 644", "refused", "stays"].repeat(3));
}

#[test]
fn a_setuid_program_is_held_to_it() {
    // In secure-execution mode the environment is not even read; the file is.
    let mut image = built("Dockerfile.enforced");
    image.root = image
        .root
        .with_file(&client("roads"), "/usr/local/bin/roads", 0o4755);
    let outcome = image.run(&[
        "/usr/bin/env",
        "FORKGUARD_POLICY=off",
        "/usr/local/bin/roads",
        "dlsym",
        "child-use",
    ]);
    outcome.assert_stdout(&["child exited 86", "parent count 0"]);
    outcome.assert_reports("cuDeviceGetCount");
}
