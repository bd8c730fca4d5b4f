"""The same model with torch.nn and autograd, and the comparison of the two.

`CharRNN` mirrors `numpy_rnn.CharRNN`: the same names, so that a state_dict of either loads into the other.
`parity` trains both in lockstep and compares every number; `numpy-rnn tutorial --torch` prints it.
"""

try:
    import torch  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "PyTorch is not installed: it is the extra 'torch' (in a clone: make test)", name="torch"
    ) from error

from torch_reference.lockstep import Parity, Step, parity
from torch_reference.model import CharRNN, to_torch
from torch_reference.packing import from_packed, to_packed
from torch_reference.run import load_run
from torch_reference.tutorial import generate, train_epochs

__all__ = [
    "CharRNN",
    "Parity",
    "Step",
    "from_packed",
    "generate",
    "load_run",
    "parity",
    "to_packed",
    "to_torch",
    "train_epochs",
]
