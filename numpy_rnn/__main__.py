"""`python -m numpy_rnn` is the same as `numpy-rnn`."""

import sys

from numpy_rnn.cli import main

sys.exit(main())
