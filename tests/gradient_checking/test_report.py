"""What the report prints."""

import re

import numpy as np
import pytest

import numpy_rnn as nr
from tests.documents.wrong_rnn import at, rnn_backward, rnn_forward
from tests.gradient_checking.samples import conduct, product, w_43, x_54

WRONG_RNN = rnn_forward, rnn_backward  # right at the last step, wrong before: dh_next is missing


@pytest.fixture(scope="module")
def report():
    return nr.gradcheck(WRONG_RNN, at())


def test_a_detached_recurrence_shows_in_every_tensor(report):
    assert not report.ok
    assert "5 of 5 gradients wrong" in str(report)
    for tensor in report.tensors.values():
        assert tensor.diagnosis is None  # the numbers alone show nothing
        assert tensor.max_relative_error > 1e-3
        assert tensor.analytic.shape == tensor.numeric.shape == tensor.shape
        assert tensor.max_absolute_error == np.abs(tensor.analytic - tensor.numeric).max()
        worst = tensor.analytic[tensor.worst_index] - tensor.numeric[tensor.worst_index]
        assert abs(worst) == tensor.max_absolute_error > 0


def test_the_suspect_comes_first_and_no_other_explanation(report):
    headline, suspect, *_ = str(report).split("\n\n")
    assert headline.startswith("gradcheck of rnn_forward: 5 of 5 gradients wrong")
    assert suspect.startswith(f"suspect: line {report.suspect.line} of")
    assert "no line is named" not in str(report)
    assert str(report).splitlines()[-1].startswith("  t = 5 ")


def test_without_a_line_the_report_says_so_after_what_the_numbers_show():
    namespace = {"np": np}
    exec("def f(x):\n    return x**2, x\ndef b(d, x):\n    return d * x\ndef s(d, x):\n    return d", namespace)
    half = nr.gradcheck((namespace["f"], namespace["b"]), x_54)
    assert half.suspect is None
    *_, numbers, line = str(half).split("\n\n")
    assert numbers == "x: half what it should be"
    assert line.startswith("no line is named: ")


def test_errors_are_listed_by_time_step(report):
    errors = report.tensors["x"].error_by_time_step()
    assert errors.shape == (5,)
    assert errors[-1] < 1e-12 < 1e-3 < errors[:-1].min()
    for t, error in enumerate(errors, 1):
        assert re.search(rf"^  t = {t} +{re.escape(format(error, '.0e'))}( |$)", str(report), re.MULTILINE)
    assert report.tensors["Wx"].error_by_time_step() is None


def test_long_sequences_are_listed_in_groups_of_steps():
    x = np.random.default_rng(0).standard_normal((2, 40, 1))
    text = str(nr.gradcheck(WRONG_RNN, at() | {"x": x, "Wx": np.ones((1, 4))}))
    assert len(re.findall(r"^  t = .*#", text, re.MULTILINE)) == 16
    assert "  t = 1 ... 3 " in text


def test_the_table_has_the_numbers_of_every_tensor(report):
    (table,) = (block for block in str(report).split("\n\n") if block.startswith("tensor "))
    header, *rows = table.splitlines()
    assert re.split(r" {2,}", header) == [
        "tensor",
        "shape",
        "abs error",
        "rel error",
        "worst at",
        "backward",
        "numerical",
        "verdict",
    ]
    for row, (name, t) in zip(rows, report.tensors.items(), strict=True):
        worst = t.worst_index
        expected = [
            name, str(t.shape), f"{t.max_absolute_error:.1e}", f"{t.max_relative_error:.1e}", str(list(worst)),
            f"{t.analytic[worst]:.9g}", f"{t.numeric[worst]:.9g}", "WRONG",
        ]  # fmt: skip
        assert re.split(r" {2,}", row.replace("  -", "   -")) == expected


def test_a_row_checked_along_directions_has_its_numbers_too():
    right = nr.gradcheck((product, lambda d, c: (d @ c[1].T, c[0].T @ d)), (x_54, w_43), full=False)
    x = right.tensors["x"]
    numbers = rf"a direction +{x.checked_analytic[x.worst]:.9g} +{x.checked_numeric[x.worst]:.9g} +ok"
    assert re.search(numbers, str(right))
    assert "coverage: x, w along random directions" in str(right)


def test_assert_gradients_raises_with_the_whole_report(report):
    with pytest.raises(AssertionError, match=re.escape(str(report))):
        nr.assert_gradients(WRONG_RNN, at())
    nr.assert_gradients(nr.Linear(4, 2), x_54)


def test_the_same_seed_gives_the_same_report(report):
    assert str(nr.gradcheck(WRONG_RNN, at())) == str(report) != str(nr.gradcheck(WRONG_RNN, at(), seed=1))


def test_a_gradient_as_small_as_rounding_is_not_headlined_as_right():
    report = nr.gradcheck((lambda x: (1 + 1e-17 * x, x), lambda d, x: 3e-17 * d), x_54)
    assert "x too small to check" in str(report).splitlines()[0]


def test_an_output_that_is_not_finite_cannot_be_judged():
    with np.errstate(all="ignore"):
        report = conduct(lambda x: (np.log(x), x), lambda dy, x: dy / x)  # some of x are negative
    assert not report.ok
    assert "it cannot be judged" in str(report)
    assert "forward is not finite at this point (output is nan at" in str(report)
    assert "WRONG" not in str(report)
    with np.errstate(all="ignore"):  # the derivative alone
        report = nr.gradcheck((lambda x: (np.sqrt(x), x), lambda dy, x: dy / 2 / np.sqrt(x)), np.array([0.0, 1, 4]))
    assert not report.ok


def test_an_output_without_an_upstream_gradient_is_noted():
    class Layer:
        def forward(self, x):
            self.x = x
            return x**2, x**3

        def backward(self, dsquare):
            return 2 * self.x * dsquare

    report = nr.gradcheck(Layer(), x_54)
    assert report.ok
    assert "backward takes no upstream gradient for output 1, so that output is not checked" in str(report)


def test_a_loss_whose_backward_takes_nothing_starts_with_one():
    class Loss:
        factor = 1

        def forward(self, x):
            self.x = x
            return np.mean(x**2)

        def backward(self):
            return self.factor * 2 * self.x / self.x.size

    class Twice(Loss):
        factor = 2

    assert nr.gradcheck(Loss(), x_54).ok
    assert "twice what it should be" in nr.gradcheck(Twice(), x_54).tensors["x"].diagnosis
