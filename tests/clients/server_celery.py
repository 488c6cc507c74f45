"""Celery's worker itself with its prefork pool and a real Redis: sends it tasks with and without CUDA, prints their
results, or the error that they failed with, and ends the worker.
"""
import sys

from celery import Celery
from serving import PATIENCE, Server, folder, redis, say


def result(task):
    try:
        return task.get(timeout=PATIENCE)
    except Exception as error:
        return type(error).__name__


def main():
    with folder() as place, redis(place) as address:
        client = Celery("client", broker=address, backend=address)
        command = [sys.executable, "-m", "celery", "-q", "-A", "server_celery_app", "worker", "--logfile", place + "/celery"]
        quiet = ["--without-heartbeat", "--without-gossip", "--without-mingle"]
        # Celery warns of the superuser, as who a test may be run.
        with Server([*command, *quiet, *sys.argv[1:]], REDIS=address, PYTHONWARNINGS="ignore") as server:
            say(result(client.send_task("plain", (3,))))
            tasks = [client.send_task("compute", (number,)) for number in range(1, 5)]
            say([result(task) for task in tasks])
            say(server.end())


if __name__ == "__main__":
    main()
