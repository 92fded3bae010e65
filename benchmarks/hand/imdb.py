"""Film reviews by hand, as bags of words: `python imdb.py EPOCHS`."""

import sys

import matplotlib as mpl
import numpy as np
from keras import Input, Sequential, layers
from keras.datasets import imdb

mpl.use("Agg")
import matplotlib.pyplot as plt

EPOCHS, WORDS = int(sys.argv[1]), 10_000

(texts, y), (test_texts, y_test) = imdb.load_data(num_words=WORDS)


def bags(rows):
    """A column of 0 and 1 per word."""
    found = np.zeros((len(rows), WORDS))
    for number, row in enumerate(rows):
        found[number, row] = 1.0
    return found


x, x_test = bags(texts), bags(test_texts)
y, y_test = np.asarray(y, "float32"), np.asarray(y_test, "float32")
model = Sequential(
    [
        Input((WORDS,)),
        layers.Dense(16, activation="relu"),
        layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile("rmsprop", "binary_crossentropy", metrics=["binary_accuracy"])
history = model.fit(
    x[10_000:],
    y[10_000:],
    validation_data=(x[:10_000], y[:10_000]),
    epochs=EPOCHS,
    batch_size=512,
    verbose=0,
).history
for name in ("loss", "binary_accuracy"):
    plt.figure()
    plt.plot(range(1, EPOCHS + 1), history[name], "o", label="training")
    plt.plot(range(1, EPOCHS + 1), history[f"val_{name}"], label="validation")
    plt.xlabel("epoch")
    plt.legend()
    plt.savefig(f"imdb-{name}.png")
print("metric", model.evaluate(x_test, y_test, verbose=0)[1])
