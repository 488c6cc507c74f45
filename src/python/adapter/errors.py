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


# Whose messages are about types and names. All others are the program's own words, which may hold what is nobody
# else's to know, and a reason is told to logs.
_MACHINERY = {"_forkguard", "cloudpickle", "copyreg", "importlib", "multiprocessing", "pickle"}


def reason(error):
    """An exception in one line: its message, or where the program raised it."""
    if isinstance(error, Refused):
        return str(error)
    name = type(error).__name__
    place = _place(error)
    if place:
        return "%s %s" % (name, place)
    text = " ".join(str(error).split())
    if text.startswith("Can't pickle ") and ": " in text:
        # Pickle shows the object as it shows itself.
        text = "Can't pickle it: %s" % text.rpartition(": ")[2]
    if len(text) > 160:
        text = text[:160] + "..."
    return "%s: %s" % (name, text) if text else name


def _place(error):
    """Where the program raised it; nothing where the machinery did."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    if at is None:
        return ""
    module = at.tb_frame.f_globals.get("__name__") or ""
    if _MACHINERY.intersection(str(module).split(".")):
        return ""
    code = at.tb_frame.f_code
    return "raised at %s:%d in %s" % (code.co_filename, at.tb_lineno, code.co_name)
