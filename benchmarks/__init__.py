"""The race: numpy_rnn beside PyTorch, JAX, plain NumPy and the matrix products alone.

`python -m benchmarks` runs it. The files, in the order in which to read them:

- `cases` what is run: shapes and tasks; `problem` the weights and data of one case, the same for everybody;
- `contestants` who runs it, one implementation a file;
- `worker` the process of one contestant at one thread setting; `race` tells the workers when to take a sample;
- `statistics` medians of paired ratios and their intervals; `results` what a race found, `saved` as JSON;
- `report`, `live` and `plot` show it;
- `learning` another race: who is first to the same validation loss on a text of yours.
"""
