"""Why a fork stays a fork, in words for the program's author."""


class Refused(Exception):
    """The text says what could not cross, and why."""


class Unused(Refused):
    """What costs too much to be carried to a worker that is not seen to use it."""

    def __init__(self, what):
        super().__init__("it holds %s, and nothing that the worker was given names it" % what)


def kind(value):
    """What a value is, as a person says it."""
    cls = value if isinstance(value, type) else type(value)
    module = cls.__module__
    return cls.__qualname__ if module == "builtins" else "%s.%s" % (module, cls.__qualname__)


def reason(error):
    """An exception in one line."""
    if isinstance(error, Refused):
        return str(error)
    text = " ".join(str(error).split())
    if len(text) > 160:
        text = text[:160] + "..."
    return "%s: %s" % (type(error).__name__, text) if text else type(error).__name__
