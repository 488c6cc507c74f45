"""What the program's own code sets in libraries: `Image.MAX_IMAGE_PIXELS = None`, `json.JSONEncoder.default = mine`.

Seen in the code: an attribute that is stored, or named for `setattr`, of something that is a library's module or class.
A library's variables are not carried otherwise: most say what the library has done in this very process.
"""
import dis
import sys
import types

from _forkguard import origin, values
from _forkguard.own import is_own

LOADS = {"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FAST", "LOAD_DEREF", "LOAD_FAST_BORROW"}
ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}
DOUBLES = {"DUP_TOP", "COPY"}
TURNS = {"ROT_TWO", "SWAP"}
# Carried in a way of their own, or the interpreter's.
OTHERWISE = {
    "sys": {"stdin", "stdout", "stderr", "path", "argv", "modules", "meta_path", "path_hooks", "path_importer_cache"},
    "os": {"environ", "environb"},
}

_STORE = dis.opmap["STORE_ATTR"]
# Of a module's code: pairs of the way to an owner, and an attribute.
_found = {}


def of_libraries():
    """Pairs of (module, path) and value."""
    seen = set()
    for space, code in _own_code():
        if code not in _found:
            _found[code] = list(_stores(code))
        for way, attribute in _found[code]:
            owner = _resolved(way, space)
            key = _key(owner, attribute)
            if key is not None and key not in seen:
                seen.add(key)
                yield key, vars(owner)[attribute]


def is_of_the_program(value):
    module = getattr(value if isinstance(value, (type, types.FunctionType)) else type(value), "__module__", None)
    return isinstance(module, str) and is_own(module)


def _key(owner, attribute):
    if isinstance(owner, types.ModuleType):
        module, path = owner.__name__, attribute
        if sys.modules.get(module) is not owner or attribute in OTHERWISE.get(module, ()):
            return None
    elif isinstance(owner, type):
        module, path = owner.__module__, "%s.%s" % (owner.__qualname__, attribute)
        if not owner.__flags__ & values.HEAP_TYPE or not values.resolves(owner, module, owner.__qualname__):
            return None
    else:
        return None
    if is_own(module) or module.startswith("_forkguard") or attribute.startswith("__") or attribute not in vars(owner):
        return None
    return None if isinstance(vars(owner)[attribute], types.ModuleType) else (module, path)


def _resolved(way, space):
    first, *rest = way
    owner = space.get(first, sys.modules.get(first))
    for name in rest:
        owner = vars(owner).get(name) if isinstance(owner, (types.ModuleType, type)) else None
    return owner


def _own_code():
    """The code of the program's modules, each with its globals."""
    for name, module in list(sys.modules.items()):
        if name not in ("__main__", "__mp_main__") and type(module) is types.ModuleType and is_own(name):
            code = origin.code_of(name)
            if code is not None:
                yield vars(module), code
    main = vars(sys.modules["__main__"])
    running = False
    for frame in sys._current_frames().values():
        while frame is not None:
            if frame.f_globals is main:
                running = running or frame.f_code.co_name == "<module>"
                yield main, frame.f_code
            frame = frame.f_back
    if not running:
        # What was typed in is gone, but for the functions.
        for value in list(main.values()):
            for part in vars(value).values() if isinstance(value, type) else [value]:
                if isinstance(part, types.FunctionType) and part.__globals__ is main:
                    yield main, part.__code__


def _stores(code):
    pending = [code]
    while pending:
        part = pending.pop()
        pending += [constant for constant in part.co_consts if isinstance(constant, types.CodeType)]
        if "setattr" in part.co_names:
            yield from _named(part)
        # A look at the bytes first: few of all functions store into anything but `self`.
        if _STORE in part.co_code[::2]:
            yield from _stored(list(dis.get_instructions(part)))


def _stored(steps):
    steps = [step for step in steps if step.opname not in ("CACHE", "EXTENDED_ARG", "NOP")]
    for number, step in enumerate(steps):
        if step.opname != "STORE_ATTR":
            continue
        last = number - 1
        if steps[last].opname in TURNS:
            # `owner.name += ...`: the owner was doubled before the attribute was read.
            while last > 0 and not (
                steps[last].opname in ATTRIBUTES
                and steps[last].argval == step.argval
                and steps[last - 1].opname in DOUBLES
            ):
                last -= 1
            last -= 2
        way = []
        while last > 0 and steps[last].opname in ATTRIBUTES:
            way.insert(0, steps[last].argval)
            last -= 1
        if last >= 0 and steps[last].opname in LOADS and steps[last].argval != "self":
            yield (steps[last].argval, *way), step.argval


def _named(part):
    """`setattr(owner, "name", ...)`: any text beside any name."""
    for text in part.co_consts:
        if type(text) is str and text.isidentifier():
            for name in part.co_names + part.co_varnames:
                yield (name,), text
