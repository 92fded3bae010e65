"""Digits by hand, three dense layers in large batches: `python mnist_dense.py EPOCHS`."""

import sys

import matplotlib as mpl
import numpy as np
from keras import Input, Sequential, layers
from keras.datasets import mnist
from keras.utils import to_categorical
from sklearn.metrics import ConfusionMatrixDisplay

mpl.use("Agg")
import matplotlib.pyplot as plt

EPOCHS = int(sys.argv[1])

(x, y), (x_test, y_test) = mnist.load_data()
x = x.reshape(-1, 784).astype("float32") / 255
x_test = x_test.reshape(-1, 784).astype("float32") / 255
model = Sequential(
    [
        Input((784,)),
        layers.Dense(128, activation="relu"),
        layers.Dense(64, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, to_categorical(y), epochs=EPOCHS, batch_size=1000, verbose=0).history
for name in ("loss", "accuracy"):
    plt.figure()
    plt.plot(history[name])
    plt.xlabel("epoch")
    plt.savefig(f"mnist-{name}.png")
predicted = np.argmax(model.predict(x_test, verbose=0), axis=1)
ConfusionMatrixDisplay.from_predictions(y_test, predicted)
plt.savefig("mnist-confusion.png")
print("metric", model.evaluate(x_test, to_categorical(y_test), verbose=0)[1])
