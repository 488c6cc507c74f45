"""gunicorn itself with two workers: asked with and without CUDA, reloaded by SIGHUP, asked again, ended.

Arguments: the class of the workers, and more switches of gunicorn's own. Prints the answers and how gunicorn ended. gunicorn
reads this file as its configuration, too: its hooks tell which workers are there.
"""
import os
import signal
import sys

from serving import Server, folder, lines, say, until


def tell(what, pid):
    with open(os.environ["WORKERS"], "a") as workers:
        workers.write("%s %d\n" % (what, pid))


def post_worker_init(worker):
    tell("up", worker.pid)


def child_exit(_, worker):
    tell("down", worker.pid)


def main():
    with folder() as place:
        path, workers = place + "/socket", place + "/workers"
        command = [sys.executable, "-m", "gunicorn", "--workers", "2", "--worker-class", sys.argv[1], *sys.argv[2:]]
        command += ["--bind", "unix:" + path, "--error-logfile", place + "/log", "--config", __file__]
        with Server([*command, "server_web:application"], path, WORKERS=workers) as server:
            first = until(lambda: two(workers), "two workers")
            for what in ("/plain", "/", "/"):
                say(server.ask(what))
            server.signal(signal.SIGHUP)
            until(lambda: two(workers, but=first), "two new workers")
            say(server.ask())
            until(lambda: two(workers, but=first), "two workers after that")
            say(server.end())


def two(workers, but=()):
    """The pids of two workers that are ready, when there are as many and none of those before."""
    there = set()
    for line in lines(workers):
        what, pid = line.split()
        there.add(pid) if what == "up" else there.discard(pid)
    return there if len(there) == 2 and there.isdisjoint(but) else None


if __name__ == "__main__":
    main()
