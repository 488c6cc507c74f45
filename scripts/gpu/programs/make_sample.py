"""Writes a small H.264 stream, 48 frames of 320 x 240, for the PyAV cases; needs no GPU."""

import sys
from fractions import Fraction

import av

with av.open(sys.argv[1], "w", format="h264") as output:
    stream = output.add_stream("libx264", rate=24)
    stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
    for number in range(48):
        frame = av.VideoFrame(320, 240, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([number * 4 % 256]) * plane.buffer_size)
        frame.pts, frame.time_base = number, Fraction(1, 24)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))
print(f"sample made by libx264 of PyAV {av.__version__}")
