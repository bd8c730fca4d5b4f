"""docs/library.md: each row of the table PyTorch | numpy_rnn runs in both columns, and the index has all names."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn.display.instead import INSTEAD
from tests.optional import torch, torch_reference

TEXT = (Path(__file__).parents[2] / "docs" / "library.md").read_text()
T, B, V, E = 4, 3, 6, 5


def table(header):
    """Return the rows of the table with this header, each as the text of its two cells."""
    lines = TEXT.split(f"| {header} |\n|---|---|\n")[1].split("\n\n")[0].splitlines()
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def code(cell):
    """Return the first piece of code in a cell."""
    return re.search(r"`(.*?)`", cell)[1]


ROWS = table("PyTorch | numpy_rnn")


def run(source, names):
    """Run statements, and return the value of the last one if it is an expression."""
    *body, last = ast.parse(source).body
    if not isinstance(last, ast.Expr):
        exec(source, names)
        return None
    exec(compile(ast.Module(body, []), "row", "exec"), names)
    return eval(compile(ast.Expression(last.value), "row", "eval"), names)


def our_names(path):
    model = nr.CharRNN(V, E, E, dtype=np.float64, rng=0)
    x, targets = np.random.default_rng(0).integers(0, V, (2, T, B))
    logits, h_n = model.forward(x)
    criterion, flat = nr.CrossEntropyLoss(), (logits.reshape(-1, V), targets.reshape(-1))
    loss = criterion.forward(*flat)
    rnn, s = nr.GRU(3, 2, dtype=np.float64, rng=0), np.random.default_rng(1).standard_normal((T, B, 3))
    names = {"np": np, "nr": nr, "T": T, "B": B, "V": V, "E": E, "lr": 0.5, "array": np.arange(V), "s": s, "rnn": rnn}
    names |= {"model": model, "params": model.parameters(), "optimizer": nr.Adam(model.parameters(), lr=0.001)}
    names |= {"criterion": criterion, "loss": loss, "logits": flat[0], "targets": flat[1], "h_n": h_n, "x": x}
    return names | {"part": {"fc.bias": np.ones(V)}, "path": f"{path}.npz", "lengths": [4, 3, 2]}


def their_names(ours, path):
    model = torch_reference.make_mirror(ours["model"])
    x, targets = torch.tensor(ours["x"]), torch.tensor(ours["targets"])
    logits, h_n = model(x)
    criterion = torch.nn.CrossEntropyLoss()
    logits = logits.flatten(0, 1)
    rnn = torch.nn.GRU(3, 2, dtype=torch.float64)
    rnn.load_state_dict(torch_reference.to_torch(ours["rnn"].state_dict()))
    names = {
        "torch": torch,
        "nn": torch.nn,
        "F": torch.nn.functional,
        "lr": 0.5,
        "E": E,
        "s": torch.tensor(ours["s"]),
    }
    names |= {"model": model, "optimizer": torch.optim.Adam(model.parameters(), lr=0.001), "rnn": rnn}
    names |= {"criterion": criterion, "loss": criterion(logits, targets), "logits": logits, "targets": targets}
    names |= {"StepLR": torch.optim.lr_scheduler.StepLR, "tensor": torch.arange(float(V)).double()}
    names |= {"part": {"fc.bias": torch.ones(V)}, "path": f"{path}.pt", "lengths": [4, 3, 2]}
    return names | {"h_n": h_n, "x": x}


def numbers(value):
    """Return what a value of either library consists of, as NumPy arrays."""
    if isinstance(value, dict):
        return [array for name in sorted(value) for array in numbers(value[name])]
    if hasattr(value, "batch_sizes"):  # packed
        return numbers(torch.nn.utils.rnn.pad_packed_sequence(value)[0])
    if isinstance(value, tuple | list):
        return [array for each in value for array in numbers(each)]
    return [value.detach().numpy() if hasattr(value, "detach") else np.asarray(value)]


def assert_equal(ours, theirs):
    ours, theirs = numbers(ours), numbers(theirs)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


LAYERS = ("nn.Linear(3, 2", "torch.manual_seed")  # random weights: only that both columns run


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
@pytest.mark.parametrize(("left", "right"), ROWS, ids=[code(left) for left, _ in ROWS])
def test_both_columns_do_the_same(left, right, tmp_path):
    left = code(left)
    ours = our_names(tmp_path / "model")
    theirs = their_names(ours, tmp_path / "model")
    if left != "loss.backward()":
        ours["model"].backward(ours["criterion"].backward().reshape(T, B, V))
        if left != "loss.item()":
            theirs["loss"].backward()
    if "load(path)" in left:
        torch.save(theirs["model"].state_dict(), theirs["path"])
        np.savez(ours["path"], **ours["model"].state_dict())
        theirs["model"].fc.bias.data += 1
        ours["model"].fc.bias.data += 1
    their_value = run(left, theirs)
    if "leave it out" in right:
        assert left == "optimizer.zero_grad()" or their_value is theirs["model"]
        return
    if left.startswith(LAYERS):
        assert repr(nr.Linear(3, 2, rng=0)) == "Linear(3, 2)"
        return
    our_value = run(code(right), ours)
    if "tie_weights" in right:
        model = our_value
        model.load_state_dict(theirs["model"].state_dict())
        logits, expected = model.forward(ours["x"])[0], theirs["model"](theirs["x"])[0]
        np.testing.assert_allclose(logits, expected.detach().numpy(), rtol=1e-3, atol=1e-5)  # ours is float32
        return
    if our_value is not None and their_value is not None:
        assert_equal(our_value, their_value)
    for name, p in theirs["model"].named_parameters():
        mine = ours["model"].parameters()[name]
        np.testing.assert_allclose(mine.data, p.detach().numpy(), rtol=1e-10, atol=1e-12)
        if p.grad is not None:
            np.testing.assert_allclose(mine.grad, p.grad.numpy(), rtol=1e-10, atol=1e-12)
    assert ours["optimizer"].lr == pytest.approx(theirs["optimizer"].param_groups[0]["lr"], rel=1e-12)
    assert_equal(ours["loss"], theirs["loss"])


def test_the_index_lists_every_public_name():
    names = [name for cell, _ in table("name | what it is") for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(names) == sorted(nr.__all__)
    assert len(names) == len(set(names))
    public = {name for name in dir(nr) if not name.startswith("_")} & set(nr.__all__)
    assert public <= set(names)


def test_the_torch_names_with_a_hint_are_missing_somewhere():
    model = nr.CharRNN(V, rng=0)
    things = [model, model.fc.weight, nr.Adam(model.parameters()), model.loss_and_gradients([[0]], [[0]])[0], nr]
    assert not [name for name in INSTEAD if all(hasattr(thing, name) for thing in things)]
