"""A module of the program's that replaces what another one has, for exec_state.py."""


def helper():
    return "replaced"
