"""What is checked: how its forward and backward are called, and where its tensors and their gradients are."""
