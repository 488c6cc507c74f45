"""What programs do with torch's workers on the CPU: `scenarios.py NAME plain|after-cuda`; without NAME, the names.

Each scenario prints results that are the same in every run. `plain` forks as any program does; `after-cuda` initialises
CUDA first (by the driver alone, which is a stand-in where scripts/check-torch runs this) and every worker must be able
to use CUDA itself. There is no main guard, which a fork does not need.
"""
import ctypes
import os
import random
import sys
import tempfile

import numpy
import torch
import torch.multiprocessing
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

AFTER_CUDA = sys.argv[2:] == ["after-cuda"]
fork = torch.multiprocessing.get_context("fork")


def use_cuda():
    """In a worker: CUDA answers, because it was initialised nowhere before."""
    if AFTER_CUDA:
        answer = ctypes.CDLL("libcuda.so.1").cuInit(0)
        assert answer == 0, "cuInit answers %d in the worker" % answer


def worker_starts(number):
    use_cuda()


class Squares(Dataset):
    def __init__(self, count=10):
        self.values = torch.arange(float(count))
        self.scale = numpy.full(3, 2.0)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, index):
        return self.values[index] ** 2, self.scale * index


class Stream(IterableDataset):
    """Each worker takes its share, as the documentation has it."""

    def __iter__(self):
        info = get_worker_info()
        return iter(range(info.id, 12, info.num_workers))


class Remembering(Squares):
    """Counts what it was asked for, in the worker."""

    asked = 0

    def __getitem__(self, index):
        self.asked += 1
        return index, self.asked


class Failing(Squares):
    def __getitem__(self, index):
        if index == 5:
            raise ValueError("item 5 is bad")
        return super().__getitem__(index)


class Seeds(Squares):
    def __getitem__(self, index):
        info = get_worker_info()
        drawn = (random.random(), float(numpy.random.random()), torch.rand(1).item())
        return info.id, info.seed == torch.initial_seed(), drawn


def loader_of(dataset, **more):
    settings = {"batch_size": 2, "num_workers": 2, "multiprocessing_context": "fork", "worker_init_fn": worker_starts}
    return DataLoader(dataset, **{**settings, **more})


def map_style():
    for values, scaled in loader_of(Squares()):
        print(values.tolist(), scaled.tolist())
    shuffled = loader_of(Squares(), shuffle=True, generator=torch.Generator().manual_seed(4))
    for _ in range(2):
        print([values.tolist() for values, _ in shuffled])


def iterable():
    print([batch.tolist() for batch in loader_of(Stream())])


def persistent():
    loader = loader_of(Remembering(), persistent_workers=True, prefetch_factor=1)
    for epoch in range(3):
        print(epoch, [(index.tolist(), asked.tolist()) for index, asked in loader])


def worker_raises():
    try:
        for values, _ in loader_of(Failing()):
            print(values.tolist())
    except ValueError as error:
        lines = str(error).splitlines()
        print(lines[0], "...", lines[-1])
        print(any("in __getitem__" in line for line in lines))


def worker_dies():
    def end(number):
        use_cuda()
        if number == 1:
            os._exit(3)

    try:
        for values, _ in loader_of(Squares(), worker_init_fn=end, timeout=60):
            pass
    except RuntimeError as error:
        print("exited unexpectedly" in str(error))


def seeds():
    def begin(number):
        use_cuda()
        random.seed(torch.initial_seed())
        numpy.random.seed(torch.initial_seed() % 2**32)

    generator = torch.Generator().manual_seed(11)
    for number, same, drawn in loader_of(Seeds(4), batch_size=None, worker_init_fn=begin, generator=generator):
        print(number, same, drawn)
    torch.manual_seed(12)
    for number, same, drawn in loader_of(Seeds(4), batch_size=None, worker_init_fn=begin):
        print(number, same, drawn)


def random_state():
    """A worker goes on drawing where its parent was."""

    def draw(answers):
        use_cuda()
        answers.put((float(numpy.random.random()), torch.rand(1).item()))

    numpy.random.seed(2)
    torch.manual_seed(3)
    answers = fork.SimpleQueue()
    process = fork.Process(target=draw, args=(answers,))
    process.start()
    print(answers.get())
    process.join()
    print(float(numpy.random.random()), torch.rand(1).item())


def collate():
    offset = torch.tensor(0.5)

    def joined(items):
        return torch.stack([values for values, _ in items]) + offset

    print([batch.tolist() for batch in loader_of(Squares(9), collate_fn=joined, drop_last=True)])


shared = torch.zeros(4).share_memory_()
private = torch.zeros(4)
whole = torch.arange(6.0)
part = whole[2:4]
sparse = torch.tensor([[0.0, 2.0], [3.0, 0.0]]).to_sparse()
half = torch.ones(3, dtype=torch.bfloat16)
weights = torch.nn.Parameter(torch.full((2,), 3.0))


def tensors():
    """Shared ones are the parent's, private ones a copy, views stay views."""

    def work(given, answers):
        use_cuda()
        shared[0] = 1
        given[1] = 2
        private[0] = 9
        whole[2] = 40
        answers.put((shared.tolist(), private.tolist(), part.tolist(), sparse.to_dense().tolist(), half.dtype))
        answers.put((weights.requires_grad, (weights * 2).sum().item(), private.is_shared(), given is shared))

    answers = fork.SimpleQueue()
    process = fork.Process(target=work, args=(shared, answers))
    process.start()
    print(answers.get(), answers.get())
    process.join()
    print(shared.tolist(), private.tolist(), part.tolist(), private.is_shared())


def queue():
    """Tensors through torch's queues, both ways, each owned by whoever got it."""

    def double(asked, answered):
        use_cuda()
        for tensor in iter(asked.get, None):
            answered.put(tensor * 2)
        asked.task_done()

    asked, answered = fork.JoinableQueue(), fork.Queue()
    process = fork.Process(target=double, args=(asked, answered))
    process.start()
    for number in range(3):
        asked.put(torch.full((300, 2), float(number)))
        print(answered.get().sum().item())
    asked.put(None)
    process.join()
    print(process.exitcode)


def scale(tensor):
    use_cuda()
    return (tensor * weights.sum()).detach()


def pool():
    with fork.Pool(2) as workers:
        results = workers.map(scale, [torch.full((3,), float(number)) for number in range(4)])
        print([result.tolist() for result in results])


def shared_model():
    """Hogwild: the workers' steps are seen in the parent."""

    def step(model, barrier):
        use_cuda()
        barrier.wait()
        with torch.no_grad():
            model.bias.add_(1)

    model = torch.nn.Linear(2, 2)
    torch.nn.init.zeros_(model.bias)
    model.share_memory()
    barrier = fork.Barrier(2)
    processes = [fork.Process(target=step, args=(model, barrier)) for _ in range(2)]
    for process in processes:
        process.start()
        process.join(0.0)
    for process in processes:
        process.join()
    print(process.exitcode, model.bias.sum().item() in (2.0, 4.0))


def file_system_sharing():
    torch.multiprocessing.set_sharing_strategy("file_system")
    for values, scaled in loader_of(Squares()):
        print(values.tolist(), scaled.tolist())


class Mapped(Dataset):
    """As language models are trained: a long file of numbers, of which each item is a part."""

    def __init__(self, path, mode):
        self.numbers = numpy.memmap(path, dtype="uint16", mode=mode, offset=10)
        self.later = self.numbers[4:]

    def __len__(self):
        return len(self.later)

    def __getitem__(self, index):
        if self.numbers.mode == "r+":
            self.numbers[index + 4] += 100
        return torch.from_numpy(self.later[index : index + 1].astype("int64")).sum(), self.numbers.mode


def mapped_file():
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        numpy.arange(17, dtype="uint16").tofile(file.name)
        for mode in ("r", "r+"):
            dataset = Mapped(file.name, mode)
            print([(sums.tolist(), modes) for sums, modes in loader_of(dataset)])
        print(dataset.later.tolist())


def settings():
    """What torch was told in the parent holds in its workers."""

    def look(answers):
        use_cuda()
        threads, double = torch.get_num_threads(), torch.get_default_dtype()
        answers.put((threads, double, torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled()))

    torch.set_num_threads(2)
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    torch.set_grad_enabled(False)
    answers = fork.SimpleQueue()
    process = fork.Process(target=look, args=(answers,))
    process.start()
    print(answers.get())
    process.join()


SCENARIOS = [
    map_style, iterable, persistent, worker_raises, worker_dies, seeds, random_state, collate, tensors, queue, pool,
    shared_model, file_system_sharing, mapped_file, settings,
]  # fmt: skip

if len(sys.argv) == 1:
    print("\n".join(scenario.__name__ for scenario in SCENARIOS))
else:
    if AFTER_CUDA:
        assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
    {scenario.__name__: scenario for scenario in SCENARIOS}[sys.argv[1]]()
    print("end")
