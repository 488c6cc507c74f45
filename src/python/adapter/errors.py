"""Why a fork stays a fork, in words for the program's author."""


class Refused(Exception):
    """The text says what could not cross, and why."""


class OnGpu(Refused):
    """What is on the GPU crosses only to a worker that is seen to use it: the others are not to initialise CUDA."""

    def __init__(self, what):
        super().__init__("it holds a %s on the GPU, and nothing that the worker was given names it" % what)


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
