"""Generating text from a model, character by character."""
