"""What functions of the program's modules keep beside their code: closures, defaults, attributes of their own.

The functions themselves cross by name, so that importing makes them anew; a counter in a closure would begin again.
"""
import sys
import types

from _forkguard import reach, values
from _forkguard.own import is_own
from _forkguard.unwrapped import function_of

# Importing makes them, or finds them again.
CODE = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType, type)


def kept():
    """Pairs of (module, path and "()") and what the function of that name keeps."""
    for name, module in list(sys.modules.items()):
        if name == "__main__" or type(module) is not types.ModuleType or not is_own(name):
            continue
        for value in list(vars(module).values()):
            if isinstance(value, type) and value.__module__ == name:
                functions = list(vars(value).values())
            else:
                functions = [value]
            for function in functions:
                function = function_of(function)
                if type(function) is types.FunctionType and values.resolves(function, name, function.__qualname__):
                    held = _held(function)
                    if any(held):
                        yield (name, function.__qualname__ + "()"), held


def _held(function):
    cells = {}
    for number, cell in enumerate(function.__closure__ or ()):
        try:
            if not isinstance(cell.cell_contents, CODE):
                cells[number] = cell.cell_contents
        except ValueError:
            continue
    attributes = {name: value for name, value in vars(function).items() if not isinstance(value, CODE)}
    positional, named = function.__defaults__ or (), function.__kwdefaults__ or {}
    changed = any(type(value) not in reach.SIMPLE and not isinstance(value, CODE) for value in positional)
    changed_named = any(type(value) not in reach.SIMPLE and not isinstance(value, CODE) for value in named.values())
    return cells, positional if changed else None, named if changed_named else None, attributes
