"""How the code under test is called: layers, and pairs of forward and backward functions."""
