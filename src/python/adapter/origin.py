"""What importing a module makes of its names, by the module's code: neither side has the module as it was made."""
import importlib.util
import sys
import types

_codes = {}


def code_of(module):
    if module not in _codes:
        try:
            if module in sys.modules:
                spec = sys.modules[module].__spec__
            else:
                spec = importlib.util.find_spec(module)
            _codes[module] = spec.loader.get_code(module)
        except Exception:
            _codes[module] = None
    return _codes[module]
# What changes a container in its place.
CHANGES = {"STORE_SUBSCR", "DELETE_SUBSCR"}
CHANGING = set("add append appendleft clear discard extend insert pop popitem remove setdefault update".split())


def made_by_import(module, path):
    """Whether importing the module makes this value, and no function of the module says that it changes it later."""
    *classes, name = path.split(".")
    code = code_of(module)
    for part in classes:
        code = _body(code, part)
    if code is None or name not in code.co_names:
        return False
    import dis

    stores = {"STORE_ATTR", "DELETE_ATTR"} if classes else {"STORE_GLOBAL", "DELETE_GLOBAL", "STORE_ATTR"}
    pending = _inner(code_of(module))
    while pending:
        part = pending.pop()
        pending += _inner(part)
        if part is not code and name in part.co_names:
            if not CHANGING.isdisjoint(part.co_names):
                return False
            for step in dis.get_instructions(part):
                if step.opname in CHANGES or step.opname in stores and step.argval == name:
                    return False
    return True


def may_be_made_by_import(module, path):
    """Whether nothing shows that it was the program, not the library, that put it there."""
    *classes, name = path.split(".")
    code = code_of(module)
    for part in classes:
        code = _body(code, part)
    return code is None or name in code.co_names or ("*",) in code.co_consts


def _body(code, name):
    return next((part for part in _inner(code) if part.co_name == name), None) if code is not None else None


def _inner(code):
    return [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
