"""What a worker can come to use: the names in its code, from its target on.

The walk follows functions and classes of the program's own (`__main__` and the modules beside it), what they close
over, their globals, and what the process object holds. It sees more than will be used, never less, but for names that
are made at run time; code that asks for `globals()` or `eval` reaches every global of its module. Data in a class
counts as used where code that was walked names it: a library may ask for it by itself, and what was not carried says
so then.
"""
import builtins
import collections
import copyreg
import os
import sys
import types

from _forkguard import origin, values
from _forkguard.own import is_own
from _forkguard.unwrapped import function_of

# Objects looked at for one start. A larger graph is data, which pickle meets anyway.
MOST = 20000
MANY = 100
DYNAMIC = {"globals", "eval", "exec", "vars", "__import__"}
SIMPLE = (int, float, complex, str, bytes, bool, type(None))
CONTAINERS = (list, dict, set, tuple, frozenset, collections.deque)
CODE = (types.FunctionType, staticmethod, classmethod, property, type)
# Not the program's to change, or carried otherwise.
UNTOUCHABLE = {"builtins", "os", "posix", "warnings", "signal", "_forkguard"}


class Walk:
    """`reached` says, for (module, path of names), where it is used; `library` holds what library modules have."""

    def __init__(self):
        self.reached = {}
        self.library = {}
        self.seen = {}
        self.queue, self.data = [], []
        # What the walked code names, and the data of classes that waits to be named.
        self.names = set()
        self.class_data = {}
        # Whether it saw all that there was.
        self.complete = True
        self.takes_tasks = False
        self.tasks = None

    def run_for(self, process):
        target = vars(process).get("_target")
        self.takes_tasks = _module_of(target).rpartition(".")[2] in TAKE_TASKS
        return self.run(process)

    def run(self, *roots):
        for root in roots:
            self.add(root, "the worker's arguments")
        while (self.queue or self.data) and len(self.seen) < MOST:
            value, where = (self.queue or self.data).pop()
            self.look(value, where)
        self.complete = self.complete and not (self.queue or self.data)
        for key, where in self.class_data.items():
            if not self.complete or key[1].rpartition(".")[2] in self.names:
                self.reached.setdefault(key, where)
        return self

    def uses(self, key):
        """Whether the worker may be seen to use it; a pool's, also by a task that it may be given."""
        if key in self.reached:
            return True
        if self.tasks is None:
            self.tasks = Walk()
            if self.takes_tasks:
                self.tasks.run(*_tasks())
        return key in self.tasks.reached

    def add(self, value, where):
        if type(value) in SIMPLE or id(value) in self.seen:
            return
        # Kept alive, so that no other object gets this id meanwhile.
        self.seen[id(value)] = value
        self.queue.append((value, where))

    def look(self, value, where):
        cls = type(value)
        if cls is types.FunctionType:
            self.function(value)
        elif cls is types.MethodType:
            self.add(value.__func__, where)
            self.add(value.__self__, where)
        elif cls is types.MappingProxyType:
            self.items([*value.keys(), *value.values()], where)
        elif issubclass(cls, type):
            self.a_class(value)
        elif cls in (staticmethod, classmethod):
            self.add(value.__func__, where)
        elif cls is property:
            for part in (value.fget, value.fset, value.fdel):
                self.add(part, where)
        elif cls.__name__ == "partial" and cls.__module__ == "functools":
            self.add((value.func, value.args, value.keywords), where)
        elif cls is not types.ModuleType:
            self.an_object(value, cls, where)

    def an_object(self, value, cls, where):
        """Without a question to the object itself, whose class may do work for an answer."""
        for kind in CONTAINERS:
            if issubclass(cls, kind):
                self.items([*dict.keys(value), *dict.values(value)] if kind is dict else kind.__iter__(value), where)
        if cls in CONTAINERS:
            return
        self.add(cls, where)
        for name in ["__dict__", *copyreg._slotnames(cls)]:
            try:
                state = object.__getattribute__(value, name)
            except (AttributeError, TypeError):
                continue
            self.add(state, where)

    def items(self, found, where):
        """Much data is looked at after all code, of which it could keep this walk."""
        found = list(found)
        queue, self.queue = self.queue, []
        for item in found[:MOST]:
            self.add(item, where)
        few = len(found) < MANY
        self.data += [] if few else self.queue
        self.queue = queue + self.queue if few else queue
        self.complete = self.complete and len(found) <= MOST

    def a_class(self, cls):
        if not is_own(cls.__module__):
            return
        for base in cls.__mro__:
            if is_own(base.__module__):
                self.reached.setdefault((base.__module__, base.__qualname__), "a class of the worker's")
                for name, value in list(vars(base).items()):
                    where = "%s.%s" % (base.__qualname__, name)
                    found = self.reached if isinstance(value, CODE) else self.class_data
                    found.setdefault((base.__module__, where), "the class %s" % base.__qualname__)
                    self.add(value, where)

    def function(self, function):
        for cell in function.__closure__ or ():
            try:
                self.add(cell.cell_contents, function.__qualname__)
            except ValueError:
                pass
        self.add(function.__defaults__, function.__qualname__)
        self.add(function.__kwdefaults__, function.__qualname__)
        self.add(function.__dict__, function.__qualname__)
        home = function.__globals__.get("__name__")
        if function.__globals__ is vars(sys.modules["__main__"]):
            home = "__main__"
        if isinstance(home, str) and is_own(home):
            self.code(function.__code__, function.__globals__, home)

    def code(self, code, space, home):
        names, strings = set(), set()
        pending = [code]
        while pending:
            part = pending.pop()
            names.update(part.co_names)
            for constant in part.co_consts:
                if isinstance(constant, types.CodeType):
                    pending.append(constant)
                elif type(constant) is str:
                    strings.add(constant)
        self.names |= names | strings
        where = "%s (%s:%d)" % (code.co_name, os.path.basename(code.co_filename), code.co_firstlineno)
        if any(name in names and name not in space for name in DYNAMIC):
            names.update(space)
        for name in names:
            if name in space:
                self.reached.setdefault((home, name), where)
                value = space[name]
                if type(value) is types.ModuleType:
                    self.module(value, names | strings, where)
                else:
                    self.library_class(value if isinstance(value, type) else type(value), names | strings, where)
                    self.add(value, where)
            elif isinstance(sys.modules.get(name), types.ModuleType):
                # An import inside the function.
                self.module(sys.modules[name], names | strings, where)
            elif name in vars(builtins) and self.may_be_set(builtins, name, vars(builtins)[name]):
                self.reached.setdefault(("builtins", name), where)
                self.library["builtins", name] = vars(builtins)[name]
                self.add(vars(builtins)[name], where)

    def module(self, module, names, where):
        name, space = module.__name__, vars(module)
        own = is_own(name)
        for attribute in names:
            if attribute not in space or attribute.startswith("__"):
                continue
            value = space[attribute]
            if type(value) is types.ModuleType:
                if (name, attribute) not in self.reached:
                    self.reached[name, attribute] = where
                    self.module(value, names, where)
            elif own:
                self.reached.setdefault((name, attribute), where)
                self.add(value, where)
            elif isinstance(value, type):
                self.library_class(value, names, where)
            elif name == "sys" and type(value) in CONTAINERS:
                # The interpreter's own; `sys.path` and the like cross otherwise.
                continue
            elif name.partition(".")[0] not in UNTOUCHABLE and self.may_be_set(module, attribute, value):
                self.reached.setdefault((name, attribute), where)
                self.library[name, attribute] = value
                self.add(value, where)

    def library_class(self, cls, names, where):
        """Attributes of a library's class that the code names."""
        if is_own(cls.__module__) or not values.resolves(cls, cls.__module__, cls.__qualname__):
            return
        for attribute, value in list(vars(cls).items()):
            if attribute not in names or attribute.startswith("__") or hasattr(type(value), "__set__"):
                continue
            if self.may_be_set(cls, attribute, value):
                key = cls.__module__, "%s.%s" % (cls.__qualname__, attribute)
                self.reached.setdefault(key, where)
                self.library[key] = value

    @staticmethod
    def may_be_set(owner, attribute, value):
        """Whether a library's variable may be other than importing the library makes it."""
        if isinstance(value, (types.FunctionType, type)):
            return is_own(value.__module__) if isinstance(value.__module__, str) else False
        return type(value) in SIMPLE or type(value) in CONTAINERS or is_own(type(value).__module__)


# The modules, by their last names, whose workers are told what to do by a queue: multiprocessing's, billiard's and
# loky's `pool`, and concurrent.futures' `process`.
TAKE_TASKS = {"pool", "process", "process_executor"}


def _module_of(function):
    name = getattr(function, "__module__", None) or getattr(type(function), "__module__", None)
    return name if isinstance(name, str) else ""


def _tasks():
    """The functions and classes of `__main__`, but those that are running: they start the workers."""
    running = set()
    for frame in sys._current_frames().values():
        while frame is not None:
            running.add(frame.f_code)
            frame = frame.f_back
    for value in list(vars(sys.modules["__main__"]).values()):
        if isinstance(value, type) or isinstance(value, types.FunctionType) and value.__code__ not in running:
            yield value


# ---- the program's own modules


def own_values(walk):
    """What the program's imported modules hold at this moment that importing them again may not make: pairs of
    (module, path) and value."""
    for name, module in list(sys.modules.items()):
        if name == "__main__" or type(module) is not types.ModuleType or not is_own(name):
            continue
        for attribute, value in list(vars(module).items()):
            if attribute.startswith("__") or type(value) in (types.ModuleType, object):
                continue
            if isinstance(value, type):
                if values.resolves(value, name, attribute):
                    if value.__module__ == name:
                        yield from class_values(name, value)
                    continue
                if value.__module__ != "__main__":
                    continue
            elif isinstance(value, (types.FunctionType, types.BuiltinFunctionType)):
                owner = getattr(value, "__module__", None)
                if owner != "__main__" and not _is_replaced(name, attribute, value, owner):
                    continue
            yield (name, attribute), value


def _is_replaced(module, name, value, owner):
    """Whether the module defines a function of this name, and another one stands there that has a name of its own."""
    if owner == module and value.__qualname__ == name or not values.resolves(value, owner, value.__qualname__):
        return False
    code = origin.code_of(module)
    return code is not None and any(
        isinstance(constant, types.CodeType) and constant.co_name == name for constant in code.co_consts
    )


def _is_anothers(function, module, cls):
    """Whether a method was made elsewhere than in the body of its class, by the program."""
    owner = function.__module__
    if owner == module:
        return not function.__qualname__.startswith(cls.__qualname__ + ".") and values.resolves(
            function, owner, function.__qualname__
        )
    return isinstance(owner, str) and is_own(owner)


def class_values(module, cls):
    enum = sys.modules.get("enum")
    if enum is not None and issubclass(cls, enum.Enum):
        return
    ctypes = sys.modules.get("_ctypes")
    fields = ctypes is not None and issubclass(cls, (ctypes.Structure, ctypes.Union))
    for attribute, value in list(vars(cls).items()):
        kind = type(value)
        if attribute.startswith("__") or attribute.startswith("_abc_"):
            continue
        if fields and attribute in ("_fields_", "_anonymous_", "_pack_"):
            # To be set once, as the class is made.
            continue
        parts = [value.fget, value.fset, value.fdel] if kind is property else [function_of(value)]
        functions = [part for part in parts if type(part) is types.FunctionType]
        if functions:
            if not any(_is_anothers(part, module, cls) for part in functions):
                continue
        elif isinstance(value, type) or kind is property or hasattr(kind, "__get__"):
            continue
        yield (module, "%s.%s" % (cls.__qualname__, attribute)), value
