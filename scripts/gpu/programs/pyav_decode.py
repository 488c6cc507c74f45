"""PyAV: the parent decodes on the GPU with h264_cuvid, forks, and goes on decoding.

`cuinit`: the child calls cuInit (today it answers 3). `cuvid`: the child opens a decoder of its
own (today: "Generic error in an external library", which names nothing). There is no Python
frame between the program's line and the driver: ffmpeg looks the driver up from C.
"""

import ctypes
import multiprocessing
import os
import sys

import av
from outcome import attempt, await_processes, say


def child(what):
    if what == "cuinit":
        say(f"cuInit answers {ctypes.CDLL('libcuda.so.1').cuInit(0)}")  # USE
        return
    decoder = av.CodecContext.create("h264_cuvid", "r")
    say(f"child decoder: {attempt(lambda: decoder.open())}")  # USE


def main():
    decoder = av.CodecContext.create("h264_cuvid", "r")
    decoder.open()  # INIT
    with av.open(os.environ["GPU_CHECK_SAMPLE"], format="h264") as container:
        packets = list(container.demux(video=0))
        frames = sum(len(decoder.decode(packet)) for packet in packets[:24])
        say(f"parent decodes: {frames > 0}")
        process = multiprocessing.get_context("fork").Process(target=child, args=(sys.argv[1],))
        process.start()  # FORK
        await_processes([process])
        frames += sum(len(decoder.decode(packet)) for packet in packets[24:])
    say(f"parent decoded on to the end: {frames >= 40}")


main()
