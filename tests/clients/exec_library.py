"""Proves that a library which nobody changed is as importing it makes it, wherever it lies. `exec_library.py WHERE`

cloudpickle is copied to a folder of its own on `sys.path`, with the records of its installation (`installed`) or
without (`vendored`, for all the guard knows a module of the program's). Its classes hold what can be pickled and not
made again (a table whose keys are the types of dictionary views), its module a cache of weak references.
"""
import ctypes
import importlib.util
import multiprocessing
import os
import shutil
import sys
import tempfile

where = sys.argv[1]
place = os.path.dirname(importlib.util.find_spec("cloudpickle").submodule_search_locations[0])
folder = tempfile.mkdtemp()
for name in os.listdir(place):
    if name == "cloudpickle" or where == "installed" and name.startswith("cloudpickle-"):
        shutil.copytree(os.path.join(place, name), os.path.join(folder, name))
sys.path.insert(0, folder)

import cloudpickle

assert cloudpickle.__file__.startswith(folder)
driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0


def work(number):
    function = cloudpickle.loads(cloudpickle.dumps(lambda: number))
    return function(), driver.cuInit(0)


try:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map_async(work, range(3)).get(60), flush=True)
finally:
    shutil.rmtree(folder)
