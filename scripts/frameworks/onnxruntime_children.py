"""onnxruntime's children, with its build for CUDA: sessions that they make, with any providers, and the parent's."""

import sys

import numpy
import onnxruntime

from forked import in_threads, run, say

# y = x @ w
MODEL = bytes.fromhex(
    "08083a5b0a110a01780a017712017922064d61744d756c1201675a150a017812100a0e0801120a0a0312016e0a0312016e5a150a017712100a"
    "0e0801120a0a0312016e0a0312016e62150a017912100a0e0801120a0a0312016e0a0312016e42040a00100d"
)
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
ones = numpy.ones((700, 700), numpy.float32)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 4
parents = onnxruntime.InferenceSession(MODEL, options, providers=[CPU])
parents.run(None, {"x": ones, "w": ones})
if sys.argv[1] == "absent":
    # As if it were on the GPU, which takes one.
    parents._providers = [CUDA, CPU]
# Asked for on a machine without a GPU, they come to the same, after a warning.
ASKED = [[CPU]] * 4 if sys.argv[1] == "plain" else [[CUDA, CPU], [("TensorrtExecutionProvider", {}), CUDA], None, []]


def answer(session):
    return float(session.run(None, {"x": ones, "w": ones})[0].sum())


def nothing():
    say([name for name in onnxruntime.get_available_providers() if name == CPU])


def use():
    for providers in ASKED:
        session = onnxruntime.InferenceSession(MODEL, options, providers=providers)
        say(answer(session), session.get_providers())


def inherited():
    say(answer(parents), parents.get_providers(), [argument.name for argument in parents.get_inputs()])


def threads():
    session = onnxruntime.InferenceSession(MODEL, options, providers=ASKED[0])
    in_threads(lambda: say(answer(session)))


run([nothing, use, inherited, threads])
