"""Showing results: report, pictures, progress, comparison with an older race."""
