"""Paddle's children, in a parent whose Paddle says that it was built with CUDA (as far as the CPU's build can)."""

import sys

import paddle

from forked import in_threads, run, say

core = paddle.base.core
if sys.argv[1] == "absent":
    core.is_compiled_with_cuda = lambda: True
    core.get_cuda_device_count = lambda: 1
matrix = paddle.ones([600, 600], dtype="float32") if sys.argv[1] == "plain" else None
GPU = "cpu" if sys.argv[1] == "plain" else "gpu"


def nothing():
    say(paddle.device.cuda.device_count(), paddle.device.get_device())


def use():
    ones = paddle.ones([300, 300])
    say(float((ones @ ones).sum()), ones.place)
    layer = paddle.nn.Linear(4, 2, weight_attr=paddle.nn.initializer.Constant(0.5))
    layer(paddle.ones([3, 4])).sum().backward()
    say(layer.weight.grad.numpy().tolist())


def ask_for_gpu():
    say(paddle.device.set_device(GPU), paddle.set_device(GPU), paddle.device.get_device())
    layer = paddle.nn.Linear(4, 2)
    layer.to(GPU if GPU == "cpu" else "gpu:0")
    say(layer.weight.place, paddle.to_tensor([1.0]).place)


def threads():
    paddle.set_device(GPU)
    in_threads(lambda: say(float(paddle.ones([100, 100]).sum())))


run([nothing, use, ask_for_gpu, threads])
