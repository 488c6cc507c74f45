"""What must never be taken down in a forked child: its destructor would wait for threads that are not there, or call a
driver that is not."""
import atexit

_kept = []


def keep(thing):
    """For ever, past the interpreter's end."""
    if not _kept:
        atexit.register(_past_the_end)
    _kept.append(thing)


def _past_the_end():
    """With a reference that nobody gives back. Not before: few children end in order, and this takes its time."""
    import ctypes  # not at the top: a program without these frameworks need not import it

    for thing in _kept:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
