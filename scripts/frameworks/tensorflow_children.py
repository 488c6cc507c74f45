"""TensorFlow's children: operations, the parent's functions, variables and model, data, threads and a grandchild."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy
import tensorflow as tf

from forked import in_child, in_threads, run, say

tf.random.set_seed(1)
matrix = tf.constant(numpy.ones((900, 900), numpy.float32))
square_sum = tf.function(lambda x: tf.reduce_sum(x @ x))
square_sum(matrix)
variable, steps, mean = tf.Variable([1.0, 2.0]), tf.Variable(0), tf.keras.metrics.Mean()
layers = [tf.keras.layers.Dense(4, activation="relu", kernel_initializer="ones"),
          tf.keras.layers.Dense(2, kernel_initializer="ones")]
model = tf.keras.Sequential(layers)
rows = numpy.arange(40, dtype=numpy.float32).reshape(8, 5) / 40
model(rows)
model.compile("sgd", "mse")
model.predict(rows, verbose=0)


def nothing():
    pass


def use():
    say(tf.config.list_physical_devices("GPU"), tf.config.list_logical_devices()[0].device_type)
    say(float(tf.reduce_sum(tf.ones((700, 700)) @ tf.ones((700, 700)))), float(square_sum(matrix)))
    say((variable + 1).numpy(), variable.assign_add([1.0, 1.0]).numpy(), matrix.numpy().sum(), float(matrix[0, 0] + 1))
    say(variable.assign([3.0, 4.0]).numpy(), variable.numpy(), (variable * 2).numpy())
    with tf.GradientTape() as tape:
        result = tf.reduce_sum(variable * variable)
    say(tape.gradient(result, variable).numpy(), tf.random.stateless_uniform([2], [1, 2]).numpy())
    say(float(tf.reduce_sum(tf.nn.conv2d(tf.ones((1, 64, 64, 3)), tf.ones((3, 3, 3, 8)), 1, "SAME"))))


def function_first():
    say(float(square_sum(matrix)))


def infer_and_train():
    say(model(rows).numpy().sum(axis=0), model.predict(rows, verbose=0).sum(axis=0))
    say([f"{loss:.4f}" for loss in model.fit(rows, rows[:, :2], epochs=3, shuffle=False, verbose=0).history["loss"]])


def count():
    mean.update_state([1.0, 2.0, 6.0])
    say(float(mean.result()), int(steps.assign(5)), int(steps.assign_add(1)), int(steps))


def data():
    numbers = tf.data.Dataset.range(20).map(lambda x: 2 * x, num_parallel_calls=4).batch(5).prefetch(2)
    say([batch.numpy().sum() for batch in numbers])


def threads():
    in_threads(lambda: say(float(square_sum(matrix))))


def grandchild():
    say(float(square_sum(matrix)))
    in_child(lambda: say(float(square_sum(matrix)), (matrix + 1).numpy().sum()))


run([nothing, use, function_first, infer_and_train, count, data, threads, grandchild])
