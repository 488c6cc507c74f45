"""What forked children do with PyTorch when CUDA is absent in them: `absent.py NAME WAY`; without NAME, the names.

WAY says what the parent does first, and what the children ask for. `cpu`: nothing, and for the CPU, as a program for a
machine without a GPU does. The others initialise CUDA and ask for "cuda": `cuda` by the driver alone (a stand-in where
scripts/check-torch runs this), `asked` by torch.cuda.is_available(), `used` by a tensor, `trained` by autograd. All
print the same. NAME `all` is one after the other.

What is quiet has "quiet" in its name: its children do not ask for CUDA, and nothing may be said of them.
"""
import ctypes
import io
import os
import sys
import threading
import warnings

import numpy
import torch
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset

WAY = (sys.argv[2:] or ["cpu"])[0]
WITH_CUDA = WAY != "cpu"
DEVICE = "cuda" if WITH_CUDA else "cpu"
decided_before = torch.device(DEVICE)


def forked(work):
    """Runs `work` in a forked child, which must end well."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException as error:
            print("%s: %s" % (type(error).__name__, error))
        finally:
            sys.stdout.flush()
            os._exit(code)
    print("ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def only_errors():
    """A warning that something was replaced must reach nobody. (Newer Pythons warn of every fork beside threads.)"""
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)


def show(name, tensor):
    print(name, tensor.device, tensor.dtype, tensor.tolist())


def quiet_answers():
    def look():
        print(torch.cuda.is_available(), torch.cuda.device_count(), torch.cuda.is_initialized())
        print(torch.accelerator.is_available(), torch.accelerator.device_count())
        print(torch.cuda.memory_allocated(), torch.cuda.get_rng_state_all())
        torch.cuda.manual_seed_all(1)
        torch.cuda.empty_cache()
        print(torch.zeros(2).is_pinned(), torch.Generator().device, torch.autocast("cpu").fast_dtype)

    forked(look)


def quiet_loader():
    """Workers of the usual kind."""
    only_errors()
    print([batch.tolist() for batch in DataLoader(torch.arange(8.0), batch_size=2, num_workers=2)])


def factories():
    def make():
        torch.manual_seed(7)
        show("zeros", torch.zeros(2, device=DEVICE))
        show("numbered", torch.ones(2, device=DEVICE + ":0"))
        show("decided before", torch.full((2,), 3.5, device=decided_before))
        show("randn", torch.randn(2, device=DEVICE))
        show("tensor", torch.tensor([1, 2], device=DEVICE))
        show("arange", torch.arange(3, device=DEVICE))
        show("randperm", torch.randperm(4, device=DEVICE))
        show("eye", torch.eye(2, device=DEVICE))
        show("tril", torch.tril_indices(2, 2, device=DEVICE))
        show("linspace", torch.linspace(0, 1, 3, device=DEVICE))
        show("like", torch.zeros_like(torch.ones(2), device=DEVICE))
        show("new", torch.ones(2).new_full((2,), 4.0, device=DEVICE))
        show("asarray", torch.asarray([1.5], device=DEVICE))
        show("strided", torch.empty_strided((2,), (1,), device=DEVICE).zero_())
        print(torch.UntypedStorage(4, device=DEVICE).device)

    forked(make)


def moves():
    def move():
        ones = torch.ones(2)
        for moved in (ones.to(DEVICE), ones.to(DEVICE + ":0"), ones.to(decided_before, torch.float64),
                      ones.to(device=DEVICE, dtype=torch.int32), ones.to(torch.zeros(1, device=DEVICE)),
                      torch.from_numpy(numpy.ones(2)).to(DEVICE, non_blocking=True)):  # fmt: skip
            show("moved", moved)
        if WITH_CUDA:
            assert ones.cuda().device == ones.to(0).device == ones.pin_memory().device == torch.device("cpu")
            assert ones.untyped_storage().cuda().device.type == "cpu"
            # On a GPU it would be a copy.
            ones.to(DEVICE).add_(1)
        assert ones.to("cpu") is ones
        show("unchanged", ones)
        image = torch.ones(1, 2, 3, 4).to(DEVICE, memory_format=torch.channels_last)
        print(image.is_contiguous(memory_format=torch.channels_last))
        model = torch.nn.Linear(2, 2).to(DEVICE)
        print(model.weight.device, torch.nn.Linear(2, 2, device=DEVICE).weight.device)

    forked(move)


def _train():
    torch.manual_seed(3)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1)).to(DEVICE)
    optimizer = torch.optim.Adam(model.parameters())
    losses = []
    for _ in range(3):
        inputs = torch.randn(16, 4, requires_grad=True)
        loss = model(inputs.to(DEVICE)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append("%.6f %.6f" % (loss.item(), inputs.grad.abs().sum().item()))
    print(losses)


def training():
    """Also where the parent has run its own autograd, and in a child's child."""
    forked(_train)
    with warnings.catch_warnings():
        # PyTorch counts the devices here, and the stand-in is not the driver that it knows.
        warnings.simplefilter("ignore")
        torch.ones(2, requires_grad=True).sum().backward()

    def twice():
        _train()
        forked(_train)

    forked(twice)


def threads():
    def work():
        running = threading.Thread(target=_train)
        running.start()
        running.join()
        # Autograd goes on in threads of its own where it is entered again and again from inside. (In the child of a
        # parent that has run it before, PyTorch alone crashes there, with CUDA and without: before `training`.)
        sys.setrecursionlimit(20000)
        threading.stack_size(512 << 20)

        def deep(number, values):
            return checkpoint(deep, number - 1, values, use_reentrant=True) if number else values * 2.0

        def backward():
            values = torch.ones(2, requires_grad=True)
            deep(80, values.to(DEVICE)).sum().backward()
            show("deep", values.grad)

        running = threading.Thread(target=backward)
        running.start()
        running.join()

    forked(work)


def default_device():
    def make():
        torch.set_default_device(DEVICE)
        show("set here", torch.ones(2))
        print(torch.get_default_device(), torch.nn.Linear(1, 1).weight.device)
        torch.set_default_device(None)
        with torch.device(DEVICE):
            show("with", torch.ones(2))

    forked(make)
    torch.set_default_device(DEVICE)
    forked(lambda: show("set before", torch.ones(2)))
    torch.set_default_device(None)


def autocast():
    """CUDA's default would be float16; the CPU has its own."""
    warnings.simplefilter("ignore")
    made_before = torch.autocast(DEVICE)
    only_errors()

    def multiply():
        return (torch.ones(2, 2, device=DEVICE) @ torch.ones(2, 2, device=DEVICE)).dtype

    def work():
        with torch.autocast(DEVICE):
            print(multiply())
        for asked in (torch.float16, torch.bfloat16):
            with torch.autocast(DEVICE, dtype=asked):
                print(multiply())
        with torch.autocast(DEVICE, enabled=False):
            print(multiply())
        with made_before:
            multiply()
        print(torch.autocast(DEVICE)(multiply)())
        scaler = torch.amp.GradScaler(DEVICE, enabled=WITH_CUDA)
        print(scaler.is_enabled(), scaler.scale(torch.ones(1)).tolist())

    forked(work)


def compiled():
    """What is compiled may bring its input to the device, once the child has asked for it in a usual way. (What it
    makes there itself is refused.)"""
    double = torch.compile(lambda values: values.to(DEVICE) * 2, backend="aot_eager")

    def compute():
        show("before", torch.ones(2, device=DEVICE))
        show("compiled", double(torch.ones(2)))

    forked(compute)


def loading():
    file = io.BytesIO()
    torch.save({"weights": torch.arange(3.0)}, file)

    def load():
        places = [DEVICE, torch.device(DEVICE), {"cpu": DEVICE}, lambda storage, _: storage.to(device=DEVICE)]
        for place in places:
            file.seek(0)
            show("loaded", torch.load(file, map_location=place, weights_only=not callable(place))["weights"])

    forked(load)


def generator():
    def draw():
        made = torch.Generator(device=DEVICE).manual_seed(5)
        print(type(made) is torch.Generator, made.device)
        show("drawn", torch.randn(2, generator=made, device=DEVICE))
        show("drawn", torch.rand(2, generator=torch.Generator(DEVICE + ":0").manual_seed(5), device=DEVICE))
        print(torch.Generator().device)

    forked(draw)


def takes_cuda_for_granted():
    """What only prepares, waits or tidies up has nothing to do; what needs a GPU says that there is none."""

    def prepare():
        if WITH_CUDA:
            torch.cuda.init()
            torch.cuda.set_device(0)
            torch.cuda.synchronize()
            torch.cuda.ipc_collect()
            torch.cuda.reset_peak_memory_stats()
            torch.accelerator.synchronize()
            assert torch.cuda.current_device() == torch.cuda.max_memory_allocated() == 0
            assert not torch.cuda.is_bf16_supported() and not torch.cuda.is_current_stream_capturing()
            with torch.cuda.device(0), torch.cuda.stream(None):
                pass
        print(torch.ones(2, device=DEVICE).sum().item())
        for ask in (torch.cuda.get_device_name, torch.cuda.get_device_properties, torch.cuda.mem_get_info,
                    torch.cuda.current_stream, torch.cuda.get_rng_state, torch.cuda.Stream, torch.cuda.Event,
                    torch.cuda.CUDAGraph):  # fmt: skip
            try:
                # Without CUDA's initialisation, the driver's words here would be the stand-in's.
                raise RuntimeError("No CUDA GPUs are available") if not WITH_CUDA else ask()
            except RuntimeError as error:
                print(str(error).partition(" (")[0])

    forked(prepare)


class OnDevice(Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        return torch.full((2,), float(index), device=DEVICE)


def loader():
    for batch in DataLoader(OnDevice(), batch_size=2, num_workers=2, multiprocessing_context="fork"):
        show("batch", batch)


def _serve(model, numbers):
    return model(torch.tensor(numbers, device=DEVICE)).tolist()


def pool():
    model = torch.nn.Linear(2, 1)
    torch.nn.init.ones_(model.weight)
    torch.nn.init.zeros_(model.bias)
    with torch.multiprocessing.get_context("fork").Pool(2) as workers:
        print(workers.starmap(_serve, [(model, [1.0, 2.0]), (model, [3.0, 4.0])]))


def child_of_a_child():
    def first():
        show("child", torch.zeros(2, device=DEVICE))
        forked(lambda: show("its child", torch.ones(2).to(DEVICE)))

    forked(first)


SCENARIOS = [
    quiet_answers, quiet_loader, factories, moves, threads, training, default_device, autocast, compiled, loading,
    generator, takes_cuda_for_granted, loader, pool, child_of_a_child,
]  # fmt: skip

def initialise():
    if WAY == "cuda":
        assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
    elif WAY == "asked":
        assert torch.cuda.is_available()
    elif WAY != "cpu":
        model = torch.nn.Linear(2, 1).cuda()
        if WAY == "trained":
            model(torch.ones(2, device="cuda")).backward()


if len(sys.argv) == 1:
    print("\n".join(scenario.__name__ for scenario in SCENARIOS))
else:
    initialise()
    for scenario in SCENARIOS:
        if sys.argv[1] in ("all", scenario.__name__):
            with warnings.catch_warnings():
                print("--", scenario.__name__)
                scenario()
    print("end")
