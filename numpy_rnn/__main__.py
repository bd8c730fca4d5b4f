"""`python -m numpy_rnn` is `numpy-rnn`."""

import sys

from numpy_rnn.cli import main

sys.exit(main())
