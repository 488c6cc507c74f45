"""Starts of multiprocessing workers by fork, after CUDA, one after the other; under the policy exec each is a fresh
process. Steps: see steps.h. A round is a worker that answers what it was given and whether it has CUDA, which a forked
one cannot have."""

import ctypes
import multiprocessing

import steps

driver = ctypes.CDLL("libcuda.so.1")
context = multiprocessing.get_context("fork")
lock = context.Lock()


def target(sender, number):
    devices = ctypes.c_int()
    driver = ctypes.CDLL("libcuda.so.1")
    answers = [driver.cuInit(0), driver.cuDeviceGetCount(ctypes.byref(devices))]
    with lock:
        sender.send((number * 2, answers))


def work(rounds):
    for number in range(rounds):
        receiver, sender = context.Pipe(duplex=False)
        worker = context.Process(target=target, args=(sender, number))
        worker.start()
        sender.close()
        answer = receiver.recv()
        worker.join()
        assert worker.exitcode == 0, worker.exitcode
        assert answer == (number * 2, [0, 0]), answer
        receiver.close()
        worker.close()
    assert not multiprocessing.active_children()


if __name__ == "__main__":
    assert driver.cuInit(0) == 0
    steps.follow(work)
