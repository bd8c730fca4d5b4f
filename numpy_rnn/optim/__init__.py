"""Adam, gradient clipping and learning-rate schedules."""
