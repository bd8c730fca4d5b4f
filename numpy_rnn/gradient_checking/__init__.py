"""Checking a backward pass against numerical derivatives of its forward pass; see docs/gradcheck.md."""

from numpy_rnn.gradient_checking.check import assert_gradients, gradcheck
from numpy_rnn.gradient_checking.report import GradcheckReport
from numpy_rnn.gradient_checking.tensors import TensorReport

__all__ = ["GradcheckReport", "TensorReport", "assert_gradients", "gradcheck"]
