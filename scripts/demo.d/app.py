"""A program as many are: it asks whether CUDA is there, starts a pool of workers, and uses CUDA in them.

`app.py fork` makes the mistake, `app.py spawn` does not.
"""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import gpu


def work(number):
    data = bytes([number]) * 1024
    return sum(gpu.through_the_gpu(data)) // 1024


def main(start):
    device = "the GPU" if gpu.is_available() else "the CPU"
    print(f"app: working on {device}, workers by {start}", flush=True)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(start)) as pool:
        try:
            print("app: results", list(pool.map(work, range(4))), flush=True)
        except BrokenProcessPool:
            sys.exit("app: a worker died")
        except RuntimeError as error:
            sys.exit(f"app: a worker failed: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
