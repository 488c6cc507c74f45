"""CuPy: two forked processes of three threads each, as one of the users this is for runs it.

`clean`: the parent never asked, everything works and must stay silent. `poisoned`: one
`is_available()` in the parent, and all six threads fail.
"""

import multiprocessing
import sys
import threading

import cupy
from outcome import attempt, await_processes, say


def compute(results, number):
    results[number] = attempt(lambda: int((cupy.arange(8) * number).sum()))  # USE


def child(sender):
    results = {}
    threads = [threading.Thread(target=compute, args=(results, number)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sender.send(sorted(results.items()))


def main():
    if sys.argv[1] == "poisoned":
        say(f"parent asks: {cupy.cuda.is_available()}")  # INIT
    fork = multiprocessing.get_context("fork")
    processes, receivers = [], []
    for _ in range(2):
        receiver, sender = fork.Pipe(duplex=False)
        process = fork.Process(target=child, args=(sender,))
        process.start()  # FORK
        sender.close()
        processes.append(process)
        receivers.append(receiver)
    for receiver in receivers:
        try:
            for number, result in receiver.recv():
                say(f"thread {number}: {result}")
        except EOFError:
            say("a child ended before it answered")
    await_processes(processes)


main()
