"""A large pickle on its way to a fresh process: what of it the one before had in the same place is not written again.

The workers of a pool differ in a name and a number; what they are given is the same, and 64 of them would have 64 copies
of it in memory while they start. Arrays are looked after by `buffers`; this is for the rest, texts and lists and what
else has no memory of its own to map. Each start pickles anew, so whatever has changed is in the bytes, and the bytes
are compared, all of them: only their being written is saved. They lie in a sealed memfd that the workers read from.
"""
from _forkguard import buffers

BLOCK = 1 << 18
# The whole pickle that was written last, for others to be compared with.
_kept = []


class Blocks:
    """Of one start: `store`, or None where the pickle is small, and `own`, what is not in it: (where, size)."""

    def __init__(self, body):
        self.store, self.own, self.written, self.size = None, [(0, len(body))], 0, len(body)
        if self.size < buffers.WORTH:
            return
        kept = next((store for store in reversed(_kept) if store.is_there()), None)
        if kept is not None:
            blocks = [(at, body[at : at + BLOCK]) for at in range(0, self.size, BLOCK)]
            ((_, end),) = kept.places
            differ = [(at, len(block)) for at, block in blocks if at + len(block) > end or not kept.holds(at, block)]
            if sum(size for _, size in differ) < buffers.WORTH:
                self.store, self.own = kept, differ
                kept.users += 1
                return
        self.store, self.own = buffers.Store([body]), []
        self.written = self.store.size
        _kept.append(self.store)

    def runs(self):
        """The pickle's parts in their order: (whether it is the store's, where, size)."""
        found, end, inside = [], 0, 0
        for at, size in self.own:
            found += [(True, end, at - end), (False, inside, size)]
            end, inside = at + size, inside + size
        found.append((True, end, self.size - end))
        return [run for run in found if run[2]]

    def release(self):
        """The fresh process has an fd of its own. One pickle is kept: the last large one, where there is room for it."""
        if self.store is not None:
            self.store.users -= 1
        room = buffers.available() // 4 if _kept else 0
        for store in _kept[:]:
            is_last = self.store in (store, None)
            if store.users == 0 and (store.size > room or not is_last):
                _kept.remove(store)
                store.close()
