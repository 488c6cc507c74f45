"""The shape of LitServe: the inference worker is spawned and uses CUDA, the HTTP server is forked
from the main process, and the worker's answer, a CUDA tensor, comes through a queue.

`clean`: the main process never asked for CUDA; the forked server may open the tensor, silently.
`asked`: the user's script asked `is_available()` first; unpickling the answer in the forked
server fails, far from the line that caused it.
"""

import multiprocessing
import sys

import torch
import torch.multiprocessing  # teaches pickle to send CUDA tensors by handle
from outcome import PATIENCE, attempt, await_processes, say


def inference(answers, done):
    answers.put(torch.full((4,), 2.0, device="cuda"))
    done.wait(PATIENCE)


def serve(answers, done):
    say(attempt(lambda: answers.get(timeout=PATIENCE).sum().item()))  # USE
    done.set()


def main():
    if sys.argv[1] == "asked":
        say(f"parent asks: {torch.cuda.is_available()}")  # INIT
    spawn = multiprocessing.get_context("spawn")
    answers, done = spawn.Queue(), spawn.Event()
    worker = spawn.Process(target=inference, args=(answers, done))
    worker.start()
    server = multiprocessing.get_context("fork").Process(target=serve, args=(answers, done))
    server.start()  # FORK
    await_processes([server])
    done.set()
    await_processes([worker])


if __name__ == "__main__":
    main()
