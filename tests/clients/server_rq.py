"""RQ's worker itself with a real Redis: gives it jobs with and without CUDA, prints their results, or why they failed,
and ends the worker. `early`: the worker imports the jobs before it forks; `rq`: RQ's own command, more of whose switches
may follow, which does not.
"""
import sys

from redis import Redis
from rq import Queue
from serving import Server, folder, redis, say, until


def result(job):
    until(lambda: job.get_status() in ("finished", "failed"), "end of the job")
    found = job.latest_result()
    return found.return_value if found.type.name == "SUCCESSFUL" else found.exc_string.strip().splitlines()[-1]


def waits_for_work(connection):
    return any(client["cmd"] == "blmove" and "b" in client["flags"] for client in connection.client_list())


def main():
    with folder() as place, redis(place) as address:
        queue = Queue(connection=Redis.from_url(address))
        command = [sys.executable, "-m", "server_rq_worker"]
        if sys.argv[1] == "rq":
            command = [sys.executable, "-m", "rq.cli", "worker", "--url", address, "--quiet"]
        with Server([*command, *sys.argv[2:]], REDIS=address) as server:
            say(result(queue.enqueue("server_jobs.plain", 3)))
            jobs = [queue.enqueue("server_jobs.compute", number) for number in (1, 2)]
            say([result(job) for job in jobs])
            # RQ raises within its signal handler, and in the middle of a pipeline that spoils its own farewell.
            until(lambda: waits_for_work(queue.connection), "worker that waits for work")
            say(server.end())


if __name__ == "__main__":
    main()
