"""In the fresh process: classes that go by value, made as cloudpickle makes them, and without importing it: that would
take as long as half the interpreter's start.

cloudpickle knows the classes that it has made by a text that goes with them, so that one that comes again, in an object
that the program sends, is the same class, and gets back to the parent as the parent's own. It is told of these when, and
if, the worker imports it.
"""
import sys
import types

# Of each copy of cloudpickle: its module's name to (text, class).
waiting = {}


def a_class(cloud, metaclass, name, bases, arguments, tracked_as):
    made = types.new_class(name, bases, {"metaclass": metaclass}, lambda space: space.update(arguments))
    return _tracked(cloud, tracked_as, made)


def fill_class(made, state):
    attributes = state[0]
    for name, value in attributes.items():
        if name != "_abc_impl":
            setattr(made, name, value)
    if "__firstlineno__" in attributes and sys.version_info >= (3, 13):
        # Setting the module deletes it.
        made.__firstlineno__ = attributes["__firstlineno__"]
    for registered in attributes.get("_abc_impl") or ():
        made.register(registered)


def an_enumeration(cloud, bases, name, qualname, members, module, tracked_as):
    metaclass = type(bases[-1])
    space = metaclass.__prepare__(name, bases)
    for member, value in members.items():
        space[member] = value
    made = metaclass.__new__(metaclass, name, bases, space)
    made.__module__, made.__qualname__ = module, qualname
    return _tracked(cloud, tracked_as, made)


def fill_enumeration(made, state):
    own, held = state
    fill_class(made, own)
    for name, attributes in held.items():
        vars(made._member_map_[name]).update(attributes)


def _tracked(cloud, tracked_as, made):
    track = getattr(sys.modules.get(cloud), "_lookup_class_or_track", None)
    if track is not None:
        return track(tracked_as, made)
    waiting.setdefault(cloud, []).append((tracked_as, made))
    return made


def tell(cloud):
    """A copy of cloudpickle was imported."""
    for tracked_as, made in waiting.pop(cloud.__name__, ()):
        cloud._lookup_class_or_track(tracked_as, made)
