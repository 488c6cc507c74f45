"""A Python program that initialises CUDA from a known place.

    pystack.py SCENARIO gil|nogil

It proves nothing by itself: it prints, as JSON, the stack that Python says it has at the very
call of cuInit (file, line and function, innermost last), to be compared with the one in the
guard's `initialised` event. `nogil` calls as torch and ctypes.CDLL do, with the GIL released.
"""

import asyncio
import atexit
import ctypes
import functools
import json
import os
import sys
import threading

DRIVER = os.environ.get("PYSTACK_DRIVER", "libcuda.so.1")
LIBRARY = {"gil": ctypes.PyDLL, "nogil": ctypes.CDLL}[sys.argv[2]](DRIVER)
INIT = LIBRARY.cuInit
SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


def frames():
    """The caller's stack as the guard is to tell it, innermost last."""
    found = []
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        name = getattr(code, "co_qualname", code.co_name)
        found.append([code.co_filename, frame.f_lineno, name])
        frame = frame.f_back
    return found[::-1]


def expect(stack):
    print(json.dumps(stack))
    sys.stdout.flush()


def call():
    # One line: the stack told and the stack at the call are the same.
    expect(frames()); INIT(0)  # fmt: skip


@scenario
def plain():
    call()


@scenario
def many_lines():
    functools.partial(
        lambda first, second: call(),
        1,
    )(
        2,
    )


@scenario
def class_init():
    class Caller:
        def __init__(self, really):
            if really:
                call()

    # Called often enough for the interpreter to specialise the call.
    for count in range(100):
        Caller(count == 99)


@scenario
def from_c():
    sorted([1], key=lambda _: [call() for _ in range(1)])


@scenario
def generator():
    def inner():
        call()
        yield 1

    def outer():
        yield from inner()

    for _ in outer():
        pass


@scenario
def coroutine():
    async def inner():
        await asyncio.sleep(0)
        call()

    async def outer():
        await inner()

    asyncio.run(outer())


@scenario
def thread():
    started = threading.Thread(target=call)
    started.start()
    started.join()


@scenario
def many_threads():
    """Other threads hold the GIL all the time, each deep in frames of its own."""
    stop = threading.Event()

    def spin(depth):
        if depth:
            return spin(depth - 1)
        while not stop.is_set():
            sum(range(100))

    threads = [threading.Thread(target=spin, args=(20,)) for _ in range(4)]
    for each in threads:
        each.start()
    call()
    stop.set()
    for each in threads:
        each.join()


@scenario
def unknown_thread():
    """A thread that Python has never heard of calls cuInit: no frames."""
    expect([])
    _run_in_foreign_thread(ctypes.cast(INIT, ctypes.c_void_p))


@scenario
def callback_thread():
    """A thread that is not Python's calls back into Python."""
    callback = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda _: call())
    _run_in_foreign_thread(callback)


def _run_in_foreign_thread(function):
    libc = ctypes.CDLL(None)
    handle = ctypes.c_ulong()
    assert libc.pthread_create(ctypes.byref(handle), None, function, None) == 0
    assert libc.pthread_join(handle, None) == 0


def _recurse(depth):
    if depth:
        _recurse(depth - 1)
    else:
        call()


@scenario
def recursion_60():
    _recurse(50)


@scenario
def recursion_500():
    _recurse(500)


@scenario
def recursion_deep():
    # To 3.10 each Python call uses C stack.
    depth = 3000 if sys.version_info < (3, 11) else 100_000
    sys.setrecursionlimit(depth + 100)
    _recurse(depth)


@scenario
def recursion_bottomless():
    """Deeper than the guard looks: only the innermost frames."""
    depth = 3000 if sys.version_info < (3, 11) else 400_000
    sys.setrecursionlimit(depth + 100)
    _recurse(depth)


def _file(name):
    """Code in a file of that name."""
    source = "def inside():\n\n    expect(frames()); INIT(0)\ninside()\n"
    exec(compile(source, name, "exec"), dict(globals()))


@scenario
def file_latin():
    _file("caf\xe9/\xfc.py")


@scenario
def file_wide():
    _file("\u6587\u4ef6/\u0416.py")


@scenario
def file_astral():
    _file("\U0001f40d/caf\xe9.py")


@scenario
def file_surrogate():
    _file(os.fsdecode(b"caf\xe9/\xff.py"))


@scenario
def file_empty():
    _file("")


@scenario
def file_with_newline():
    _file('a "quoted"\n\\name\t\x01.py')


@scenario
def file_long():
    _file("/".join("directory%03d" % number for number in range(300)) + "/\u0416.py")


@scenario
def many_long_files():
    """More text than is kept: every frame has its line and the end of its file's name."""
    # Each frame is of another file.
    function = call
    for number in range(45):
        name = "d" * 150 + "/%03d/file%03d.py" % (number, number)
        names = {"function": function}
        exec(compile("def f%d(): function()" % number, name, "exec"), names)
        function = names["f%d" % number]
    function()


@scenario
def at_exit():
    atexit.register(call)


@scenario
def last_destructor():
    """An object that lives until the interpreter clears the main module."""
    global LAST

    class Last:
        # What the destructor needs is gone from the module by then.
        def __del__(self, expect=expect, frames=frames, init=INIT):
            expect(frames()); init(0)  # fmt: skip

    LAST = Last()


@scenario
def subinterpreter():
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    source = "\n".join(
        [
            "import sys",
            "sys.path[:] = %r" % sys.path,
            "sys.argv = ['', '', %r]" % sys.argv[2],
            "sys.path.insert(0, %r)" % os.path.dirname(os.path.abspath(__file__)),
            "import pystack",
            "pystack.call()",
        ]
    )
    interpreter = _create(interpreters)
    # The stack around the subinterpreter is told too: it is all that can be seen in some versions.
    outside, failure = frames(), interpreters.run_string(interpreter, source)
    expect(outside)
    assert not failure, failure


def _create(interpreters):
    """A subinterpreter that may load extension modules like ctypes."""
    for arguments, options in ((("legacy",), {}), ((), {"isolated": False})):
        try:
            return interpreters.create(*arguments, **options)
        except TypeError:
            pass
    return interpreters.create()


if __name__ == "__main__":
    SCENARIOS[sys.argv[1]]()
