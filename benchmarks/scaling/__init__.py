"""Data-parallel training: several processes against several threads, and a model of more processes.

`team.py` is the program that every process of a team runs, `command.py` starts the teams, `model.py` extrapolates.
"""
