"""Tests of the debugger, and the loader of the layers that they write to files."""

import importlib.util
from itertools import count

NUMBERS = count()


def load(path):
    """Import a file under a name of its own."""
    spec = importlib.util.spec_from_file_location(f"{path.stem}_{next(NUMBERS)}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
