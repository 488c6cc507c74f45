"""In the fresh process: what modules are to hold beside what importing them makes.

Applied at once to those that are imported, and to the others when they are.
"""
import sys
import types

from _forkguard.unwrapped import function_of


class Overlays:
    def __init__(self):
        self.waiting = {}

    def add(self, module, path, value):
        if module == "__main__":
            vars(sys.modules["__main__"])[path] = value
            return
        self.when_imported(module, lambda found: _set(found, path, value))

    def keep(self, module, path, held):
        """What a function of that name keeps."""
        self.when_imported(module, lambda found: _keep(found, path, held))

    def remember(self, module, path, entries):
        """What a cached function of that name has answered."""
        if module == "__main__":
            _remember(sys.modules["__main__"], path, entries)
        else:
            self.when_imported(module, lambda found: _remember(found, path, entries))

    def fill(self, module, path, value):
        """A library's variable: a container stays the one that the library has elsewhere too."""
        self.when_imported(module, lambda found: _fill(found, path, value))

    def when_imported(self, module, action):
        self.waiting.setdefault(module, []).append(action)

    def apply(self):
        for name in list(self.waiting):
            if name in sys.modules:
                self.done(sys.modules[name], name)
        if self.waiting:
            sys.meta_path.insert(0, self)

    def done(self, module, name):
        for action in self.waiting.pop(name, ()):
            action(module)

    def find_spec(self, name, path=None, target=None):
        if name not in self.waiting:
            return None
        for finder in list(sys.meta_path):
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader, self)
                return spec
        return None


class _Loader:
    """Loads as the true loader does, then steps aside."""

    def __init__(self, true, overlays):
        self.true, self.overlays = true, overlays

    def __getattr__(self, name):
        return getattr(self.true, name)

    def create_module(self, spec):
        return self.true.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.true
        self.true.exec_module(module)
        self.overlays.done(module, module.__name__)


def _keep(module, path, held):
    cells, positional, named, attributes = held
    function = _function(module, path)
    for number, contents in cells.items():
        function.__closure__[number].cell_contents = contents
    if positional is not None:
        function.__defaults__ = positional
    if named is not None:
        function.__kwdefaults__ = named
    vars(function).update(attributes)


def _function(module, path):
    *owners, name = path[: -len("()")].split(".")
    for owner in owners:
        module = getattr(module, owner)
    return function_of(vars(module)[name])


def _remember(module, path, entries):
    """By the cache itself, which calls the function for what it does not know: for that moment, one that answers."""
    try:
        cached = _function(module, path)
        function = cached.__wrapped__
        code = function.__code__
        answers = []
        function.__code__ = _answering(code.co_freevars, answers)
    except (AttributeError, KeyError):
        # Not the function that the parent has: it begins anew.
        return
    try:
        for positional, named, result in entries:
            answers[:] = [result]
            cached(*positional, **named)
    except Exception:
        # An argument that cannot be hashed here.
        cached.cache_clear()
    finally:
        function.__code__ = code


def _answering(closed_over, answers):
    """Code that can stand in a function with this closure, and answers what the list holds."""
    names = ", ".join(closed_over)
    source = "def outer(%s):\n def inner(*p, **n):\n  return 'answers'.pop()\n  (%s)\n return inner"
    space = {}
    exec(source % (names, names or "()"), space)
    code = space["outer"](*closed_over).__code__
    return code.replace(co_consts=tuple(answers if part == "answers" else part for part in code.co_consts))


def _fill(module, path, value):
    owner = module
    for name in path.split("."):
        owner = getattr(owner, name, None)
    if type(owner) is not type(value) or type(value) not in (list, dict, set):
        _set(module, path, value)
    elif owner != value:
        owner.clear()
        (owner.extend if type(value) is list else owner.update)(value)


def _set(module, path, value):
    *owners, name = path.split(".")
    for owner in owners:
        module = getattr(module, owner)
    if type(module) in (types.ModuleType,):
        vars(module)[name] = value
    else:
        setattr(module, name, value)
