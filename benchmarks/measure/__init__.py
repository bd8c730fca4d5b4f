"""Measuring: one process per contestant and thread setting, rounds interleaved, samples kept."""
