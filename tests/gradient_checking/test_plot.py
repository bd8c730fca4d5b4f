"""The picture of a report."""

import pytest

import numpy_rnn as nr
from tests.documents.wrong_rnn import at, rnn_backward, rnn_forward


def test_the_picture(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    report = nr.gradcheck((rnn_forward, rnn_backward), at())
    figure = report.plot(tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 10_000
    _, _, errors = figure.axes[:3]
    by_label = {line.get_label(): line.get_ydata() for line in errors.get_lines()}
    assert by_label["complex step"][:16].max() < 1e-11  # flat, where differences have their U
    assert by_label["central difference"].min() > 1e-13
    assert by_label["central difference"][[0, -1]].min() > 1e-6
    assert report.plot(figure.axes[:3]) is figure
    with pytest.raises(ValueError, match="target must be a path or three axes, got 1 axes"):
        report.plot(figure.axes[:1])
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match="matplotlib is not installed: pip install matplotlib"):
        report.plot()
