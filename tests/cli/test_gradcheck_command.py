import re
import sys
from itertools import islice
from types import SimpleNamespace

import pytest

from numpy_rnn.cli import gradcheck_targets as targets
from tests.cli.user_layers import run


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


@pytest.mark.parametrize("wrong", range(3))
def test_one_wrong_report_of_several_is_an_exit_status_of_one(capsys, monkeypatch, wrong):
    reports = [SimpleNamespace(ok=k != wrong) for k in range(3)]
    monkeypatch.setattr(targets, "check_shipped", lambda **options: iter(reports))
    assert run(capsys)[0] == 1


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
    assert re.search(r"^> +\d+ \|     dtable\[rows\] \+= dy$", out, re.MULTILINE)  # rows repeat


def shapes(value):
    if isinstance(value, dict):
        return {name: shapes(member) for name, member in value.items()}
    return getattr(value, "shape", value)


@pytest.mark.parametrize(
    ("what", "arrays", "expected"),
    [
        ("loss_and_gradient", ["labels=4:3", "scores=4,3"], [(4, 3), (4,)]),
        ("loss_and_gradient", ["weight=2", "scores=4,3", "labels=4:3"], [(4, 3), (4,), 0.0, (2,)]),
        ("net.loss", ["X=4,3"], [(4, 3)]),
        ("Net().loss", ["y=4:3", "X=4,3"], [(4, 3), (4,)]),
        ("Square", ["scale=", "x=4,3"], [(4, 3), ()]),
        ("fwd, bwd", ["x=4,3", "params=3,2"], [{"params": (3, 2), "x": (4, 3)}]),
        ("square.forward, square.backward", ["x=4,3"], [{"x": (4, 3)}]),
        ("lambda x: fwd({'w': x}, x), bwd", ["x=3,3"], [{"x": (3, 3)}]),
        ("max, bwd", ["anything=3"], [{"anything": (3,)}]),
    ],
)
def test_inputs_are_passed_in_the_order_of_forward(capsys, layers, calls, what, arrays, expected):
    assert run(capsys, f"{layers}:{what}", *(word for text in arrays for word in ("--input", text)))[0] == 0
    assert [shapes(value) for value in calls[0][1]] == expected


def test_param_fills_the_dictionary_that_forward_takes(capsys, layers, calls):
    options = ["--input", "x=4,3", "--param", "w=3,2", "--param", "b=2"]
    for what, expected in [
        ("fwd, bwd", [{"x": (4, 3)}, {"w": (3, 2), "b": (2,)}]),
        ("params_last, bwd", [{"x": (4, 3), "parameters": {"w": (3, 2), "b": (2,)}}]),
        ("fwd", [{"w": (3, 2), "b": (2,)}, (4, 3)]),
    ]:
        assert run(capsys, f"{layers}:{what}", *options)[0] == 0
        assert [shapes(value) for value in calls[-1][1]] == expected


def test_the_options_reach_gradcheck(capsys, layers, calls):
    def options(*given):
        assert run(capsys, f"{layers}:square", "--input", "x=2", *given)[0] == 0
        return calls[-1][2]

    assert options() == {"seed": 0}
    given = ["--rtol", "1e-6", "--atol", "1e-9", "--constant", "w", "--constant", "x", "--method", "differences"]
    expected = {"rtol": 1e-6, "atol": 1e-9, "constants": ["w", "x"], "method": "differences", "seed": 3}
    assert options(*given, "--seed", "3") == expected
    assert options("--full") == {"full": True, "seed": 0}
    assert options("--directions", "7") == {"full": False, "directions": 7, "seed": 0}
    assert run(capsys, "--rtol", "1e-5", "--directions", "2")[0] == 0
    assert all(kept["rtol"] == 1e-5 and kept["directions"] == 2 for *_, kept in calls[4:])
    assert len(calls[4:]) == 11


def test_a_class_gets_the_arguments_of_its_constructor(capsys, layers):
    status, out, err = run(capsys, f"{layers}:Affine", "--input", "x=4,3", "--init", "bias=2", "--init", "W=3,2")
    assert (status, err) == (0, "")
    assert "gradcheck of Affine: all 3 gradients right" in out


def test_arguments_of_the_constructor_may_be_given_as_inputs(capsys, layers):
    status, out, err = run(capsys, f"{layers}:Affine", "--input", "x=4,3", "--input", "bias=2", "--input", "W=3,2")
    assert (status, err) == (0, "")
    assert "all 3 gradients right" in out
    status, out, _ = run(capsys, f"{layers}:Affine", "--input", "x=4,3", "--init", "W=3,2", "--constants", "x")
    assert status == 0
    assert "its gradient is right" in out


def test_a_file_in_a_package_may_import_its_neighbours(capsys, layers, tmp_path):
    package = tmp_path / "package_of_the_user" / "inner"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "constants_of_the_user.py").write_text("TWO = 2.0\n")
    text = "from ..inner.constants_of_the_user import TWO\nimport constants_of_the_user\n"
    text += "def double(x): return TWO * x, None\ndef double_back(dy, cache): return TWO * dy\n"
    (package / "doubling.py").write_text(text)
    before = sys.path[:]
    assert run(capsys, f"{package / 'doubling.py'}:double, double_back", "--input", "x=3")[0] == 0
    assert sys.path == before


def test_an_expression_may_hold_a_colon(capsys, layers):
    assert run(capsys, f"{layers}:{{'cube': Square(3)}}['cube']", "--input", "x=4,3")[0] == 0


@pytest.mark.parametrize(("what", "status"), [("Square", 0), ("Broken", 1)])
def test_the_lines_of_backward_are_printed_with_their_gradients(capsys, layers, what, status):
    assert "dL/d(" not in run(capsys, f"{layers}:Square", "--input", "x=4,3")[1]
    got, out, err = run(capsys, f"{layers}:{what}", "--input", "x=4,3", "--lines")
    assert (got, err) == (status, "")
    rows = out[out.index("numerical") :].splitlines()
    assert any("self.dw = np.sum(dy" in row and row.endswith("# dL/d(w)") for row in rows)
    assert any("return beside.FACTOR" in row and row.endswith("# dL/d(x)") for row in rows)
    assert any("2 * super().backward(dy)" in row and "# wrong" in row for row in rows) == (what == "Broken")


def test_the_lines_of_code_without_a_source_are_not_printed_but_the_reason(capsys, layers):
    status, out, _ = run(
        capsys, f"{layers}:(lambda w: (w**3, w)), (lambda d, w: 3 * w**2 * d)", "--input", "w=4", "--lines"
    )
    assert status == 0
    assert "no line is named: the source of" in out
