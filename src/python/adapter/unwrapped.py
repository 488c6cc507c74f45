"""The function behind a static method, a class method or a bound one."""
import types

WRAPPERS = (staticmethod, classmethod, types.MethodType)


def function_of(value):
    """Anything else is answered as it is, and not asked for a function: its class may answer for any name."""
    return value.__func__ if issubclass(type(value), WRAPPERS) else value
