"""Optional packages for the tests: imported at first use, which skips the test if the package is not installed."""

from typing import Any

import pytest

__all__ = ["Optional", "torch", "torch_reference"]


class Optional:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):  # pytest looks for marks of its own when it collects a module
            raise AttributeError(attribute)
        return getattr(pytest.importorskip(self._name, exc_type=ImportError), attribute)


torch, torch_reference = Optional("torch"), Optional("torch_reference")
