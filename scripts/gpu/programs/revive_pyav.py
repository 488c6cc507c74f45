"""PyAV: the parent decodes with h264_cuvid before, during and after the life of a child that calls cuInit and
decodes with a decoder of its own. `... ENDING`, how the child ends: `return` takes down the parent's decoder, which
it inherited and must not hand to its own driver; `os._exit` takes down nothing.
Today cuInit answers 3 in the child, and its decoder "Generic error in an external library".
"""

import ctypes
import os
import sys

import av
from handover import Signal
from outcome import attempt, await_pid, say

QUARTER = 12
# What the program keeps to its end: a child that falls off the end takes it down, too.
kept = []


def decoder_and_packets():
    decoder = av.CodecContext.create("h264_cuvid", "r")
    decoder.open()
    with av.open(os.environ["GPU_CHECK_SAMPLE"], format="h264") as container:
        return decoder, list(container.demux(video=0))


def decode(decoder, packets):
    return sum(len(decoder.decode(packet)) for packet in packets)


def child(half_way, go_on):
    decoder, packets = decoder_and_packets()
    frames = decode(decoder, packets[:24])
    half_way.give()
    go_on.wait()
    return f"{frames + decode(decoder, packets[24:]) >= 40}"


def main():
    kept.append(decoder_and_packets())
    decoder, packets = kept[0]
    frames = decode(decoder, packets[:QUARTER])
    half_way, go_on = Signal(), Signal()
    pid = os.fork()
    if pid == 0:
        say(f"child: cuInit answers {ctypes.CDLL('libcuda.so.1').cuInit(0)}")
        say(f"child decoded to the end: {attempt(lambda: child(half_way, go_on))}")
        half_way.give()
        if sys.argv[1] == "os._exit":
            os._exit(0)
        return
    half_way.wait(pid)
    frames += decode(decoder, packets[QUARTER:2 * QUARTER])
    go_on.give()
    await_pid(pid, patience=20)
    frames += decode(decoder, packets[2 * QUARTER:])
    say(f"parent decoded on to the end: {frames >= 40}")


main()
