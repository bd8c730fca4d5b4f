"""The textbook by itself; its functions are compared with the layers and torch in the tests of the layers."""

import re
import subprocess
import sys

import numpy as np

import numpy_rnn as nr
from numpy_rnn import textbook
from numpy_rnn.training.tutorial import train_epochs

TEXT = "Hello, how are you?"


def test_it_memorises_the_text_with_the_losses_of_the_fast_model(capsys):
    assert textbook.train(TEXT, seed=3) == TEXT
    printed = re.findall(r"epoch (\d+), loss (\d\.\d{4})\n", capsys.readouterr().out)

    vocabulary = nr.Vocabulary.from_text(TEXT)
    model = nr.CharRNN(len(vocabulary), dtype=np.float64, rng=3)
    losses = list(train_epochs(model, vocabulary, TEXT, epochs=100))
    assert printed == [(str(k), f"{losses[k - 1]:.4f}") for k in range(10, 101, 10)]


def test_it_runs_as_a_program_without_a_warning():
    done = subprocess.run([sys.executable, "-m", "numpy_rnn.textbook"], capture_output=True, text=True, check=True)
    assert done.stdout.endswith(f"{TEXT}\n")
    assert done.stderr == ""
