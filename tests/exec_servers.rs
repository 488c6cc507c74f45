//! Servers that make their workers by `os.fork()`: with `FORKGUARD_EXEC` a command serves in the workers' place; without,
//! the report under `exec` says why it could not, and has the server's own switch. Fails when a worker does not serve,
//! or when the advice is not the server's.

use forkguard_testkit::tempfile::tempdir;
use forkguard_testkit::{python, script};
use std::fs;

#[test]
fn a_command_serves_in_the_workers_place() {
    let interpreter = std::env::var("FORKGUARD_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let command = format!(
        "'{interpreter}' -B '{}' 40 worker",
        script("exec_server.py").display()
    );
    let outcome = python("exec_server.py")
        .arg("40")
        .policy("exec,abort")
        .env("FORKGUARD_EXEC", command)
        .run();
    outcome.assert_silent();
    let served = "command init 0";
    outcome.assert_stdout(&[served, served, served, served, "ended 4", "ended 4"]);
}

#[test]
fn without_a_command_it_is_as_it_was() {
    let outcome = python("exec_server.py").arg("40").policy("exec,warn").run();
    let refused = "forked init 3";
    outcome.assert_stdout(&[refused, refused, refused, refused, "ended 4", "ended 4"]);
    outcome.assert_reports("cuInit");
    outcome.assert_says("FORKGUARD_EXEC may name");
}

/// A package of the server's name whose file does what the server's does: it forks from its own frame.
#[test]
fn the_advice_is_the_servers_own() {
    for (package, file, advice) in [
        ("gunicorn", "arbiter", "run without --preload"),
        ("rq", "worker", "rq worker --worker-class rq.SimpleWorker"),
        (
            "airflow",
            "supervisor",
            "AIRFLOW__CORE__EXECUTE_TASKS_NEW_PYTHON_INTERPRETER=True",
        ),
        ("celery", "prefork", "--pool=solo or --pool=threads"),
        ("tornado", "process", "fork_processes"),
    ] {
        let folder = tempdir().expect("a folder");
        let installed = folder.path().join("site-packages").join(package);
        fs::create_dir_all(&installed).expect("a folder for the package");
        fs::write(installed.join("__init__.py"), "").expect("a file");
        let source = "import os\ndef start(work):\n    child = os.fork()\n    if child == 0:\n        work()\n    return child\n";
        fs::write(installed.join(format!("{file}.py")), source).expect("a file");
        let program = format!(
            "import ctypes, os\nfrom {package}.{file} import start\ndriver = ctypes.CDLL('libcuda.so.1')\n\
             driver.cuInit(0)\nchild = start(lambda: os._exit(driver.cuInit(0)))\n\
             print(os.WEXITSTATUS(os.waitpid(child, 0)[1]))\n"
        );
        let outcome = python("exec_inline.py")
            .arg(program)
            .env("PYTHONPATH", folder.path().join("site-packages"))
            .policy("exec,warn")
            .run();
        outcome
            .assert_stdout(&["3"])
            .assert_reports("cuInit")
            .assert_explains(advice);
    }
}

/// The standard library's own server.
#[test]
fn a_forking_server_of_the_standard_library() {
    let program = "
import ctypes, os, socket, socketserver
driver = ctypes.CDLL('libcuda.so.1')
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b'init %d' % driver.cuInit(0))
class Server(socketserver.ForkingMixIn, socketserver.TCPServer):
    pass
with Server(('127.0.0.1', 0), Handler) as server:
    driver.cuInit(0)
    client = socket.create_connection(server.server_address)
    server.handle_request()
    print(client.recv(64).decode())
";
    let outcome = python("exec_inline.py")
        .arg(program)
        .policy("exec,warn")
        .run();
    outcome
        .assert_stdout(&["init 3"])
        .assert_reports("cuInit")
        .assert_explains("with socketserver.ThreadingMixIn, not with ForkingMixIn");
}
