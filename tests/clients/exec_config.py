"""A module of the program's, for exec_state.py, which changes it at run time."""
import functools

value = 1
table = {}
singleton = None


def helper():
    return "original"


class Registry:
    items = []


@functools.lru_cache()
def remembered(name):
    return {"name": name}
