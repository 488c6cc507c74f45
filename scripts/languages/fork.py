# PyPy, whose own Python the guard cannot look into. Arguments: a library that has `ask`, and whether to ask the driver.
import ctypes
import multiprocessing
import subprocess
import sys

library, asked = ctypes.CDLL(sys.argv[1]), sys.argv[2] == "cuda"


def ask():
    answer = ctypes.c_int(-1)
    if asked:
        library.ask(ctypes.byref(answer))
    return answer.value if asked else "nothing"


print("parent:", ask(), flush=True)
fork = multiprocessing.get_context("fork")
answers = fork.SimpleQueue()
worker = fork.Process(target=lambda: answers.put(ask()))
worker.start()
worker.join()
print("child:", "died" if worker.exitcode else answers.get())
print("shell:", subprocess.check_output("echo $((40 + 2))", shell=True, text=True).strip())
