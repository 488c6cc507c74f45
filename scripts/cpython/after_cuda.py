"""Runs suite.py in a process that has initialised CUDA: under the policy exec its forks become fresh processes."""

import ctypes
import sys

import suite

if __name__ == "__main__":
    answer = ctypes.CDLL("libcuda.so.1").cuInit(0)
    if answer != 0:
        sys.exit(f"after_cuda: cuInit answered {answer}")
    suite.main(*sys.argv[1:])
