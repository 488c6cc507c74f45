"""Proves that threads which start workers at the same moment do not trip over each other in the adapter: the
interpreter is told to change threads at every instruction it can. Each worker gets an array of its own and answers with
its sum. Prints how many answers were right.
"""
import ctypes
import multiprocessing
import sys
import threading

import numpy

THREADS, STARTS = 6, 4
context = multiprocessing.get_context("fork")
assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
right = []


def work(array, connection):
    connection.send(int(array[::4096].sum()))


def start(number):
    ours, theirs = context.Pipe()
    array = numpy.full(1 << 22, number, numpy.uint8)
    for _ in range(STARTS):
        process = context.Process(target=work, args=(array, theirs))
        process.start()
        if ours.poll(60) and ours.recv() == number * 1024:
            right.append(number)
        process.join()


sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=start, args=(number,)) for number in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(right))
