"""A module of the program's, for exec_state.py, which changes it at run time."""

value = 1
table = {}
singleton = None


def helper():
    return "original"


class Registry:
    items = []
