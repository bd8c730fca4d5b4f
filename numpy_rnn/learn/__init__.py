"""The course behind `numpy-rnn learn`: exercises in NumPy, and a check that names the line that is wrong."""
