"""Proves that large data crosses whole, once for all whose data is the same, and copied on write. `exec_large.py WHAT`

`texts`: large data that is no array, for workers that differ in their names; `same`: two arrays of the same data, and workers that find and write them, one after the other; `changed`: each worker
after a change of one byte; `unused`: a worker to which nothing names them. Prints what the workers saw, and which fds
they have more than the one before.
"""
import ctypes
import multiprocessing
import os
import sys

import numpy

driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0
context = multiprocessing.get_context("fork")
ours, theirs = context.Pipe()
SIZE = (200 if sys.argv[1] == "unused" else 16) << 20
first = numpy.zeros(SIZE, numpy.uint8)
second = numpy.zeros(SIZE, numpy.uint8)


def use():
    seen = int(first.sum()), int(second.sum())
    first[1] += 1
    return seen, int(first[1]), int(second[1])


def not_use():
    try:
        return len(getattr(sys.modules["__main__"], "fir" + "st"))
    except RuntimeError as error:
        return "more than 128 MiB" in str(error)


def start(look):
    process = context.Process(target=lambda: theirs.send((look(), len(os.listdir("/proc/self/fd")), driver.cuInit(0))))
    process.start()
    answer = ours.recv()
    process.join()
    return answer


def more(answers):
    return [(seen, count - answers[0][1], init) for seen, count, init in answers]


texts = {}


def count(number):
    return number, sum(map(len, texts.values())), texts[number % 8][:3], driver.cuInit(0)


def ends():
    return [text[0] + text[-1] for text in texts.values()]


if sys.argv[1] == "texts":
    texts.update((number, "%d" % number * (3 << 20)) for number in range(8))
    with context.Pool(9) as pool:
        assert pool.map(count, range(100)) == [(n, 24 << 20, "%d" % (n % 8) * 3, 0) for n in range(100)]
    print(start(ends)[0])
    texts[3] = "x" + texts[3][1:]
    print(start(ends)[0])
    texts.update((number, "%d" % (7 - number) * (3 << 20)) for number in range(8))
    print(start(ends)[0])
elif sys.argv[1] == "same":
    print(more([start(use) for _ in range(3)]), int(first.sum()))
elif sys.argv[1] == "changed":
    answers = []
    for number in range(8):
        first[-1] = number
        answers.append(start(use))
    print([seen for seen, _, _ in answers])
    print(max(count for _, count, _ in more(answers)) <= 4)
    kept = [os.readlink("/proc/self/fd/" + fd) for fd in os.listdir("/proc/self/fd") if int(fd) >= 100]
    print(sum("forkguard-buffers" in name for name in kept) <= 4)
else:
    print(start(not_use)[0])
