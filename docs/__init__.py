"""The commands behind the pages: `python -m docs.worked_example`, `python -m docs.figures.backprop`."""
