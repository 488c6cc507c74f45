"""Proves that an object which its class hashes by an attribute is found in the dicts and sets of a fresh process, also in
those that it holds itself. Prints the same line with plain forks and under FORKGUARD_POLICY=exec, but for `init`.
"""
import collections
import ctypes
import multiprocessing

context = multiprocessing.get_context("fork")
ours, theirs = context.Pipe()
driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0


class Part:
    def __init__(self, name):
        self.name = name

    def __eq__(self, other):
        return isinstance(other, Part) and self.name == other.name

    def __hash__(self):
        # What the class is made with, an object that has no name yet has not.
        return hash(getattr(self, "name", None))


root, leaf = Part("root"), Part("leaf")
root.table = {root: "itself", leaf: "the leaf", "text": 1}
root.all = {root, leaf}
root.pairs = {(root, leaf): "both"}
root.order = collections.OrderedDict([(leaf, 1), (root, 2)])
root.counts = collections.Counter([root, root, leaf])
outside = {root: 1, leaf: 2}


def work():
    again = Part("root")
    saw = (
        [root.table[key] for key in (root, again, leaf, "text")],
        root in root.all and leaf in root.all and again in root.all,
        root.pairs[root, leaf],
        [(key.name, value) for key, value in root.order.items()],
        root.counts[again],
        outside[again],
        [len(held) for held in (root.table, root.all, root.pairs, root.order, root.counts)],
    )
    theirs.send((saw, driver.cuInit(0)))


process = context.Process(target=work)
process.start()
process.join(60)
assert process.exitcode == 0, process.exitcode
saw, init = ours.recv()
print(saw, "init", init, flush=True)
