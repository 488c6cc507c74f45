"""Proves that Celery's prefork workers have CUDA when the app's module initialised it, with the real Celery.

Run as a program it starts `celery -A exec_celery worker`, sends tasks by a broker of files, prints their results in
order, and ends the worker. A worker makes two tasks and is replaced, so that later ones are started from a thread.
"""
import ctypes
import os
import signal
import subprocess
import sys
import tempfile

from celery import Celery

place = os.environ.setdefault("CELERY_PLACE", tempfile.mkdtemp())
os.makedirs(place + "/queue", exist_ok=True)
app = Celery("exec_celery", broker="filesystem://", backend="file://" + place)
app.conf.update(
    broker_transport_options={
        "data_folder_in": place + "/queue", "data_folder_out": place + "/queue", "control_folder": place + "/control",
    },
    worker_max_tasks_per_child=2,
    worker_concurrency=2,
    worker_pool="prefork",
)  # fmt: skip

driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0


@app.task(name="square")
def square(number):
    return driver.cuInit(0), number * number, os.getpid()


def main():
    tasks = [app.send_task("square", (number,)) for number in range(6)]
    quiet = ["--without-heartbeat", "--without-gossip", "--without-mingle", "-l", "ERROR"]
    command = [sys.executable, "-B", "-m", "celery", "-q", "-A", "exec_celery", "worker", *quiet]
    with subprocess.Popen(command, cwd=os.path.dirname(os.path.abspath(__file__)), stdout=subprocess.DEVNULL) as worker:
        try:
            results = [task.get(timeout=90, interval=0.05) for task in tasks]
        finally:
            worker.send_signal(signal.SIGTERM)
    print([result[:2] for result in results])
    print(len({result[2] for result in results}) >= 3, worker.returncode)


if __name__ == "__main__":
    main()
