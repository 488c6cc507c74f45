"""Hugging Face's datasets itself: `map` with two processes, forks by the multiprocess package, after numba counted the
GPUs. `plain`: the mapped function leaves CUDA alone; `cuda`: it uses numba. Prints what was mapped, or why it was not.
"""
import os
import sys
import tempfile

place = tempfile.TemporaryDirectory()
os.environ.update(HF_HOME=place.name, HF_HUB_OFFLINE="1", TMPDIR=place.name)

import datasets  # noqa: E402 (it reads the environment when it is imported)
import numpy  # noqa: E402
from numba import cuda  # noqa: E402
from numba.cuda.cudadrv.error import CudaSupportError  # noqa: E402


def plain(row):
    return {"mapped": "%d" % sum(row["numbers"])}


def compute(row):
    try:
        array = cuda.to_device(numpy.array(row["numbers"]))  # USE
    except CudaSupportError:
        return {"mapped": "%d without CUDA" % sum(row["numbers"])}
    return {"mapped": "%d with CUDA" % array.copy_to_host().sum()}


def main():
    datasets.disable_progress_bars()
    assert len(cuda.gpus) == 1  # INIT
    rows = datasets.Dataset.from_dict({"numbers": [[number, 2 * number] for number in range(4)]})
    try:
        mapped = rows.map(compute if sys.argv[1] == "cuda" else plain, num_proc=2)  # FORK
        print(mapped["mapped"][:])
    except Exception as error:
        print("%s: %s" % (type(error).__name__, str(error).splitlines()[0]))


if __name__ == "__main__":
    main()
