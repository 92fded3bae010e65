#!/bin/sh
# An environment of its own for the peers: `sh benchmarks/peers/set_up.sh FOLDER [PYTHON]`.
# Ludwig's newest release wants Python 3.12, and gigabytes; the versions are those that were measured.
set -e
folder=${1:?where the environment is to be made}
python=${2:-python3.12}
"$python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --upgrade pip
"$folder/bin/python" -m pip install --quiet \
  'torch==2.11.0' 'torchvision==0.26.*' 'torchaudio==2.11.0' 'ludwig[viz]==0.17.10'
# The loop in JAX that benchmarks/engine.py compares with needs an environment too: this one has room.
"$folder/bin/python" -m pip install --quiet 'jax>=0.6,<1'
