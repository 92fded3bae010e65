"""ResNet-20 by hand, for one epoch on the rows of an npz: `python resnet20.py rows.npz`."""

import sys
import time

import numpy as np
from keras import Model, layers, optimizers, regularizers


def conv(x, filters, strides=1, kernel_size=3):
    """A convolution and its normalisation."""
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=regularizers.L2(1e-4),
    )(x)
    return layers.BatchNormalization()(x)


def block(x, filters, strides=1):
    """Two convolutions, and what they were given added to what they make of it."""
    y = layers.ReLU()(conv(x, filters, strides))
    y = conv(y, filters)
    x = conv(x, filters, strides, 1) if strides > 1 else x
    return layers.ReLU()(layers.add([x, y]))


with np.load(sys.argv[1]) as rows:
    x, y = rows["x_train"].astype("float32") / 255, rows["y_train"]
    x_test, y_test = rows["x_test"].astype("float32") / 255, rows["y_test"]

inputs = layers.Input((32, 32, 3))
outputs = layers.ReLU()(conv(inputs, 16))
for filters in (16, 32, 64):
    for number in range(3):
        outputs = block(outputs, filters, 2 if filters > 16 and number == 0 else 1)
outputs = layers.GlobalAveragePooling2D()(outputs)
outputs = layers.Dense(10, activation="softmax")(outputs)
model = Model(inputs, outputs)
model.compile(
    optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"]
)
began = time.perf_counter()
model.fit(x, y, batch_size=128, epochs=1, verbose=2)
print("epoch", time.perf_counter() - began)
print("test", model.evaluate(x_test, y_test, batch_size=128, verbose=0)[1])
