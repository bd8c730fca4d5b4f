"""PyTorch's own test cases, run through numpy_rnn."""
