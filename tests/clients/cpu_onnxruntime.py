"""Proves that onnxruntime computes on the CPU in a forked child in which CUDA is absent, with the real package.

A session of the parent's says that it has the GPU (which the package for the CPU cannot have): in the child its native
session is another one, made from the same model with options of its own. What the child is asked to make for the GPU is
made for the CPU, without a warning.
"""
import ctypes
import os
import signal
import warnings

import numpy
import onnxruntime

# y = x @ [[1, 2], [3, 4]]
MODEL = bytes.fromhex(
    "080812003a610a110a01780a017712017922064d61744d756c1201672a1b08020802100122100000803f00000040000040400000804042"
    "01775a150a017812100a0e0801120a0a0312016e0a0312016e62150a017912100a0e0801120a0a0312016e0a0312016e42040a00100d"
)
ASKED = (
    ["CUDAExecutionProvider", "CPUExecutionProvider"],
    [("TensorrtExecutionProvider", {}), ("CUDAExecutionProvider", {"device_id": 0})],
    ["CPUExecutionProvider"],
    None,
)


def say(*what):
    print(*what, flush=True)


def answer(session):
    return session.run(None, {"x": numpy.eye(2, dtype=numpy.float32)})[0].tolist()


def child(session, native):
    say(*onnxruntime.get_available_providers(), onnxruntime.get_device())
    say("inherited", answer(session), session.get_providers(), session._sess is not native)
    for providers in ASKED:
        made = onnxruntime.InferenceSession(MODEL, providers=providers)
        say("made", answer(made), made.get_providers())
    options = [{"device_id": "0"}, {}]
    made = onnxruntime.InferenceSession(MODEL, providers=ASKED[0], provider_options=options)
    made.set_providers(["CUDAExecutionProvider"])
    say("set", answer(made), made.get_providers())


if ctypes.CDLL("libcuda.so.1").cuInit(0) != 0:
    raise SystemExit("no driver")
session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
say("parent", answer(session))
session._providers = ASKED[0]
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # Python's, about forks of programs with threads
    pid = os.fork()
if pid == 0:
    signal.alarm(60)
    warnings.simplefilter("error")
    child(session, session.__dict__["_sess"])
    # Its native library waits at an orderly exit for threads of the parent's, with the guard or without.
    os._exit(0)
say("ended", os.waitpid(pid, 0)[1])
say("parent", answer(session))
