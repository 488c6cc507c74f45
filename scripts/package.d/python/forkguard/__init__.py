"""Names who initialised CUDA, who forked and who used it.

The guard is a library that is preloaded, and the command `forkguard` preloads it: `forkguard run python app.py`, or
`python -m forkguard run app.py`. Nothing here has to be imported. This package tells where the parts were installed.
"""

from pathlib import Path

__all__ = ["command_path", "include_path", "library_path"]


def library_path():
    """The library, for `LD_PRELOAD`."""
    return _installed("libexec/forkguard/libforkguard.so")


def command_path():
    """The command."""
    return _installed("bin/forkguard")


def include_path():
    """The folder of `forkguard.h`, for `cc -I`."""
    return _installed("include/forkguard.h").parent


def _installed(path):
    # The prefix is some folders up: PREFIX/lib/python3.12/site-packages, or, of `pip install --target`, right above.
    for prefix in list(Path(__file__).absolute().parents)[1:6]:
        if (prefix / path).is_file():
            return prefix / path
    raise FileNotFoundError("forkguard is not installed whole: {} is missing; install it again".format(path))


def __getattr__(name):
    if name == "__version__":
        from importlib.metadata import version

        return version("forkguard")
    raise AttributeError("module {!r} has no attribute {!r}".format(__name__, name))
