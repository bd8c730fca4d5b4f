"""From text to arrays: the vocabulary, files of text, and windows for truncated backpropagation."""
