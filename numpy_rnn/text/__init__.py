"""From text to arrays: reading files, the vocabulary, and windows for truncated backpropagation."""
