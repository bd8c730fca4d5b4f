"""Which line of a backward pass is wrong, found by following every operation of forward and backward."""
