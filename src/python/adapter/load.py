"""Puts embedded modules together, in a package that no import statement of the program's can find by accident.

Runs in the parent, from source, and in a fresh process, from the code objects that the parent carried over.
"""
import marshal
import sys
import types

# A fresh process that starts one itself has objects of these classes.
KEPT = {"rebuild"}


def install(codes, native, called="_forkguard"):
    if isinstance(codes, bytes):
        codes = marshal.loads(codes)
    # A fresh worker that is a parent now has had the other half of it already.
    is_worker = called in sys.modules
    package = types.ModuleType(called)
    package.__path__ = []
    package.codes, package.native, package.is_worker = codes, native, is_worker
    sys.modules[called] = package
    try:
        for name, code in codes.items():
            if name == "load":
                continue
            module = sys.modules.get(called + "." + name)
            if module is None or name not in KEPT:
                module = types.ModuleType(called + "." + name)
                sys.modules[module.__name__] = module
                exec(code, module.__dict__)
            setattr(package, name, module)
    except BaseException:
        # What it imports may be there the next time: then no half of it is to be found.
        del sys.modules[module.__name__]
        if not is_worker:
            del sys.modules[called]
        raise
    return package


if "SOURCES" in globals():
    codes = {
        name: compile(source, "<forkguard: %s>" % name, "exec", dont_inherit=True)
        for name, source in SOURCES.items()
    }
    globals().update(vars(install(codes, NATIVE, PACKAGE).entries))
