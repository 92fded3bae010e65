"""Boston by hand, cross-validated: `python boston.py EPOCHS`."""

import sys

import matplotlib as mpl
import numpy as np
from keras import Input, Sequential, layers
from keras.datasets import boston_housing

mpl.use("Agg")
import matplotlib.pyplot as plt

EPOCHS, FOLDS = int(sys.argv[1]), 4

(x, y), (x_test, y_test) = boston_housing.load_data()
mean, deviation = x.mean(axis=0), x.std(axis=0)
x, x_test = (x - mean) / deviation, (x_test - mean) / deviation


def build():
    """Two hidden layers."""
    model = Sequential(
        [
            Input((13,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile("rmsprop", "mse", metrics=["mae"])
    return model


size = len(x) // FOLDS
curves, scores = [], []
for fold in range(FOLDS):
    held = slice(fold * size, (fold + 1) * size)
    x_train = np.concatenate([x[: held.start], x[held.stop :]])
    y_train = np.concatenate([y[: held.start], y[held.stop :]])
    model = build()
    history = model.fit(
        x_train,
        y_train,
        validation_data=(x[held], y[held]),
        epochs=EPOCHS,
        batch_size=1,
        verbose=0,
    )
    curves.append(history.history["val_mae"])
    scores.append(model.evaluate(x[held], y[held], verbose=0)[1])

mean_curve = np.mean(curves, axis=0)
smoothed = [mean_curve[0]]
for value in mean_curve[1:]:
    smoothed.append(0.9 * smoothed[-1] + 0.1 * value)
for name, curve in (("mae", mean_curve), ("smoothed", smoothed)):
    plt.figure()
    plt.plot(range(1, EPOCHS + 1), curve)
    plt.xlabel("epoch")
    plt.ylabel("validation mae")
    plt.savefig(f"boston-{name}.png")
print("metric", np.mean(scores))
