"""Showing what was measured: report, pictures, comparison with an earlier run."""
