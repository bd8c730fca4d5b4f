"""Itemised backpropagation through time: which loss sends how much gradient to which step."""
