"""The shape of Applio's preprocessing: importing the configuration asks for the GPU, then a
ProcessPoolExecutor of forked workers resamples and extracts pitch on that device.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import torch
import user_applio_config as config
from outcome import attempt, say, told


def resample(wave):
    moved = wave.to(config.device)  # USE
    return torch.nn.functional.interpolate(moved[None, None], scale_factor=0.5)[0, 0]


def pitch(wave):
    return int(torch.fft.rfft(wave).abs().argmax().item())


def process_file(number):
    wave = torch.sin(torch.arange(4096) * 0.01 * (number + 1))
    return attempt(lambda: pitch(resample(wave)))


def main():
    say(f"device: {config.device}")
    executor = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork"))
    futures = []
    try:
        for number in range(4):
            futures.append(executor.submit(process_file, number))  # FORK
    except BrokenProcessPool:
        say("the pool broke")
    workers = list((executor._processes or {}).values())
    for future in futures:
        try:
            say(f"file: {future.result()}")
        except Exception as error:
            say(f"file: {told(error)}")
    executor.shutdown()
    say(f"child exit: {sorted({worker.exitcode for worker in workers})}")


main()
