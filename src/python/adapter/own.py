"""Which modules are the program's: neither Python's, nor installed, wherever they were installed to."""
import os
import sys

_library_roots = []
_own = {}
_folders = {}
_installed = {}


def is_own(name):
    if name == "__main__":
        return True
    if name not in _own:
        file = getattr(sys.modules.get(name), "__file__", None)
        if not isinstance(file, str) or name.startswith("_forkguard") or name == "__mp_main__":
            return False
        _own[name] = _is_own_file(_real(file), name)
    return _own[name]


def _real(file):
    """`os.path.realpath`, with each folder looked at once: a program with torch has a thousand modules."""
    folder, base = os.path.split(file)
    if folder not in _folders:
        _folders[folder] = os.path.realpath(folder)
    path = os.path.join(_folders[folder], base)
    return os.path.realpath(path) if os.path.islink(path) else path


def _is_own_file(path, name):
    parts = path.split(os.sep)
    if "site-packages" in parts or "dist-packages" in parts or path.startswith(tuple(_roots())):
        return False
    return _is_file(path) and not _is_installed(path, name)


def _is_file(path):
    """Also inside of a file: an archive that the program is run from."""
    while not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return os.path.isfile(path)


def _roots():
    if not _library_roots:
        import sysconfig

        found = set(sysconfig.get_paths().get(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
        found.add(os.path.dirname(os.__file__))
        _library_roots.extend(os.path.join(os.path.realpath(path), "") for path in found if path)
    return _library_roots


def _is_installed(path, name):
    """Whether an installer put it there (`pip install --target`, an unpacked image): its records name what it put."""
    top = name.partition(".")[0]
    folder = os.path.dirname(path)
    for _ in range(name.count(".") + (os.path.basename(path).startswith("__init__."))):
        folder = os.path.dirname(folder)
    if folder not in _installed:
        _installed[folder] = _recorded(folder)
    return top in _installed[folder] or os.path.basename(path) in _installed[folder]


def _recorded(folder):
    """The first parts of the paths that the records of a folder name."""
    found = set()
    try:
        records = [entry for entry in os.listdir(folder) if entry.endswith(".dist-info")]
    except OSError:
        return found
    for record in records:
        try:
            with open(os.path.join(folder, record, "RECORD"), encoding="utf-8", errors="replace") as lines:
                found.update(line.partition(",")[0].strip('"').partition("/")[0] for line in lines)
        except OSError:
            # A record without its list (some systems' packages): its name is mostly the module's.
            found.add(record.partition("-")[0])
    return found
