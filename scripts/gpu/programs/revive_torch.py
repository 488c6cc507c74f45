"""torch, in the child of a parent that has the driver and no runtime, trains, with the numbers of a process that
was never forked. `... WHO`, who initialised the driver in the parent: `bindings` (cuInit), `numba`
(the list of its devices), `ffmpeg` (PyAV decodes with h264_cuvid, and has a context), or `triton` (its driver is
looked up, which asks torch). `never` is the run to compare with; each of the others starts one.
Today torch in the child says that there is no CUDA, or refuses.
"""

import multiprocessing
import os
import subprocess
import sys

import torch
from outcome import attempt, await_processes, say

WHO = sys.argv[1]


def train():
    """The losses of five steps, and what the model has come to."""
    torch.manual_seed(7)
    model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1)).cuda()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    inputs = torch.randn(64, 16).cuda()
    losses = []
    for _ in range(5):
        optimiser.zero_grad()
        loss = model(inputs).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(f"{loss.item():.6f}")
    total = sum(parameter.abs().sum().item() for parameter in model.parameters())
    return f"{' '.join(losses)}, {total:.4f} on {inputs.device}"


def initialise():
    """As WHO does it; what is answered lives as long as the program."""
    if WHO == "bindings":
        import driver_work

        return driver_work.devices()
    if WHO == "numba":
        from numba import cuda

        return len(cuda.gpus)
    if WHO == "triton":
        from triton.runtime import driver

        return driver.active
    import av

    decoder = av.CodecContext.create("h264_cuvid", "r")
    decoder.open()
    with av.open(os.environ["GPU_CHECK_SAMPLE"], format="h264") as container:
        for packet in list(container.demux(video=0))[:24]:
            decoder.decode(packet)
    return decoder


def child():
    say(f"child: {attempt(train)}")


def main():
    if WHO == "never":
        say(train())
        return
    never = subprocess.Popen([sys.executable, __file__, "never"], stdout=subprocess.PIPE, text=True)
    kept = initialise()
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    await_processes([process])
    say(f"never forked: {never.communicate()[0].strip()}")
    say(f"parent kept it: {kept is not None}")


if __name__ == "__main__":
    main()
