"""Newswires by hand, as bags of words: `python reuters.py EPOCHS`."""

import sys

import matplotlib as mpl
import numpy as np
from keras import Input, Sequential, layers
from keras.datasets import reuters
from keras.utils import to_categorical

mpl.use("Agg")
import matplotlib.pyplot as plt

EPOCHS, WORDS = int(sys.argv[1]), 10_000

(texts, y), (test_texts, y_test) = reuters.load_data(num_words=WORDS, test_split=0.2)


def bags(rows):
    """A column of 0 and 1 per word."""
    found = np.zeros((len(rows), WORDS))
    for number, row in enumerate(rows):
        found[number, row] = 1.0
    return found


x, x_test = bags(texts), bags(test_texts)
y, y_test = to_categorical(y), to_categorical(y_test)
model = Sequential(
    [
        Input((WORDS,)),
        layers.Dense(64, activation="relu"),
        layers.Dense(64, activation="relu"),
        layers.Dense(46, activation="softmax"),
    ]
)
model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
history = model.fit(
    x[1000:],
    y[1000:],
    validation_data=(x[:1000], y[:1000]),
    epochs=EPOCHS,
    batch_size=512,
    verbose=0,
).history
for name in ("loss", "accuracy"):
    plt.figure()
    plt.plot(range(1, EPOCHS + 1), history[name], "o", label="training")
    plt.plot(range(1, EPOCHS + 1), history[f"val_{name}"], label="validation")
    plt.xlabel("epoch")
    plt.legend()
    plt.savefig(f"reuters-{name}.png")
print("metric", model.evaluate(x_test, y_test, verbose=0)[1])
