"""The learning race needs torch; the other tests leave out what is not installed."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["test_learning_*.py", "test_same_training.py"]
