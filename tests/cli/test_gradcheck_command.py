import re
from itertools import islice

import pytest

from numpy_rnn.cli import main
from numpy_rnn.gradient_checking import targets

LAYERS = """
import numpy as np
import beside

class Square:
    def __init__(self, power=2):
        self.w = np.array([1.5])
        self.power = power

    def forward(self, x, scale=None):
        self.x = x
        return self.w * x ** self.power

    def backward(self, dy):
        self.dw = np.sum(dy * self.x ** self.power, keepdims=True).reshape(1)
        return beside.FACTOR * dy * self.w * self.power * self.x ** (self.power - 1)

class Broken(Square):
    def backward(self, dy):
        return 2 * super().backward(dy)

class Raises(Square):
    def forward(self, x):
        return x.no_such_thing

square = Square(3)

def fwd(params, x):
    return x @ params["w"], (params, x)

def bwd(cache, dy):
    return {"w": cache[1].T @ dy, "x": dy @ cache[0]["w"].T}

def lookup(table, rows):
    return table[rows], (table, rows)

def lookup_back(dy, cache):
    table, rows = cache
    dtable = np.zeros_like(table)
    dtable[rows] += dy
    return dtable
"""


@pytest.fixture
def layers(tmp_path):
    (tmp_path / "beside.py").write_text("FACTOR = 1.0\n")
    path = tmp_path / "layers.py"
    path.write_text(LAYERS)
    return path


def run(capsys, *argv):
    status = main(["gradcheck", *argv])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_every_layer_that_we_ship_is_right(capsys):
    status, out, err = run(capsys)
    assert (status, err) == (0, "")
    for name in ("Embedding", "RNN", "Linear", "CrossEntropyLoss", "LogSoftmax", "NLLLoss", "CharRNN"):
        assert re.search(rf"gradcheck of {name}: (all \d+ gradients|its gradient is) right", out)
    assert "WRONG" not in out


def test_the_method_and_the_seed_reach_the_layers_that_we_ship(capsys, monkeypatch):
    def first_two(**options):  # the others take longer
        return islice(shipped(**options), 2)

    shipped = targets.check_shipped
    monkeypatch.setattr(targets, "check_shipped", first_two)
    one, two, again = (run(capsys, "--method", "differences", "--seed", seed) for seed in "121")
    assert one == again != two
    assert (one[0], two[0]) == (0, 0)
    assert one[1].count("method: differences (as requested)") == 2


@pytest.mark.parametrize("what", ["Square", "Square(5)", "square"])
def test_a_layer_of_the_users_own(capsys, layers, what):
    status, out, err = run(capsys, f"{layers}:{what}", "--input", "x=4,3")
    assert (status, err) == (0, "")
    assert "gradcheck of Square: all 2 gradients right" in out


def test_a_wrong_one_is_an_exit_status_of_one(capsys, layers, tmp_path):
    pytest.importorskip("matplotlib")
    status, out, err = run(capsys, f"{layers}:Broken", "--input", "x=5,3", "--plot", str(tmp_path / "report.png"))
    assert (status, err) == (1, "")
    assert "twice what it should be" in out
    assert (tmp_path / "report.png").exists()


def test_the_seed_decides_the_numbers(capsys, layers):
    one, two, again = (run(capsys, f"{layers}:Broken", "--input", "x=5,3", "--seed", seed)[1] for seed in "121")
    assert one == again != two


def test_pairs_with_params_and_with_integers(capsys, layers):
    assert run(capsys, f"{layers}:fwd, bwd", "--input", "x=4,3", "--param", "w=3,2")[0] == 0
    status, out, _ = run(capsys, f"{layers}:lookup, lookup_back", "--input", "table=5,2", "--input", "rows=9:5")
    assert status == 1
    assert "a repeated index overwrites instead of adding up" in out


@pytest.mark.parametrize(
    ("what", "options", "words"),
    [
        ("Nothing", [], "NameError: name 'Nothing' is not defined"),
        ("Raises", ["--input", "x=2,3"], "AttributeError: 'numpy.ndarray' object has no attribute 'no_such_thing' ("),
        ("Square", [], "forward() missing 1 required positional argument: 'x': give each as --input NAME=SHAPE"),
        ("Square", ["--input", "y=2,3"], "forward of Square takes x, scale, got y"),
        ("Square", ["--input", "x=2,b"], "expected name=shape such as x=4,3,8, or tokens=4,3:10 for integers below"),
        ("Square", ["--input", "x=2:0"], "expected name=shape such as x=4,3,8"),
        ("Square(", [], "SyntaxError"),
        ("np.zeros(3)", ["--input", "x=2"], "ndarray has no method forward"),
    ],
)
def test_an_error_is_one_line(capsys, layers, what, options, words):
    status, _, err = run(capsys, f"{layers}:{what}", *options)
    assert status == 1
    assert err.startswith("numpy-rnn: error: ")
    assert words in err
    assert err.count("\n") == 1


def test_what_cannot_be_run_is_one_line(capsys, tmp_path):
    bad = tmp_path / "bad.py"
    for text, words in [
        ("x = (", "SyntaxError"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("raise SystemExit(3)", "exits when it is run: 3"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ]:
        bad.write_text(text)
        status, _, err = run(capsys, f"{bad}:Layer")
        assert (status, err.count("\n")) == (1, 1)
        assert words in err
    assert "there is no file" in run(capsys, f"{tmp_path / 'none.py'}:Layer")[2]
    assert "expected path/to/file.py:ClassOrPair, got 'Layer'" in run(capsys, "Layer")[2]
    assert "--input and --param need a layer to check" in run(capsys, "--input", "x=3")[2]


def test_an_expression_may_hold_a_colon(capsys, layers):
    assert run(capsys, f"{layers}:{{'cube': Square(3)}}['cube']", "--input", "x=4,3")[0] == 0


@pytest.mark.parametrize(
    ("what", "options", "words"),
    [
        ("fwd, bwd", ["--input", "y=4,3", "--param", "w=3,2"], "fwd takes x, got y"),
        ("Square", ["--input", "x=4,3", "--input", "x=5,3"], "--input x is given twice"),
        ("Square", ["--input", "x=4,3", "--param", "w=3"], "--param is for a pair of functions"),
    ],
)
def test_an_option_that_would_be_lost_is_an_error(capsys, layers, what, options, words):
    status, _, err = run(capsys, f"{layers}:{what}", *options)
    assert (status, err.count("\n")) == (1, 1)
    assert words in err
