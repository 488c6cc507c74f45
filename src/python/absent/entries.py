"""What the library calls: `watch`, in the parent, and `tell`, in a child that was not told by the interpreter."""
import os

from _forkguard_absent import frameworks


def watch():
    """The handlers of a child run at the end of its repair, when it holds the GIL and no lock."""
    os.register_at_fork(before=frameworks.before_fork, after_in_child=frameworks.in_child)


tell = frameworks.in_child
