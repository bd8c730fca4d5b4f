"""`python -m torch_reference`: the tutorial in NumPy and in PyTorch, side by side."""

import sys

from numpy_rnn.cli import main

if __name__ == "__main__":
    sys.exit(main(["tutorial", "--torch", *sys.argv[1:]]))
