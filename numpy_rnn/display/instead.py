"""What to write instead of torch's names: the words of AttributeErrors, in one place for all classes."""

from __future__ import annotations

from typing import Any

__all__ = ["Explained", "Loss", "no_attribute"]

_CPU = "numpy_rnn runs on the CPU: leave it out"
_DTYPE = "choose the dtype when you make the layer, for example dtype=np.float64"
_ARRAY = "a loss is a Python float already, and a parameter p has the array p.data"
_WALK = "write model.embedding, model.rnn and model.fc, or parameters().items() for all tensors"
_FREEZE = "to freeze a parameter p, set p.grad = 0 before each optimizer.step()"
_RNG = "pass rng=seed, or one np.random.default_rng(seed), to whatever draws random numbers"

INSTEAD = {
    **dict.fromkeys(("cuda", "cpu", "to", "device"), _CPU),
    **dict.fromkeys(("float", "double", "half", "bfloat16", "type"), _DTYPE),
    **dict.fromkeys(("item", "detach", "numpy", "tolist", "clone", "shape", "size", "numel", "dim", "dtype"), _ARRAY),
    **dict.fromkeys(("normal_", "uniform_", "zero_", "fill_", "copy_", "add_", "mul_"), "write p.data[...] = values"),
    **dict.fromkeys(("modules", "named_modules", "children", "named_children", "apply"), _WALK),
    **dict.fromkeys(("requires_grad", "requires_grad_", "freeze"), _FREEZE),
    **dict.fromkeys(("manual_seed", "seed"), _RNG),
    **dict.fromkeys(("no_grad", "inference_mode"), "leave it out: forward records nothing but a tape"),
    **dict.fromkeys(("Module", "nn"), "write a class with forward and backward, out of layers such as nr.Linear"),
    "zero_grad": "leave it out: backward assigns gradients, and does not add to them",
    "backward": "write criterion.backward() and then each layer's backward, or model.loss_and_gradients(...) for all",
    "named_parameters": "write parameters().items()",
    "flatten_parameters": "leave it out: parameters are always in one piece of memory",
    "param_groups": "all parameters share one set of options: write optimizer.lr = ...",
    "add_param_group": "make one optimizer for nr.Parameters.join({...}) of all layers",
    "Dropout": "pass dropout= to RNN, LSTM, GRU or CharRNN, or multiply by your own mask in forward and in backward",
    "SGD": "write parameters.data -= lr * parameters.grad",
    "AdamW": "write nr.Adam(parameters, weight_decay=0.01, decoupled_weight_decay=True)",
    "tensor": "use NumPy arrays",
    "save": "write nr.save_model(path, model, vocabulary), or np.savez(path, **layer.state_dict())",
    "load": "write nr.load_model(path), or layer.load_state_dict(np.load(path))",
}


def no_attribute(owner: str, name: str, thing: Any = None) -> AttributeError:
    """Return the error about a missing attribute, with what to write instead if torch has it."""
    instead = f": {INSTEAD[name]}" if name in INSTEAD else ""
    return AttributeError(f"{owner} has no attribute {name!r}{instead}", name=name, obj=thing)


class _Missing:
    """An attribute that does not exist: reading it is an AttributeError, and for requires_grad setting it too."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, thing: Any, owner: type) -> Any:
        raise no_attribute(f"{owner.__name__!r} object", self.name, thing)


class _Fixed(_Missing):
    def __set__(self, thing: Any, value: Any) -> None:
        self.__get__(thing, type(thing))


class Explained:
    """A class whose AttributeErrors say what to write instead of torch's names."""

    __slots__ = ()

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if hasattr(self, name)]


for _name in INSTEAD:  # a __getattr__ would make every access to an attribute slower
    setattr(Explained, _name, (_Fixed if _name == "requires_grad" else _Missing)(_name))


class Loss(float, Explained):
    """A loss: a Python float."""
