"""In the fresh process: keys whose class hashes them by their attributes are where their hash says.

An object that holds a dict or a set that holds the object is put there before it has its attributes, and hashed by what
it has not: it would not be found again. Nothing here runs where no class of the program's hashes its objects itself.
"""
import collections
import gc
import types


def hashes_itself(cls):
    """Whether Python code says what the hash of its objects is."""
    return type(getattr(cls, "__hash__", None)) is types.FunctionType


class Containers:
    """Those that are made between `__enter__` and `__exit__`."""

    def __enter__(self):
        # What is there already is set apart, and not looked through.
        gc.freeze()

    def __exit__(self, *error):
        try:
            for made in gc.get_objects():
                kind = type(made)
                if issubclass(kind, dict):
                    # As a plain dict, whatever it is: an ordered one does not find its own keys.
                    if any(map(_is_concerned, list(dict.keys(made)))):
                        _put_right_dict(made)
                elif issubclass(kind, set) and any(map(_is_concerned, list(set.__iter__(made)))):
                    _put_right_set(made)
        finally:
            gc.unfreeze()


def _is_concerned(key):
    cls = type(key)
    return any(map(_is_concerned, key)) if cls in (tuple, frozenset) else hashes_itself(cls)


def _have_hashes(keys):
    try:
        for key in keys:
            hash(key)
    except Exception:
        # Nor could the program look it up.
        return False
    return True


def _put_right_dict(made):
    kind = collections.OrderedDict if isinstance(made, collections.OrderedDict) else dict
    held = list(dict.items(made))
    if _have_hashes([key for key, _ in held]):
        kind.clear(made)
        for key, value in held:
            kind.__setitem__(made, key, value)


def _put_right_set(made):
    held = list(set.__iter__(made))
    if _have_hashes(held):
        set.clear(made)
        set.update(made, held)
