"""A tree as deep as its argument has letters: `generations.py PATTERN`, and a sibling beside each generation.

    .   the generation leaves CUDA alone
    i   it initialises CUDA: a driver of its own where one before it had

Answers a line of JSON with each generation's number and its sibling's, when all are there; stays until its input ends.
"""

import ctypes
import json
import os
import signal
import sys

PATTERN = sys.argv[1]
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)
driver = ctypes.CDLL("libcuda.so.1")


def initialise():
    answer = driver.cuInit(0)
    assert answer == 0, f"cuInit answers {answer} in generation {os.getpid()}"


def below(generation, tell):
    """Makes a sibling and the next generation, and answers with the numbers of all below."""
    if PATTERN[generation] == "i":
        initialise()
    if generation + 1 == len(PATTERN):
        tell([])
        return
    ours, theirs = os.pipe()
    sibling = os.fork()  # SIBLING
    if sibling == 0:
        stay()
    child = os.fork()  # CHILD
    if child == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        below(generation + 1, lambda numbers: os.write(theirs, json.dumps(numbers).encode() + b"\n"))
        stay()
    os.close(theirs)
    with os.fdopen(ours) as reader:
        numbers = json.loads(reader.readline() or "null")
    if numbers is None:
        sys.exit(f"generation {generation + 1} does not come")
    tell([[child, sibling], *numbers])


def stay():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    while True:
        signal.pause()


def main():
    below(0, lambda numbers: print(json.dumps([[os.getpid(), None], *numbers]), flush=True))
    sys.stdin.read()


main()
