"""uvicorn itself with two workers, which it spawns: asked with and without CUDA, its workers replaced by SIGHUP, asked
again, and ended. Prints the answers and how uvicorn ended.
"""
import signal
import sys

from serving import Server, folder, lines, say, until


def main():
    with folder() as place:
        path, workers = place + "/socket", place + "/workers"
        command = [sys.executable, "-m", "uvicorn", "--workers", "2", "--uds", path, "--log-level", "critical"]
        # On a machine that is busy it takes a worker for dead that is still at its imports.
        command += ["--timeout-worker-healthcheck", "60"]
        with Server([*command, "server_web:asgi"], path, WORKERS=workers) as server:
            until(lambda: len(lines(workers)) == 2, "two workers")
            for what in ("/plain", "/", "/"):
                say(server.ask(what))
            server.signal(signal.SIGHUP)
            until(lambda: len(lines(workers)) == 4, "two new workers")
            say(server.ask())
            say(server.end())


if __name__ == "__main__":
    main()
