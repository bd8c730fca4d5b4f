"""The same model in PyTorch, and a comparison of the two.

- `model`: `CharRNN` with torch.nn. Its parameters have the same names, so a state_dict of one loads into the other.
- `tutorial`, `trainer`: the training loops of `numpy-rnn tutorial` and `numpy-rnn train`.
- `lockstep`: `parity` trains both models side by side and compares every number.
- `packing`: converts padded arrays with lengths to a PackedSequence and back.

`python -m torch_reference` prints both trainings of the tutorial next to each other.
"""

try:
    import torch  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("PyTorch is not installed: pip install 'numpy-rnn[torch]'", name="torch") from error

from torch_reference.lockstep import Parity, Step, parity, side_by_side
from torch_reference.model import CharRNN, load_run, make_mirror, to_torch
from torch_reference.packing import from_packed, to_packed
from torch_reference.trainer import TorchTrainer
from torch_reference.tutorial import generate, train_epochs

__all__ = [
    "CharRNN",
    "Parity",
    "Step",
    "TorchTrainer",
    "from_packed",
    "generate",
    "load_run",
    "make_mirror",
    "parity",
    "side_by_side",
    "to_packed",
    "to_torch",
    "train_epochs",
]
