"""`python -m forkguard …`: the command, for which a script (`run app.py`) is a program of this very Python."""

import os
import signal
import sys

from forkguard import command_path


def main():
    # This Python ignores them for itself, and what is ignored stays so in a program.
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    try:
        command = str(command_path())
        os.execve(command, ["forkguard"] + sys.argv[1:], dict(os.environ, FORKGUARD_PYTHON=sys.executable))
    except OSError as error:
        sys.stderr.write("forkguard: {}\n".format(error))
        return 125


if __name__ == "__main__":
    sys.exit(main())
