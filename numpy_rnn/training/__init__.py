"""Training on real text: options, trainer, loop, validation, and the directory that a run writes."""
