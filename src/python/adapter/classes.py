"""Classes that go by value: cloudpickle says what they consist of, `made_classes` makes them again. With what its own
way leaves out: slots, qualified names, what an enumeration's members hold. And ctypes' classes, which ctypes makes of
others and keeps.
"""
import sys
import types

from _forkguard import made_classes, rebuild, values
from _forkguard.errors import Refused, kind

# What making an enumeration gives each of its members.
OF_ENUM = {"_value_", "_name_", "__objclass__", "_sort_order_"}


def has_fields(cls):
    ctypes = sys.modules.get("_ctypes")
    return ctypes is not None and issubclass(cls, (ctypes.Structure, ctypes.Union))


def of_ctypes(cls):
    how = type(cls).__name__
    if issubclass(cls, type):
        # A metaclass: by a class that it has made.
        for name, value in list(vars(sys.modules["_ctypes"]).items()):
            if type(value) is cls:
                return rebuild.class_of, ("_ctypes", name)
    elif how == "PyCPointerType" and isinstance(getattr(cls, "_type_", None), type):
        if cls.__name__ == "LP_" + cls._type_.__name__:
            return rebuild.pointer_type, (cls._type_,)
    elif how == "PyCFuncPtrType" and cls.__module__ == "ctypes" and "CFunctionType" in cls.__qualname__:
        return rebuild.function_type, (cls._restype_, tuple(cls._argtypes_), cls._flags_)
    elif how == "PyCSimpleType":
        # Of the other byte order: `c_int_be` is found at `c_int`.
        for name in (cls.__qualname__, cls.__name__[: -len("_be")]):
            for order in ("__ctype_be__", "__ctype_le__"):
                if getattr(getattr(sys.modules["ctypes"], name, None), order, None) is cls:
                    return rebuild.attribute, ("ctypes", "%s.%s" % (name, order))
    return NotImplemented


def by_value(cls, cloud):
    """For a class of a module that no import finds: cloudpickle would give its name."""
    module = sys.modules.get(cls.__module__)
    if not values.is_made(module) or not values.resolves(cls, cls.__module__, cls.__qualname__):
        return None
    for name in (".cloudpickle", ".cloudpickle_fast"):
        reduce = getattr(sys.modules.get(cloud.__name__ + name), "_dynamic_class_reduce", None)
        if reduce is not None:
            return reduce(cls)
    raise Refused("the class %s of a module that was made at run time" % kind(cls))


def completed(cls, answer):
    """cloudpickle's answer for a class by value, with what it forgets."""
    shape = getattr(answer[0], "__name__", None) if isinstance(answer, tuple) and len(answer) == 6 else None
    if shape == "_make_skeleton_class":
        return _a_class(cls, *answer)
    if shape == "_make_skeleton_enum":
        return _an_enumeration(cls, *answer)
    return answer


def _a_class(cls, make, arguments, state, items, pairs, fill):
    attributes = dict(state[0])
    made_with = dict(arguments[3], __qualname__=cls.__qualname__)
    if "__slots__" in vars(cls):
        # cloudpickle sets it afterwards, when it makes no slots any more.
        attributes.pop("__slots__", None)
        made_with["__slots__"] = cls.__slots__
    for name, value in list(attributes.items()):
        if type(value) is types.MemberDescriptorType and value.__objclass__ is cls:
            del attributes[name]
    if has_fields(cls) and "_fields_" in attributes:
        # The fields' descriptors are made of it, after what says how the fields lie.
        for name, value in list(attributes.items()):
            if type(value).__name__ == "CField":
                del attributes[name]
        attributes["_fields_"] = attributes.pop("_fields_")
    arguments = (make.__module__, *arguments[:3], made_with, arguments[4])
    return made_classes.a_class, arguments, (attributes, *state[1:]), items, pairs, made_classes.fill_class


def _an_enumeration(cls, make, arguments, state, items, pairs, fill):
    """Its members under all their names, and what they hold beside their values."""
    members, held = {}, {}
    data = cls._member_type_
    for name, member in cls.__members__.items():
        members[name] = member._value_
        found = {key: value for key, value in vars(member).items() if key not in OF_ENUM}
        if found:
            held[member._name_] = found
        if data is not object and data.__eq__(member, member._value_) is not True:
            raise Refused("the enumeration %s, whose members are not what their values make" % kind(cls))
    attributes = {name: value for name, value in state[0].items() if name not in members}
    arguments = (make.__module__, *arguments[:3], members, *arguments[4:6])
    state = (attributes, *state[1:]), held
    return made_classes.an_enumeration, arguments, state, items, pairs, made_classes.fill_enumeration
