"""Proves that classes of `__main__` are in a fresh process what they are after a fork. `exec_classes.py PIECE`

Each piece gives work to a pool's worker and prints what the parent got: the same line with plain forks and under
FORKGUARD_POLICY=exec, but for its last number: whether CUDA can be used there. What a worker answers is made again in
the parent, by the names of its classes.
"""
import ctypes
import dataclasses
import enum
import multiprocessing
import sys
import typing

context = multiprocessing.get_context("fork")
driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0


class Slotted:
    __slots__ = ("first", "__hidden")

    def __init__(self, first):
        self.first, self.__hidden = first, 2

    def hidden(self):
        return self.__hidden


class More(Slotted):
    __slots__ = "more"


def slots():
    made = More(1)
    made.more = 3
    try:
        made.other = 4
    except AttributeError:
        pass
    return made, hasattr(made, "other"), hasattr(made, "__dict__"), made.hidden()


class Outer:
    class Inner:
        class Innermost:
            def __eq__(self, other):
                return type(self) is type(other)

    class Failure(Exception):
        pass


def nested():
    return Outer.Inner.Innermost(), Outer.Failure("why"), Outer.Inner.Innermost.__qualname__


class Planet(enum.Enum):
    MERCURY = 3.3, 2.4
    EARTH = 5.9, 6.3
    TERRA = 5.9, 6.3

    def __init__(self, mass, radius):
        self.mass, self.radius = mass, radius

    def density(self):
        return self.mass / self.radius


class Access(enum.Flag):
    READ = 1
    WRITE = 2
    BOTH = 3


Planet.EARTH.note = "inhabited"


def enumerations():
    planets = Planet.EARTH.density(), Planet["TERRA"], list(Planet.__members__), Planet.EARTH.note
    return planets, Access["BOTH"], Access.READ | Access.WRITE is Access.BOTH, list(Access.__members__)


@dataclasses.dataclass
class Base:
    required: int
    filled: list = dataclasses.field(default_factory=list)


def constants():
    @dataclasses.dataclass
    class Derived(Base):
        more: int = 5

    field = dataclasses.fields(Base)[0]
    return Derived(1).more, field.default is dataclasses.MISSING, field.default_factory is dataclasses.MISSING


class Point(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_double)]

    def sum(self):
        return self.x + self.y


class Parts(ctypes.Union):
    _fields_ = [("whole", ctypes.c_uint32), ("bytes", ctypes.c_uint8 * 4)]


class Record(ctypes.Structure):
    _pack_ = 1
    _anonymous_ = ("parts",)
    _fields_ = [("tag", ctypes.c_char), ("parts", Parts), ("points", Point * 2), ("bits", ctypes.c_uint, 3)]


class Node(ctypes.Structure):
    pass


Node._fields_ = [("value", ctypes.c_int), ("next", ctypes.POINTER(Node))]


class Network(ctypes.BigEndianStructure):
    _fields_ = [("port", ctypes.c_uint16)]


Pointer = ctypes.POINTER(Point)
Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
record = Record(whole=258, bits=5)
shared = context.Array(Point, [(1, 2.5), (3, 4.5)])


def structures():
    with shared.get_lock():
        shared[1].x += 1
    node = Node(1, ctypes.pointer(Node(2)))
    made = list(record.bytes), record.bits, ctypes.sizeof(Record), Record.points.offset
    pointers = Pointer(Point(1, 2)).contents.sum(), node.next.contents.value, Pointer is ctypes.POINTER(Point)
    return made, pointers, Callback(lambda x: x * 2)(4), bytes(Network(1))


Name = typing.NewType("Name", str)


class Registered:
    known = []

    def __init__(self):
        self.known.append(self)
        self.call = self.answer

    def answer(self):
        return self


registered = Registered()


def by_name():
    """What pickle makes again by a name that is not there yet."""
    return Name("text"), Name.__supertype__ is str, registered.call() is registered, Registered.known[0] is registered


sent = None


def send():
    """In the parent: its class, in a message of the program's own."""
    global sent
    import cloudpickle

    sent = cloudpickle.dumps(Outer.Failure)


def tracked():
    """A class that comes again in such a message is the same; and so it is when it comes back."""
    import cloudpickle

    return cloudpickle.loads(sent) is Outer.Failure, cloudpickle.dumps(Outer.Failure)


def light():
    """Making classes does not take an import that the program has no need of."""
    return type(Outer.Failure()).__name__, "cloudpickle" in sys.modules


def ask(piece):
    return globals()[piece](), driver.cuInit(0)


if __name__ == "__main__":
    if sys.argv[1] == "tracked":
        send()
    with context.Pool(1) as pool:
        answer, init = pool.apply(ask, (sys.argv[1],))
    if sys.argv[1] == "slots":
        made = answer[0]
        answer = type(made) is More, made.first, made.more, made.hidden(), answer[1:]
    if sys.argv[1] == "nested":
        answer = answer[0] == Outer.Inner.Innermost(), type(answer[1]) is Outer.Failure, answer[2]
    if sys.argv[1] == "structures":
        answer = answer, shared[1].x
    if sys.argv[1] == "tracked":
        import cloudpickle

        answer = answer[0], cloudpickle.loads(answer[1]) is Outer.Failure
    print((answer, init))
