"""Digits by hand, one layer with dropout in small batches: `python mnist_dropout.py EPOCHS`."""

import sys

import matplotlib as mpl
import numpy as np
from keras import Input, Sequential, layers, losses
from keras.datasets import mnist
from sklearn.metrics import ConfusionMatrixDisplay

mpl.use("Agg")
import matplotlib.pyplot as plt

EPOCHS = int(sys.argv[1])

(x, y), (x_test, y_test) = mnist.load_data()
x, x_test = x / 255.0, x_test / 255.0
model = Sequential(
    [
        Input((28, 28)),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(10),
    ]
)
model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
history = model.fit(x, y, epochs=EPOCHS, batch_size=32, verbose=0).history
for name in ("loss", "accuracy"):
    plt.figure()
    plt.plot(history[name])
    plt.xlabel("epoch")
    plt.savefig(f"mnist-{name}.png")
predicted = np.argmax(model.predict(x_test, verbose=0), axis=1)
ConfusionMatrixDisplay.from_predictions(y_test, predicted)
plt.savefig("mnist-confusion.png")
print("metric", model.evaluate(x_test, y_test, verbose=0)[1])
