"""In the fresh process: reads the sections of the pickle, one thing each, and goes on where one cannot be made again.

All sections are one pickle, which numbers the objects that it makes. The numbers of a section that broke off are given
to a trap, so that what follows finds its own objects; what refers to the broken one's meets the trap, and says so.
"""
import io
import pickle

from _forkguard.rebuild import NotCarried


class Reader:
    def __init__(self, body, buffers, ends):
        self.body, self.buffers = body, [memoryview(buffer) for buffer in buffers]
        # Where each section ends, and how many buffers were written before that.
        self.ends = ends
        self.next = 0
        self.unpickler = pickle.Unpickler(io.BytesIO(body), buffers=iter(self.buffers))

    def read(self):
        self.next += 1
        return self.unpickler.load()

    def give_up(self, text):
        """Leaves the section that has just failed."""
        begin = self.ends[self.next - 2][0] if self.next > 1 else 0
        end, first = self.ends[self.next - 1]
        sound, broken = _numbered(self.body[:begin]), _numbered(self.body[begin:end])
        made = self.unpickler.memo.copy()
        numbered = [made[number] for number in range(sound)] + [NotCarried(text)] * broken
        again = _numbering(len(numbered))
        file = io.BytesIO(again + self.body[end:])
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


def _numbered(pickles):
    """How many objects these pickles number."""
    import pickletools

    count, file = 0, io.BytesIO(pickles)
    while file.tell() < len(pickles):
        count += sum(operation.name == "MEMOIZE" for operation, _, _ in pickletools.genops(file))
    return count
