"""mpiexec -n R python -m tests.training.ranks_program: R ranks beside one process; rank 0 prints the differences.

Every rank also trains alone with the whole batch, so it can compare after each step.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from mpi4py import MPI

from numpy_rnn.layers import CELLS
from numpy_rnn.layers.recurrent import as_arrays
from numpy_rnn.text.vocabulary import tokenize
from numpy_rnn.training.options import Options
from numpy_rnn.training.ranks import Ranks
from numpy_rnn.training.state import restore, state_of
from numpy_rnn.training.trainer import Trainer

TEXT = "She sells\nsea shells\non the sea shore.\nThe shells she sells\n" * 15
OPTIONS = {"batch_size": 7, "hidden_size": 6, "num_layers": 2, "epochs": 3, "val_fraction": 0.1, "dropout": 0.3}


def difference(together: Trainer, alone: Trainer) -> float:
    """Take a step of both; return the largest difference of anything that training depends on."""
    pairs = list(zip(together.train_step(), alone.train_step(), strict=True))
    pairs += [(together.model.parameters().data, alone.model.parameters().data)]
    pairs += [(together.optimizer.exp_avg_sq, alone.optimizer.exp_avg_sq)]
    states = zip(as_arrays(together.hidden), as_arrays(alone.hidden), strict=True)
    pairs += [(together.ranks.gather(ours, 7), theirs) for ours, theirs in states]
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def main() -> None:
    ranks, found = Ranks(MPI.COMM_WORLD), {}
    for cell in (*CELLS, "lines"):
        kind: dict[str, Any] = {"lines": True} if cell == "lines" else {"cell": cell, "seq_len": 9}
        options, text = Options(dtype="float64", **kind, **OPTIONS), tokenize(TEXT, None, cell == "lines")
        together, alone = Trainer(*text, options, ranks=ranks), Trainer(*text, options)
        found[cell] = [difference(together, alone) for _ in range(10)]
        found[f"{cell} validation"] = [abs(together.validate() - alone.validate())]
        # A checkpoint of all ranks, read by one process and by all of them.
        arrays, header = state_of(together)
        arrays = {name: array.copy() for name, array in arrays.items()}
        one, again = restore(TEXT, arrays, header), restore(TEXT, arrays, header, ranks=ranks)
        found[f"{cell} resumed by one"] = [difference(together, one) for _ in range(6)]
        for _ in range(6):
            again.train_step()
        parameters = together.model.parameters().data, again.model.parameters().data
        found[f"{cell} resumed bit for bit"] = [float(np.abs(np.subtract(*parameters)).max())]
    if ranks.rank == 0:
        json.dump({"size": ranks.size, "steps": together.plan.steps, **found}, sys.stdout)


if __name__ == "__main__":
    main()
