"""In the fresh process: reads the sections of the pickle, one thing each, and goes on where one cannot be made again.

All sections are one pickle, which numbers the objects that it makes. The numbers of a section that broke off are given
to a trap, so that what follows finds its own objects; what refers to the broken one's meets the trap, and says so.
"""
import io
import pickle

from _forkguard.rebuild import NotCarried


class Reader:
    def __init__(self, body, buffers, ends):
        """`body` is the pickle, in a file."""
        self.body, self.buffers = body, [memoryview(buffer) for buffer in buffers]
        # Where each section ends, and how many buffers were written before that.
        self.ends = ends
        self.next = 0
        body.seek(0)
        self.unpickler = pickle.Unpickler(body, buffers=iter(self.buffers))

    def read(self):
        self.next += 1
        return self.unpickler.load()

    def give_up(self, text):
        """Leaves the section that has just failed."""
        begin = self.ends[self.next - 2][0] if self.next > 1 else 0
        end, first = self.ends[self.next - 1]
        made, body = self.unpickler.memo.copy(), self.body.getbuffer()
        sound = sum(operation.name == "MEMOIZE" for operation, _ in _steps(body[:begin]))
        numbered = [made[number] for number in range(sound)]
        numbered += _whole(body[begin:end], numbered, NotCarried(text))
        file = io.BytesIO(_numbering(len(numbered)) + body[end:])
        self.unpickler = _Renumbered(file, buffers=iter(self.buffers[first:]))
        self.unpickler.numbered = numbered
        self.unpickler.load()


class _Renumbered(pickle.Unpickler):
    def persistent_load(self, number):
        return self.numbered[number]


def _numbering(count):
    """A pickle that gives so many objects their numbers: setting an unpickler's memo does not work everywhere."""
    steps = [b"\x80\x05"]
    for number in range(count):
        steps += pickle.BININT, number.to_bytes(4, "little"), pickle.BINPERSID, pickle.MEMOIZE, pickle.POP
    return b"".join([*steps, pickle.NONE, pickle.STOP])


def _whole(section, before, trap):
    """What a section numbers: its texts, and the functions and classes that it names, which others use too; a trap in
    the place of all else."""
    numbered, last = [], []
    for operation, argument in _steps(section):
        if operation.name == "MEMOIZE":
            numbered.append(last[-1] if last else trap)
            continue
        if operation.name in ("SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINBYTES", "BINBYTES"):
            value = argument
        elif operation.name in ("BINGET", "LONG_BINGET"):
            value = (before + numbered)[argument]
        elif operation.name == "STACK_GLOBAL" and len(last) == 2:
            value = _named(*last)
        else:
            last = []
            continue
        last = [] if value is None else [*last[-1:], value]
    return numbered


def _named(module, name):
    try:
        return pickle.Unpickler(io.BytesIO(b"")).find_class(module, name)
    except Exception:
        return None


def _steps(pickles):
    import pickletools

    file = io.BytesIO(pickles)
    while file.tell() < len(pickles):
        for operation, argument, _ in pickletools.genops(file):
            yield operation, argument
