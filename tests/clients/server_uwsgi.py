"""uWSGI itself with a master and two workers: asked with and without CUDA, reloaded by SIGHUP, asked again, ended.

Arguments: switches of uWSGI's own. Prints the answers and how uWSGI ended. uWSGI's log is where the guard's words are.
"""
import json
import signal
import socket
import sys

from serving import Server, folder, say, until


def main():
    with folder() as place:
        path, stats = place + "/socket", place + "/stats"
        command = ["uwsgi", "--plugin", "python3", "--master", "--processes", "2", "--http-socket", path]
        command += ["--module", "server_web", "--need-app", "--disable-logging", "--die-on-term"]
        with Server([*command, "--stats", stats, *sys.argv[1:]], path) as server:
            until(lambda: idle(stats), "two idle workers")
            for what in ("/plain", "/", "/"):
                say(server.ask(what))
            until(lambda: idle(stats), "two idle workers after that")
            server.signal(signal.SIGHUP)
            until(lambda: server.ask("/reloads") == "200 1", "reload")
            say(server.ask())
            # A worker that was started this moment does not hear that it is to end.
            until(lambda: idle(stats), "two idle workers after the reload")
            say(server.end())


def idle(stats):
    """Whether both workers wait for requests; one that has died in its request is busy until it has a successor."""
    with socket.socket(socket.AF_UNIX) as asking:
        if asking.connect_ex(stats) != 0:
            return False
        workers = json.loads(b"".join(iter(lambda: asking.recv(65536), b"")))["workers"]
    return all(worker["status"] == "idle" and worker["accepting"] for worker in workers)


if __name__ == "__main__":
    main()
