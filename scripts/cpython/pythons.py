"""Which Pythons this machine has, and which of CPython's own suites they bring."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# suite.py can make these where a Python was installed without them.
CAN_BE_REBUILT = {"test_multiprocessing_spawn", "test_multiprocessing_fork", "test_multiprocessing_forkserver"}

# The modules that a Python has, one a line.
ASK = """
import importlib.util, sys
for name in sys.argv[1:]:
    if importlib.util.find_spec("test") and importlib.util.find_spec("test." + name):
        print(name)
"""


def candidates(version):
    """Every Python called `version` (or at that path) that this machine might have, best known place first."""
    if os.sep in version:
        return [Path(version)]
    roots = [os.environ.get("PYENV_ROOT")]
    if shutil.which("pyenv"):
        asked = subprocess.run(["pyenv", "root"], stdout=subprocess.PIPE, text=True, check=False)
        roots.append(asked.stdout.strip())
    found = []
    for root in filter(None, roots):
        for home in sorted(Path(root, "versions").glob(version + ".*"), reverse=True):
            found.append(home / "bin" / f"python{version}")
    for directory in os.get_exec_path():
        # pyenv's shims answer for a Python only where it is switched on.
        if Path(directory).name != "shims":
            found.append(Path(directory, f"python{version}"))
    return [python for python in found if os.access(python, os.X_OK)]


def modules_of(python, wanted):
    """Those of `wanted` that this Python has, or that can be made for it."""
    answer = subprocess.run(
        [str(python), "-I", "-c", ASK, "_test_multiprocessing", *wanted],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    has = set(answer.stdout.split())
    if "_test_multiprocessing" in has:
        has |= CAN_BE_REBUILT
    return has.intersection(wanted)


def best(version, wanted):
    """The Python of this version that brings most of the suites, and those it has."""
    pythons = [(modules_of(python, wanted), python) for python in candidates(version)]
    return max(pythons, key=lambda pair: len(pair[0]), default=(set(), None))


def usual_version(wanted):
    """The version of the Python that runs this, unless only another one here has all the suites."""
    own = "{}.{}".format(*sys.version_info)
    others = [f"3.{minor}" for minor in range(20, 7, -1)]
    return next((v for v in [own, *others] if best(v, wanted)[0].issuperset(wanted)), own)


def full_version(python):
    asked = [str(python), "-c", "import sys; print(sys.version.split()[0])"]
    return subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


# Every interpreter of the environment reads this as it starts: one is told to initialise CUDA, not those it starts.
TOLD = """import os; os.environ.pop("INITIALISE_CUDA", None) and __import__("ctypes").CDLL("libcuda.so.1").cuInit(0)\n"""


def with_cloudpickle(python, place, found_in=None):
    """An interpreter of the same Python that has cloudpickle, in an environment of its own.

    `found_in` is a folder that has it, for a Python that can install nothing.
    """
    own = place / "bin" / "python"
    same = own.exists() and (place / "made-for").exists() and (place / "made-for").read_text() == str(python)
    if not (same and subprocess.run([str(own), "-c", "import cloudpickle"], stderr=subprocess.DEVNULL).returncode == 0):
        pip = ["--without-pip"] if found_in else []
        subprocess.run([str(python), "-m", "venv", "--clear", *pip, str(place)], check=True)
        if not found_in:
            pip = [str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "cloudpickle==3.*"]
            subprocess.run(pip, check=True)
        for site in place.glob("lib/python*/site-packages"):
            (site / "initialise_cuda.pth").write_text(f"{found_in}\n{TOLD}" if found_in else TOLD)
        (place / "made-for").write_text(str(python))
    return own
