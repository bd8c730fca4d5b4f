"""What gradcheck should say of a style, and what it says."""

from __future__ import annotations

__all__ = ["culprit", "passes", "unlisted_is_named", "verdict"]


def passes(report):
    """Return whether every gradient was compared and found right."""
    return getattr(report, "ok", False) and all(tensor.verdict == "ok" for tensor in report.tensors.values())


def culprit(report):
    """Return the name of the one tensor that is called wrong, or None."""
    tensors = getattr(report, "tensors", {}).values()
    wrong = [tensor.name for tensor in tensors if tensor.verdict == "WRONG"]
    others = [tensor.name for tensor in tensors if tensor.verdict not in ("ok", "WRONG")]
    return wrong[0] if len(wrong) == 1 and not others else None


def unlisted_is_named(report, name):
    """Return whether the check does not pass, because of the gradient of `name`."""
    if isinstance(report, Exception):
        return isinstance(report, TypeError | ValueError) and name in str(report)
    return not report.ok and name in report.tensors and report.tensors[name].verdict != "ok"


def verdict(style):
    """Return the cells of a style's row."""
    right, wrong = style.run("right"), style.run("wrong")
    cells = ["passes" if passes(right) else "DOES NOT PASS", "fails" if culprit(wrong) else "NOT FOUND"]
    if not style.has("unlisted"):
        return [*cells, "-"]
    name = culprit(wrong)
    named = name is not None and unlisted_is_named(style.run("unlisted"), name)
    return [*cells, "fails" if named else "NOT FOUND"]
