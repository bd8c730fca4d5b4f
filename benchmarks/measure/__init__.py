"""Measuring: one process per contestant and thread setting, samples taken in turn and in random order."""
