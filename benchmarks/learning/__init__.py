"""The learning race: numpy_rnn and PyTorch learn the same text, and the time to the same validation loss counts.

`python -m benchmarks learning FILE` runs it. The files, in the order in which to read them:

- `pytorch` the training of `numpy_rnn.training.trainer` written in PyTorch; `ours` that trainer itself;
- `worker` the process of one of them; `race` the probe of their settings, and the turns that they take;
- `results` what was found, as JSON; `report` and `plot` show it; `command` the command line.
"""
