"""Keep the results of the benchmarks as JSON, and write RESULTS.md from them and from the notes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import MEASURED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FOLDER = Path(__file__).parent

HEAD = """\
# What the benchmarks measured

Written by `make bench` from `results/` and `notes/`; [README.md](README.md) says how to run it and how
to read this.
"""

_TIMES = "\N{MULTIPLICATION SIGN}"
_UNITS = {"wall_seconds": "s", "cpu_seconds": "CPU s", "peak_mb": "peak MB"}


def save(subject: str, comparisons: Sequence[Mapping[str, Any]]) -> None:
    """Keep what a subject's comparisons gave."""
    (FOLDER / "results").mkdir(exist_ok=True)
    text = json.dumps(comparisons, indent=1, default=str)
    (FOLDER / "results" / f"{subject}.json").write_text(text + "\n")


def write_page(subjects: Sequence[str]) -> None:
    """Write RESULTS.md: all subjects that have results, in the given order."""
    parts = [HEAD]
    for subject in subjects:
        file, notes = FOLDER / "results" / f"{subject}.json", FOLDER / "notes" / f"{subject}.md"
        if file.exists():
            parts += [as_markdown(comparison) for comparison in json.loads(file.read_text())]
            if notes.exists():
                parts.append(notes.read_text().strip() + "\n")
    (FOLDER / "RESULTS.md").write_text("\n".join(parts))


def as_markdown(comparison: Mapping[str, Any]) -> str:
    """Return one comparison's results: its targets, its figures, its slope, who took part, where it ran."""
    machine = comparison["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in comparison["versions"].items())
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}"
    return "\n".join(
        [
            f"## {comparison['title']}",
            "",
            *_targets(comparison),
            *_figures(comparison["unit"], comparison["rows"]),
            "",
            *_slopes(comparison),
            *_over_the_floor(comparison["rows"]),
            *_failures(comparison.get("failures", ())),
            "",
            *(f"- `{contender['name']}`: {contender['what']}" for contender in comparison["contenders"]),
            "",
            f"{comparison['measured_at'][:10]}; {where}; load {comparison['load_at_start']} at the start; "
            f"{versions}.",
            "",
        ]
    )


def _targets(comparison: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        [
            describe(target),
            "not measured" if target["value"] is None else _number(target["value"]),
            {True: "met", False: "**not met**", None: ""}[target["met"]],
        ]
        for target in comparison["targets"]
    ]
    if rows:
        yield from _table(("to reach", "reached", ""), "---|--:|---|", rows)
        yield ""


def describe(target: Mapping[str, Any]) -> str:
    """Say a target in words."""
    what = f"`{target['contender']}`, {_unit(target['measure'])} at {target['size']:,}"
    bound = f"{'≤' if target['sign'] == '<=' else '≥'} {target['bound']:g}"
    if target["over"] is None and target["over_size"] is None:
        return f"{what} {bound}"
    other = [f"`{target['over']}`"] if target["over"] else []
    other += [f"at {target['over_size']:,}"] if target["over_size"] else []
    return f"{what} {bound} {_TIMES} {' '.join(other)}"


def _figures(unit: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    others = list(dict.fromkeys(name for row in rows for name in row["median"] if name not in MEASURED))
    compared = (f"s, {_TIMES} of ours", f"CPU s, {_TIMES} of ours")
    headings = [unit, "contender", "runs", *map(_unit, MEASURED), *compared, *map(_unit, others)]
    ours = {row["size"]: row["median"] for row in rows if row["contender"] == "ours"}
    cells = []
    for row in sorted(rows, key=lambda row: int(row["size"])):
        median, first = row["median"], ours.get(row["size"])
        cells.append(
            [
                f"{row['size']:,}",
                f"`{row['contender']}`",
                str(len(row["runs"])),
                *(_number(median[name]) for name in MEASURED),
                *(
                    _number(median[name] / first[name]) if first else ""
                    for name in ("wall_seconds", "cpu_seconds")
                ),
                *(_number(median[name]) if name in median else "" for name in others),
            ]
        )
    yield from _table(headings, "--:|---|" + "--:|" * (len(headings) - 2), cells)


def _slopes(comparison: Mapping[str, Any]) -> Iterator[str]:
    for contender in comparison["contenders"]:
        rows = [row for row in comparison["rows"] if row["contender"] == contender["name"]]
        rows.sort(key=lambda row: int(row["size"]))
        if len(rows) > 1:
            less, more = rows[-2:]
            # Of documents a million is what a night may bring; of batches and specs each one counts.
            step, per = (1_000_000, "a million ") if more["size"] >= 100_000 else (1, "each of the ")
            seconds, memory = (
                (more["median"][name] - less["median"][name]) / (more["size"] - less["size"]) * step
                for name in ("wall_seconds", "peak_mb")
            )
            times = more["median"]["wall_seconds"] / less["median"]["wall_seconds"]
            yield (
                f"- Slope of `{contender['name']}` from {less['size']:,} to {more['size']:,}: "
                f"{_number(seconds)} s and {_number(memory)} MB for {per}{comparison['unit']}; "
                f"{_number(times)} times the time for {_number(more['size'] / less['size'])} times as many."
            )


def _over_the_floor(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    cpu = {(row["contender"], row["size"]): row["median"]["cpu_seconds"] for row in rows}
    ratios = [
        f"{_number(seconds / cpu['floor', size])} at {size:,}"
        for (name, size), seconds in cpu.items()
        if name == "ours" and ("floor", size) in cpu
    ]
    if ratios:
        yield f"- CPU time of `ours` over that of `floor`, for which there is no target: {', '.join(ratios)}."


def _failures(failures: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for failure in failures:
        yield f"- `{failure['contender']}` failed at {failure['size']:,}: {failure['reason']}"


def _table(headings: Sequence[str], alignment: str, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{alignment}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _unit(measure: str) -> str:
    return _UNITS.get(measure, measure.replace("_", " "))


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
