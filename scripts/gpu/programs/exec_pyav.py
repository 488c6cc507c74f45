"""PyAV: the parent decodes on the GPU with h264_cuvid; the two workers of a Pool call cuInit and decode
the whole sample with decoders of their own; the parent decodes on.
"""

import ctypes
import multiprocessing
import os

import av
import fresh
from outcome import attempt, await_pool, say


def decode(number):
    decoder = av.CodecContext.create("h264_cuvid", "r")
    decoder.open()
    with av.open(os.environ["GPU_CHECK_SAMPLE"], format="h264") as container:
        frames = sum(len(decoder.decode(packet)) for packet in container.demux(video=0))
    return f"{frames >= 40}"


def work(number):
    asked = attempt(lambda: ctypes.CDLL("libcuda.so.1").cuInit(0))
    return f"cuInit answers {asked}, decoded: {attempt(lambda: decode(number))}"


def main():
    decoder = av.CodecContext.create("h264_cuvid", "r")
    decoder.open()
    with av.open(os.environ["GPU_CHECK_SAMPLE"], format="h264") as container:
        packets = list(container.demux(video=0))
    frames = sum(len(decoder.decode(packet)) for packet in packets[:24])
    pool = multiprocessing.get_context("fork").Pool(2, initializer=fresh.tell)
    await_pool(pool, pool.map_async(work, range(2), chunksize=1))
    frames += sum(len(decoder.decode(packet)) for packet in packets[24:])
    say(f"parent decoded on to the end: {frames >= 40}")


main()
