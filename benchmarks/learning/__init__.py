"""The learning race: numpy_rnn and PyTorch train on the same text; the time to the same validation loss counts.

`python -m benchmarks learning FILE` runs it. Contestants and worker processes are those of the race. A reading order:
`race` (a probe of the settings, then training in turns), `results`, `report`, `plot`, `command`.
"""
