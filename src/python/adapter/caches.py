"""What `functools.lru_cache` remembers for functions of the program's own: a name drawn at random, settings that were
changed afterwards, are to be in a worker what they were in the parent, and not made once more.
"""
import functools
import gc
import sys
import types

from _forkguard import values
from _forkguard.own import is_own
from _forkguard.unwrapped import function_of

_marks = []


def kept():
    """Pairs of (module, path and "()") and what that function remembers: (arguments, named ones, result), the oldest
    first."""
    for name, module in list(sys.modules.items()):
        if type(module) is not types.ModuleType or not is_own(name):
            continue
        for value in list(vars(module).values()):
            members = vars(value).values() if isinstance(value, type) and value.__module__ == name else [value]
            for function in list(members):
                function = function_of(function)
                if type(function) is functools._lru_cache_wrapper and function.__module__ == name:
                    if values.resolves(function, name, getattr(function, "__qualname__", "")):
                        entries = entries_of(function)
                        if entries:
                            yield (name, function.__qualname__ + "()"), entries


def entries_of(function):
    """Read without a call, which would count, and hash the program's objects."""
    wrapped = getattr(function, "__wrapped__", None)
    if function.cache_info().currsize == 0 or type(wrapped) is not types.FunctionType:
        return []
    parameters = getattr(function, "cache_parameters", None)
    typed = parameters is not None and parameters()["typed"]
    referents = gc.get_referents(function)
    if not any(found is wrapped for found in referents):
        return []
    pairs = _pairs(function, referents)
    return [(*_arguments(key, typed), result) for key, result in pairs]


def _pairs(function, referents):
    size = function.cache_info().currsize
    tables = [found for found in referents if type(found) is dict and found is not function.__dict__]
    if function.cache_info().maxsize is None:
        return [pair for found in tables if len(found) == size for pair in found.items()][:size]
    for found in tables:
        if len(found) == size and all(type(link).__name__ == "_lru_list_elem" for link in found.values()):
            keys = set(map(id, found))
            # Each key is followed by its result.
            pairs, number = [], 0
            while number < len(referents) - 1 and len(pairs) < size:
                if id(referents[number]) in keys:
                    pairs.append((referents[number], referents[number + 1]))
                    number += 1
                number += 1
            return pairs
    return []


def _arguments(key, typed):
    """The call that a key was made of."""
    if type(key) is not tuple:
        return (key,), {}
    mark = _mark()
    positional = next((number for number, part in enumerate(key) if part is mark), None)
    if positional is None:
        return key[: len(key) // 2] if typed else key, {}
    named = key[positional + 1 :]
    if typed:
        named = named[: (len(named) - positional) // 3 * 2]
    return key[:positional], dict(zip(named[::2], named[1::2]))


def _mark():
    """What parts positional arguments from named ones in a key."""
    if not _marks:
        known = functools.lru_cache(None)(lambda **named: None)
        known(name=None)
        _marks.extend(next(iter(found))[0] for found in gc.get_referents(known) if type(found) is dict and found)
    return _marks[0]
