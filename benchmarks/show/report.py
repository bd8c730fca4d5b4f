"""The report of a race, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.cases import CURVES, TASKS
from benchmarks.contestants import AGAIN, CONTESTANTS, OURS
from benchmarks.measure.results import Entrant, Race, thread_count
from benchmarks.measure.statistics import Interval, bootstrap_median
from benchmarks.show.curves import crossover, curve

__all__ = ["best_torch", "duration", "facts", "grid_cases", "machine", "markdown", "table"]

TORCH_ON_CPU = "torch", "torch-fused"  # as people write it
RIVALS = "torch-by-hand", "torch-compile", "mine", "jax", "torch-cuda"
FLOORS = "floor", "floor+loops"


def duration(seconds: float) -> str:
    """Return a time with three digits and a suitable unit."""
    unit, scale = next(((u, s) for u, s in (("s", 1), ("ms", 1e3)) if seconds * s >= 1), ("us", 1e6))
    value = seconds * scale
    return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f} {unit}"


def grid_cases(race: Race, task: str) -> list[int]:
    """Return the indices of a task's cases that have an A/A control: the others are only for the cost curves."""
    controlled = {sample.case for sample in race.samples if sample.name == AGAIN.name}
    return [i for i, case in enumerate(race.cases) if case.task == task and i in controlled]


def best_torch(best: dict[str, Entrant]) -> Entrant | None:
    """Return the fastest contestant with torch.nn and autograd on the CPU; `best` is in the order of speed."""
    return next((entrant for name, entrant in best.items() if name in TORCH_ON_CPU), None)


def markdown(race: Race) -> str:
    """Return the whole report."""
    parts = [machine(race), _verdict(race)]
    for task, words in TASKS.items():
        cases = grid_cases(race, task)
        if cases:
            parts += [f"## {words[0].upper()}{words[1:]}", _ratios(race, cases)]
            settings = sorted({sample.threads for sample in race.samples})
            parts += [_times(race, cases, threads) for threads in settings]
            parts += [_memory(race, cases)]
    parts += [_curves(race), _first_steps(race), _cores(race), _failures(race)]
    return "\n\n".join(filter(None, parts)) + "\n"


def machine(race: Race) -> str:
    """Return a list of the machine, the versions, and the protocol."""
    how = (
        f"{race.protocol['rounds']} processes per contestant, samples of at least "
        f"{race.protocol['sample_seconds'] * 1e3:.0f} ms, threads {race.protocol['threads']}"
    )
    return facts(race.machine, race.versions, how)


def facts(on: Mapping[str, str], versions: Mapping[str, Any], how: str) -> str:
    """Return a list of the machine, the versions that the workers reported, and `how` it was measured."""
    libraries = dict(item for hello in versions.values() for item in hello["versions"].items())
    blas = {
        f"{pool['internal_api']} {pool['version']} ({pool['architecture']} kernels)"
        for hello in versions.values()
        for pool in hello["pools"]
        if pool["user_api"] == "blas"
    }
    lines = [
        f"{on['cpu']}, {on['cores']} cores, {on['system']}",
        f"Python {on['python']}, "
        + ", ".join(f"{name} {version}" for name, version in libraries.items() if "threads" not in name),
        f"BLAS of NumPy: {', '.join(sorted(blas))}",
        f"commit {on['commit']}, {on['date']}, {how}",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _verdict(race: Race) -> str:
    reasons = race.not_publishable()
    if reasons:
        return "**Not for publication**: " + "; ".join(reasons) + "."
    controls = (f"{bootstrap_median(groups)} at {name}" for name, groups in race.controls().items())
    return f"A/A control, numpy_rnn against itself over all cases: {', '.join(controls)}."


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, with the first column aligned left and the others right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _ratios(race: Race, cases: Sequence[int]) -> str:
    """Compare each contestant with numpy_rnn, both at their better thread setting."""
    rows = []
    for i in cases:
        times, best = race.times(i), race.best(i)
        ours = best.get(OURS.name)
        if ours is None:
            continue
        row = [race.cases[i].shape, f"{duration(median(times[ours].values()))} @{ours.threads}"]
        others = best_torch(best), *map(best.get, RIVALS)
        row += [f"{_interval(race.ratio(i, theirs, ours))} {theirs}" if theirs else "" for theirs in others]
        for floor in map(best.get, FLOORS):
            row.append(_interval(race.ratio(i, ours, floor)) + f" @{floor.threads}" if floor else "")
        again = Entrant(AGAIN.name, ours.threads)
        row.append(_interval(race.ratio(i, again, ours)) if again in times else "")
        rows.append(row)
    head = ["V, E, H, T, B", "numpy_rnn", *(f"{name} / numpy_rnn" for name in ("best torch", *RIVALS))]
    head += [*(f"numpy_rnn / {name}" for name in FLOORS), "A/A"]
    used = [k for k in range(len(head)) if k < 2 or any(row[k] for row in rows)]
    return "Ratios of time, with 95 % intervals; @ the better thread setting of each:\n\n" + table(
        [head[k] for k in used], [[row[k] for k in used] for row in rows]
    )


def _interval(interval: Interval) -> str:
    return f"**{interval.median:.2f}** [{interval.low:.2f}, {interval.high:.2f}]"


def _by_contestant(race: Race, cases: Sequence[int], cell: Callable[[int, str], str]) -> str:
    """Return a table of `cell(case, name)` with a column per contestant, without empty columns."""
    names = [c.name for c in (*CONTESTANTS, AGAIN)]
    names += sorted({sample.name for sample in race.samples} - set(names))
    columns = {name: [cell(i, name) for i in cases] for name in names}
    columns = {name: cells for name, cells in columns.items() if any(cells)}
    rows = zip((race.cases[i].shape for i in cases), *columns.values(), strict=True)
    return table(["V, E, H, T, B", *columns], rows) if columns else ""


def _times(race: Race, cases: Sequence[int], threads: int) -> str:
    times = {i: race.times(i) for i in cases}

    def cell(i: int, name: str) -> str:
        seconds = times[i].get(Entrant(name, threads))
        if seconds is None:
            return ""
        processes = len({number for number, _ in seconds})
        some = "" if processes == race.protocol["rounds"] else f" ({processes})"
        return duration(median(seconds.values())) + some

    note = "median time (in brackets the number of processes, where it is not all of them):"
    return f"{thread_count(threads)}, {note}\n\n" + _by_contestant(race, cases, cell)


def _memory(race: Race, cases: Sequence[int]) -> str:
    def cell(i: int, name: str) -> str:
        entrants = [f"{i}/{Entrant(name, n)}" for n in race.protocol["threads"]]
        peaks = [race.peak_bytes[entrant] for entrant in entrants if entrant in race.peak_bytes]
        return f"{min(peaks) / 1e6:.1f}" if peaks else ""

    rows = _by_contestant(race, cases, cell)
    note = "Peak resident memory in MB of weights, gradients, averages and a step, above what the process held before"
    return rows and f"{note} (including what compilation left behind, if any):\n\n{rows}"


def _curves(race: Race) -> str:
    lines = []
    for axis in CURVES:
        sizes, seconds = curve(race, axis)
        others = [name for name in seconds if name not in (OURS.name, "floor")]
        for name in others if OURS.name in seconds else ():
            where = crossover(sizes, seconds[OURS.name], seconds[name])
            lines.append(f"- {name} is faster than numpy_rnn {where} along {axis} = {sizes}")
    return "\n".join(["## Cost curves", "", *lines]) if lines else ""


def _first_steps(race: Race) -> str:
    """Report the compilation time: how much longer the first step of a fresh process takes."""
    extra: dict[str, list[float]] = {}
    for i in range(len(race.cases)):
        for entrant, seconds in race.times(i).items():
            first = race.first_seconds.get(f"{i}/{entrant}", 0.0)
            extra.setdefault(entrant.name, []).append(first - median(seconds.values()))
    lines = [
        f"- {name}: {max(0, min(extra[name])):.1f} to {max(extra[name]):.1f} s per case"
        for name in ("torch-compile", "jax")
        if name in extra
    ]
    return "\n".join(["## Compilation, not part of the times above", "", *lines]) if lines else ""


def _cores(race: Race) -> str:
    """Report the effect of the thread setting: CPU time divided by wall time."""
    lines = []
    for threads in race.protocol["threads"]:
        used: dict[str, list[float]] = {}
        for sample in race.samples:
            if sample.threads == threads:
                used.setdefault(sample.name, []).append(sample.cpu_seconds / sample.seconds)
        cores = ", ".join(f"{name} {median(shares):.2f}" for name, shares in sorted(used.items()))
        lines.append(f"- {thread_count(threads)}: {cores}")
    return "\n".join(["## Cores in use, median over all samples", "", *lines]) if race.samples else ""


def _failures(race: Race) -> str:
    lines = []
    for where, reason in race.failures.items():
        index, _, entrant = where.rpartition("/") if where.split("/")[0].isdigit() else ("", "", where)
        lines.append(f"- {entrant}{f' on {race.cases[int(index)]}' if index else ''}: {reason}")
    return "\n".join(["## Not run", "", *lines]) if lines else ""
