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


def on_reload(_):
    tell("reload", 0)


def main():
    with folder() as place:
        path, workers = place + "/socket", place + "/workers"
        command = [sys.executable, "-m", "gunicorn", "--workers", "2", "--worker-class", sys.argv[1], *sys.argv[2:]]
        command += ["--bind", "unix:" + path, "--error-logfile", place + "/log", "--config", __file__]
        with Server([*command, "server_web:application"], path, WORKERS=workers) as server:
            until(lambda: two(workers, 0), "two workers")
            for what in ("/plain", "/", "/"):
                say(server.ask(what))
            server.signal(signal.SIGHUP)
            until(lambda: two(workers, 1), "two new workers")
            say(server.ask())
            # A worker that was started this moment does not hear that it is to end.
            until(lambda: two(workers, 1), "two workers after that")
            say(server.end())


def two(workers, reloads):
    """Whether two workers are ready that were started after so many reloads, and no other is there."""
    there, seen = {}, 0
    for line in lines(workers):
        what, pid = line.split()
        if what == "up":
            there[pid] = seen
        elif what == "down":
            there.pop(pid, None)
        else:
            seen += 1
    return list(there.values()) == [reloads] * 2


if __name__ == "__main__":
    main()
