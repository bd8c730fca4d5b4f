"""Metrics show themselves in a notebook: a picture and a table that hold what was measured, whatever that is."""

import dataclasses
import json
import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.training.metrics import BOTTOM, COLOURS, LEFT, RIGHT, ROWS, TOP, Metrics, read_metrics
from tests.training.test_run import OPTIONS, begin

SVG = "{http://www.w3.org/2000/svg}"


def evaluation(step, val_loss):
    validation = {
        "val_loss": val_loss,
        "val_bits_per_char": val_loss / math.log(2),
        "val_perplexity": math.exp(val_loss),
    }
    return {"step": step, "epoch": step / 10, "loss": val_loss + 1, **validation, "best": True, "sample": "abc"}


def show(metrics):
    """Return the picture, if there is one, and the rows of the table."""
    page = ElementTree.fromstring(f"<div>{metrics._repr_html_()}</div>".encode())
    rows = [["".join(cell.itertext()) for cell in row.iter("td")] for row in page.iter("tr")]
    return page.find(f"{SVG}svg"), rows[1:]


def curves(picture):
    """Return the points of each curve by its colour."""
    return {
        line.get("stroke"): np.array([point.split(",") for point in line.get("points").split()], float)
        for line in picture.iter(f"{SVG}polyline")
    }


def test_it_is_the_list_of_the_lines(tmp_path):
    lines = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}]
    for broken in ('{"step": 3', "[1]\n", "7\n", '{"loss": 1.0}\n', '{"step": "3"}\n'):  # read up to such a line
        later = json.dumps({"step": 4}) + "\n" if broken.endswith("\n") else ""
        (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + broken + later)
        metrics = nr.read_metrics(tmp_path)
        assert isinstance(metrics, nr.Metrics)
        assert metrics == lines
    with pytest.raises(FileNotFoundError, match=r"nowhere' has no metrics.jsonl: it is not a RUN, or it was"):
        read_metrics(tmp_path / "nowhere")


def test_the_picture_has_both_losses_against_the_steps():
    losses = [4.0, 3.0, 2.5, 2.0]
    metrics = Metrics({"step": 5 * i, "loss": loss} for i, loss in enumerate(losses, 1))
    metrics[1] |= {"val_loss": 3.5}
    metrics[3] |= {"val_loss": 2.25}
    picture, _ = show(metrics)
    drawn = curves(picture)
    x, y = drawn[COLOURS["loss"]].T
    np.testing.assert_allclose(x, LEFT + (RIGHT - LEFT) * np.array([5, 10, 15, 20]) / 20, atol=0.05)  # one decimal
    slope = (y[3] - y[0]) / (losses[3] - losses[0])
    assert slope < 0  # y grows downwards
    assert (y.min(), y.max()) == (TOP, BOTTOM)
    np.testing.assert_allclose(y, y[0] + slope * (np.array(losses) - losses[0]), atol=0.1)
    val_x, val_y = drawn[COLOURS["val_loss"]].T
    np.testing.assert_array_equal(val_x, x[[1, 3]])
    np.testing.assert_allclose(val_y, y[0] + slope * (np.array([3.5, 2.25]) - losses[0]), atol=0.1)
    # Each number beside an axis stands where that number is.
    numbers = [(float(t.text), t) for t in picture.iter(f"{SVG}text") if re.fullmatch(r"[\d.]+", t.text)]
    levels = {number: float(t.get("y")) - 4 for number, t in numbers if t.get("text-anchor") == "end"}
    steps = {number: float(t.get("x")) for number, t in numbers if t.get("text-anchor") == "middle"}
    assert list(levels) == [2, 2.5, 3, 3.5, 4]
    assert list(steps) == [0, 5, 10, 15, 20]
    np.testing.assert_allclose(list(levels.values()), y[0] + slope * (np.array(list(levels)) - losses[0]), atol=0.2)
    np.testing.assert_allclose(list(steps.values()), LEFT + (RIGHT - LEFT) * np.array(list(steps)) / 20, atol=0.05)


def test_the_table_has_the_evaluations_and_marks_the_best():
    metrics = Metrics([{"step": 1, "epoch": 0.1, "loss": 4.0}, evaluation(2, 2.5), evaluation(4, 2.0)])
    metrics += [{"step": 5, "epoch": 0.5, "loss": 1.0}, evaluation(6, 2.25)]
    assert show(metrics)[1] == [
        ["2", "0.20", "3.5000", "2.5000", "3.607", "12.18", ""],
        ["4", "0.40", "3.0000", "2.0000", "2.885", "7.389", "best"],
        ["6", "0.60", "3.2500", "2.2500", "3.246", "9.488", ""],
    ]


@pytest.mark.parametrize("best", [0, 7, 333, 4999])
def test_a_long_training_is_thinned_but_for_its_best(best):
    metrics = Metrics(evaluation(step, 1.0 + (step != best)) for step in range(5000))
    picture, rows = show(metrics)
    assert ROWS <= len(rows) <= ROWS + 1
    assert [rows[0][0], rows[-1][0]] == ["0", "4999"]
    assert [row[0] for row in rows if row[-1] == "best"] == [str(best)]
    steps = [int(row[0]) for row in rows]
    assert steps == sorted(steps)
    assert len(metrics._repr_html_()) < 40_000
    x = curves(picture)[COLOURS["loss"]][:, 0]
    assert (x[0], x[-1]) == (LEFT, pytest.approx(RIGHT, abs=0.1))


def test_what_is_missing_is_left_empty():
    assert Metrics()._repr_html_() == "<p>no metrics yet</p>"
    without = {"step": 3, "epoch": 1.0, "loss": 1.5, "sample": "a"}  # a training with nothing to validate with
    picture, rows = show(Metrics([without]))
    assert rows == [["3", "1.00", "1.5000", "", "", "", ""]]
    assert list(curves(picture)) == [COLOURS["loss"]]
    assert len(list(picture.iter(f"{SVG}circle"))) == 1  # a curve of one point would not be seen
    before_the_first_evaluation = Metrics([{"step": 1, "loss": 2.0}])
    assert show(before_the_first_evaluation)[1] == [["1", "", "2.0000", "", "", "", ""]]
    sick = [evaluation(1, 2.0), evaluation(2, 1.0) | {"val_loss": math.nan}, evaluation(3, 1.0) | {"val_loss": None}]
    picture, rows = show(Metrics(sick))
    assert [row[3] for row in rows] == ["2.0000", "nan", ""]
    assert [row[-1] for row in rows] == ["best", "", ""]
    assert len(curves(picture)[COLOURS["val_loss"]]) == 1


values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["<script>", "a&b", 10**400, [], "\x1b"])
)
lines = st.fixed_dictionaries({}, optional=dict.fromkeys(evaluation(1, 1.0), values))


@given(st.lists(lines, max_size=4))
def test_whatever_the_lines_hold_the_page_is_sound(metrics):
    html = Metrics(metrics)._repr_html_()
    page = ElementTree.fromstring(f"<div>{html}</div>".encode())
    assert "script" not in {element.tag for element in page.iter()}
    for element in page.iter():
        for name in ("x", "y", "points", "cx", "cy", "d"):
            assert not re.search("nan|inf", element.get(name) or "")


@pytest.mark.parametrize("colour", COLOURS.values())
def test_the_curves_can_be_seen_on_black_and_on_white(colour):
    """The contrast ratio of the web's accessibility guidelines (WCAG 2, 1.4.11): at least 3 to 1."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    luminance = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
    assert (luminance + 0.05) / 0.05 >= 3
    assert 1.05 / (luminance + 0.05) >= 3
    assert f'stroke="{colour}"' in Metrics([evaluation(1, 1.0)])._repr_html_()


def test_metrics_are_json_that_any_program_reads(tmp_path):
    begin(tmp_path / "run", options=dataclasses.replace(OPTIONS, val_fraction=0))
    assert not (tmp_path / "run" / "best.npz").exists()
    for line in (tmp_path / "run" / "metrics.jsonl").read_text("ascii").splitlines():
        metrics = json.loads(line, parse_constant=pytest.fail)
        assert "val_loss" not in metrics
        assert metrics["loss"] > 0
