"""What must never be taken down in a forked child: its destructor would wait for threads that are not there, or call a
driver that is not."""


def keep(thing):
    """For ever, past the interpreter's end."""
    import ctypes  # not at the top: a program without these frameworks need not import it

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
