"""What the clients share that start a real server: it is started, asked over HTTP, reloaded and ended, and whether it left
a process behind is told. The server listens on a socket in a folder of its own: no port is taken from anybody.

Its own log goes to a file where it has a switch for that, so that what stands on stderr is the guard's, or Python's. Where
APPLICATIONS names a folder, what the server serves is taken from there first.
"""
import contextlib
import ctypes
import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

# How long a server may take for one step of what is asked of it.
PATIENCE = 40.0
PR_SET_CHILD_SUBREAPER = 36


def say(*what):
    print(*what, flush=True)


def until(condition, what):
    """Waits until it holds, and gives what it gave then."""
    give_up = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > give_up:
            raise SystemExit("in %d s there was no %s" % (PATIENCE, what))
        time.sleep(0.01)


def lines(path):
    """Those of a file that a server may have written."""
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return file.read().splitlines()


@contextlib.contextmanager
def folder():
    """A folder whose name is short: a socket's path has room for 107 bytes."""
    path = tempfile.mkdtemp(prefix="fg", dir="/tmp")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class ByPath(http.client.HTTPConnection):
    """HTTP by a socket in the file system."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Server:
    """A server that was started, and that has ended with the `with` block."""

    def __init__(self, command, path=None, **environment):
        # What a server leaves behind becomes this process's child.
        assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1) == 0
        self.path = path
        here = os.path.dirname(os.path.abspath(__file__))
        first = os.environ.get("APPLICATIONS", here)
        path = os.pathsep.join(filter(None, (first, here, os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": path, **environment}
        self.process = subprocess.Popen(command, env=environment, cwd=first, stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def ask(self, what="/"):
        """Status and body, or that the worker went away with the request."""
        connection = ByPath(self.path)
        try:
            connection.request("GET", what)
            answer = connection.getresponse()
            return "%d %s" % (answer.status, answer.read().decode())
        except (http.client.RemoteDisconnected, ConnectionError):
            return "no answer"
        finally:
            connection.close()

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        """Ends it as an operator does, and tells how it ended and what it left behind."""
        self.signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        return "ended %d, left behind %s" % (code, "nothing" if self._alone() else "a process")

    @staticmethod
    def _alone():
        """Whether no process of the server's is left, after a moment in which the last may come to its end."""
        give_up = time.monotonic() + 5
        while time.monotonic() < give_up:
            if not _children() - _of_others:
                return True
            time.sleep(0.01)
        return False


# What is started here beside a server.
_of_others = set()


def _children():
    """The pids of this process's children; those that have ended are waited for."""
    with open("/proc/self/task/%d/children" % os.getpid()) as children:
        pids = {int(pid) for pid in children.read().split()}
    return {pid for pid in pids if pid in _of_others or os.waitpid(pid, os.WNOHANG)[0] == 0}


@contextlib.contextmanager
def redis(place):
    """The address of a Redis of one's own. By a port: RQ's SpawnWorker knows no other."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", place, "--save", ""]
        with subprocess.Popen([*command, "--logfile", place + "/log"]) as server:
            _of_others.add(server.pid)
            try:
                # It ends at once where somebody took the port meanwhile.
                until(lambda: _listens(port) or server.poll() is not None, "Redis")
                if server.poll() is None:
                    yield "redis://127.0.0.1:%d/0" % port
                    return
            finally:
                server.terminate()


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
