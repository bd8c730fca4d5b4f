"""Adam, gradient clipping and learning-rate schedules."""

from numpy_rnn.optim import schedules as schedules
