"""Threads and CUDA of a child's own: the fork is made by a thread that is not the main one, and in the child four
threads come to the driver at the same time. Each runs a kernel. Today each fails.
"""

import os
import threading

import driver_work
from driver_work import attempt_work
from outcome import attempt, await_pid, say


def child():
    together = threading.Barrier(4)
    answers = []

    def work():
        together.wait()
        answers.append(attempt(attempt_work))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in answers:
        say(f"thread: {answer}")
    say(f"forking thread: {attempt(attempt_work)}")


def fork():
    pid = os.fork()
    if pid == 0:
        child()
        os._exit(0)
    await_pid(pid)


def main():
    say(f"parent: {driver_work.devices()} device")
    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
    say(f"parent goes on: {attempt_work()}")


main()
