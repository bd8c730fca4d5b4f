"""The race: numpy_rnn against PyTorch, JAX, plain NumPy and the matrix products alone.

`python -m benchmarks` runs it. A reading order:

- `cases`: the shapes and tasks; `problem`: the weights and data of a case, the same for all contestants;
- `contestants`: one implementation per file;
- `measure`: `worker` is the process of one contestant, `race` decides who takes the next sample, `statistics` has the
  paired ratios and their intervals, `results` holds the samples, and `saved` reads and writes them as JSON;
- `show`: the report, pictures, progress, and the comparison with an older race;
- `learning`: the second race, for the time to the same validation loss on a text.
"""
