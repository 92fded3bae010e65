"""The experiments as a plain loop in PyTorch: `python loop_in_torch.py boston|mnist FOLDER`."""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from torch import nn

mpl.use("Agg")
import matplotlib.pyplot as plt


def train(model, optimizer, loss_of, x, y, *, epochs, batch_size, watched):
    """Gives the mean loss of every epoch, and what `watched` says after it."""
    history = []
    for _ in range(epochs):
        model.train()
        total = 0.0
        order = torch.randperm(len(x))
        for start in range(0, len(x), batch_size):
            rows = order[start : start + batch_size]
            optimizer.zero_grad()
            loss = loss_of(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        model.eval()
        with torch.no_grad():
            history.append((total / len(x), watched()))
    return np.array(history)


def draw(curves, folder):
    """One line per training."""
    figure, axes = plt.subplots()
    for curve in curves:
        axes.plot(curve[:, 0])
        axes.plot(curve[:, 1])
    figure.savefig(Path(folder) / "curves.png")


def boston(folder):
    """Four folds of 100 epochs, batches of 16; each fold scaled by its own training rows."""
    data = np.load(Path(folder) / "boston.npz")
    x, y = data["x"].astype(np.float32), data["y"].astype(np.float32)[:, None]
    curves, errors = [], []
    for held_out in np.array_split(np.arange(len(x)), 4):
        rest = np.setdiff1d(np.arange(len(x)), held_out)
        mean, deviation = x[rest].mean(axis=0), x[rest].std(axis=0)
        scaled = torch.tensor((x - mean) / deviation)
        truth = torch.tensor(y)
        model = nn.Sequential(
            nn.Linear(13, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )
        optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)

        def watched(model=model, scaled=scaled, truth=truth, held_out=held_out):
            return nn.functional.l1_loss(model(scaled[held_out]), truth[held_out]).item()

        curve = train(
            *(model, optimizer, nn.functional.mse_loss, scaled[rest], truth[rest]),
            epochs=100,
            batch_size=16,
            watched=watched,
        )
        curves.append(curve)
        errors.append(curve[-1, 1])
        torch.save(model.state_dict(), Path(folder) / f"fold-{len(errors)}.pt")
    draw(curves, folder)
    print("metric", np.mean(errors))


def mnist(folder):
    """Five epochs of 784-128-64-10 on 8,000 digits, batches of 128; tested on 1,000."""
    data = np.load(Path(folder) / "mnist.npz")
    x = torch.tensor(data["x"].reshape(-1, 784).astype(np.float32) / 255)
    y = torch.tensor(data["y"].astype(np.int64))
    model = nn.Sequential(
        nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    )

    def accuracy(rows):
        return (model(x[rows]).argmax(dim=1) == y[rows]).float().mean().item()

    curve = train(
        *(model, torch.optim.Adam(model.parameters()), nn.functional.cross_entropy),
        *(x[:8000], y[:8000]),
        epochs=5,
        batch_size=128,
        watched=lambda: accuracy(slice(8000, 9000)),
    )
    torch.save(model.state_dict(), Path(folder) / "model.pt")
    draw([curve], folder)
    with torch.no_grad():
        print("metric", accuracy(slice(9000, 10000)))


def main():
    """Runs one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", choices=["boston", "mnist"])
    parser.add_argument("folder", help="holds the rows, and takes what is written")
    given = parser.parse_args()
    torch.manual_seed(0)
    {"boston": boston, "mnist": mnist}[given.experiment](given.folder)


if __name__ == "__main__":
    main()
