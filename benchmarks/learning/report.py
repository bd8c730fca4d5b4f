"""The report of a learning race, in Markdown."""

from __future__ import annotations

import math
from statistics import median

from benchmarks.contestants import AGAIN, OURS
from benchmarks.learning.results import Learning
from benchmarks.measure.results import thread_count
from benchmarks.show.report import duration, facts, table

__all__ = ["markdown"]

_ROWS = 8  # of the table of levels


def markdown(learning: Learning) -> str:
    """Return the whole report."""
    chunk = learning.options["eval_every"]
    how = f"a process each, which take turns after {chunk:,} steps"
    parts = [
        facts(learning.machine, learning.versions, how),
        _control(learning),
        f"## Learning {learning.text['name']}",
        _training(learning),
        _verdict(learning),
        _sides(learning),
        "Time of training to the same validation loss:",
        _levels(learning),
        "Probe before the race, median time of a step; the fastest of each raced:",
        _probe(learning),
    ]
    return "\n\n".join(parts) + "\n"


def _control(learning: Learning) -> str:
    reasons = learning.not_publishable()
    if reasons:
        return "**Not for publication**: " + "; ".join(reasons) + "."
    return f"A/A control, numpy_rnn against itself chunk by chunk: {learning.ratio(AGAIN.name)}."


def _training(learning: Learning) -> str:
    text, options = learning.text, learning.options
    return (
        f"{text['train_chars']:,} characters for training, {text['val_chars']:,} for validation, "
        f"{text['vocab_size']} distinct. {options['num_layers']} layers of {options['hidden_size']}, characters "
        f"embedded in {options['embedding_dim']}: {learning.parameters:,} parameters, {options['dtype']}. "
        f"{options['steps']:,} steps of {options['batch_size']} x {options['seq_len']} characters, "
        f"{learning.windows:,} per epoch. Adam, learning rate {options['lr']:g}, {options['schedule']}, after "
        f"{options['warmup_steps']} steps of warm-up; norm of the gradients clipped at {options['clip']:g}; "
        f"no dropout; seed {options['seed']}."
    )


def _verdict(learning: Learning) -> str:
    theirs, levels = learning.chosen()[1], learning.levels()
    ratios, last = [level.ratio for level in levels], levels[-1]
    difference, step = learning.largest_difference(theirs.name)
    control, _ = learning.largest_difference(AGAIN.name)
    lines = (
        f"To the same validation loss, {last.loss:.4f} nats, the lowest that both reach, torch takes "
        f"**{last.ratio:.2f}** times as long as numpy_rnn. Over all {len(levels)} losses that both had reached at an "
        f"evaluation: {min(ratios):.2f} to {max(ratios):.2f}, median {median(ratios):.2f}.",
        f"The same steps in pairs, chunk by chunk: {learning.ratio(theirs.name)}, with a 95 % interval.",
        f"At the same step their validation losses differ by at most {difference:.1e} nats (step {step:,}); those of "
        f"two processes of numpy_rnn by {control:.1e}.",
    )
    return "\n".join(f"- {line}" for line in lines)


def _sides(learning: Learning) -> str:
    rows: dict[str, list[str]] = {}
    for entrant in learning.chosen():
        chunks = learning.of(entrant.name)
        seconds, cpu_seconds = (sum(values) for values in list(zip(*chunks, strict=True))[3:5])
        steps, loss = chunks[-1].step, chunks[-1].val_loss
        best = min(chunk.val_loss for chunk in chunks)
        for name, cell in (
            ("variant", "" if entrant.name == OURS.name else entrant.name),
            ("threads", str(entrant.threads)),
            ("steps", f"{steps:,}"),
            ("time of training", duration(seconds)),
            ("characters per second", f"{learning.characters(steps) / seconds:,.0f}"),
            ("cores in use", f"{cpu_seconds / seconds:.2f}"),
            ("validation loss at the end, nats", f"{loss:.4f}"),
            ("bits per character", f"{loss / math.log(2):.4f}"),
            ("lowest validation loss, nats", f"{best:.4f}"),
        ):
            rows.setdefault(name, [name]).append(cell)
    return table(("", "numpy_rnn", "torch"), rows.values())


def _levels(learning: Learning) -> str:
    levels = learning.levels()
    every = math.ceil(len(levels) / _ROWS)
    return table(
        ("nats", "bits", "numpy_rnn", "torch", "torch / numpy_rnn"),
        [
            [
                f"{level.loss:.4f}",
                f"{level.loss / math.log(2):.4f}",
                duration(level.ours),
                duration(level.theirs),
                f"**{level.ratio:.2f}**",
            ]
            for level in levels[::-1][::every][::-1]  # the lowest is always there
        ],
    )


def _probe(learning: Learning) -> str:
    settings = learning.settings()
    threads = sorted({entrant.threads for entrant in settings})
    names = sorted({entrant.name for entrant in settings})
    rows = ([name, *(duration(s) for e, s in sorted(settings.items()) if e.name == name)] for name in names)
    return table(("", *map(thread_count, threads)), rows)
