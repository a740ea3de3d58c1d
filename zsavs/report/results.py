"""The sections of numbers: strategies against metrics, with the runs under silent and shuffled sound beneath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zsavs.report.blocks import Block, Cell, Notice, Paragraph, Row, Section, Table
from zsavs.report.values import entries, grouped, line, mapping, measure, number

__all__ = ["TOLD", "class_section", "fixed_section", "headline_j", "strategy_rows", "suite_section"]

#: J under silent or shuffled sound of at least this part of J under the recorded sound is "hardly any fall".
_HARDLY = 0.9
#: Below this J there is nothing that could fall.
_LEAST_J = 0.01
_MAIN = ("J", "F", "mIoU")
_RECORDED = "recorded"
#: What stands for the audio of the ceiling, which hears none.
TOLD = "told"
_SOUNDS = (_RECORDED, "silent", "shuffled")
_HEADINGS = {
    "empty": "Empty answers",
    "false_positive_share": "False-positive share",
    "frames": "Frames",
    "items": "Items",
    "seconds_per_item": "Seconds per item",
}


def strategy_rows(report: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each strategy, strategies in the order given, the recorded sound first."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in entries(report.get("rows")):
        rows.setdefault(line(row.get("strategy")), []).append(row)
    for of_strategy in rows.values():
        of_strategy.sort(key=lambda row: _SOUNDS.index(_sound(row)) if _sound(row) in _SOUNDS else len(_SOUNDS))
    return rows


def headline_j(row: Mapping[str, Any]) -> float | None:
    """J at the fixed threshold, or else the J or mIoU of the first suite that has one."""
    j = number(mapping(row.get("fixed")).get("J"))
    for metrics in grouped(row.get("metrics")).values():
        for name in ("J", "mIoU"):
            j = number(metrics.get(name)) if j is None else j
    return j


def fixed_section(report: Mapping[str, Any]) -> Section:
    """Every strategy at the fixed threshold, and a warning for each that does without the sound."""
    rows = strategy_rows(report)
    flat = {
        name: [
            {"items": row.get("items"), **mapping(row.get("fixed")), "seconds_per_item": row.get("seconds_per_item")}
            for row in of_strategy
        ]
        for name, of_strategy in rows.items()
    }
    table = _table(rows, flat, "", of_suite=False)
    warnings = _warnings(rows)
    if table is None:
        return Section("Results", warnings)
    note = Paragraph(
        "Masks are the score maps above 0.5, for every item alike. Shares are in percent, means over items. The small "
        "figures are differences to the same strategy with the recorded sound."
    )
    return Section("Results", (note, table, *warnings))


def suite_section(report: Mapping[str, Any]) -> Section:
    """One table for each metric suite, under its protocol."""
    rows = strategy_rows(report)
    protocols = mapping(report.get("protocols"))
    suites: dict[str, None] = {}
    for of_strategy in rows.values():
        for row in of_strategy:
            suites.update(dict.fromkeys(grouped(row.get("metrics"))))
    blocks: list[Block] = []
    for suite in suites:
        flat = {
            name: [mapping(mapping(row.get("metrics")).get(suite)) for row in of_strategy]
            for name, of_strategy in rows.items()
        }
        table = _table(rows, flat, f"{line(suite)}. {line(protocols.get(suite))}".strip(), of_suite=True)
        if table is not None:
            blocks.append(table)
    return Section("Metric suites", blocks)


def class_section(report: Mapping[str, Any]) -> Section:
    """For each strategy and suite of label maps one table, a row for each class that has a number."""
    blocks: list[Block] = []
    for strategy, judged in grouped(report.get("class_metrics")).items():
        for suite, listed in judged.items():
            of_classes = entries(listed)
            columns = dict.fromkeys(key for numbers in of_classes for key in numbers if key != "class")
            names = [key for key in columns if any(number(numbers.get(key)) is not None for numbers in of_classes)]
            rows = [
                Row((Cell(line(numbers.get("class")) or "(no name)"), *(_class_cell(key, numbers) for key in names)))
                for numbers in of_classes
                if any(number(numbers.get(key)) is not None for key in names if key != "frames")
            ]
            if rows:
                headings = ("Class", *(_HEADINGS.get(name, line(name)) for name in names))
                blocks.append(Table(headings, rows, caption=f"{line(strategy)} by the suite {line(suite)}."))
    if not blocks:
        return Section("Classes by the metric suites")
    note = Paragraph(
        "Each class of the label maps in percent, with the recorded sound, averaged as the suite does it. Classes that "
        "neither occur nor are answered are left out."
    )
    return Section("Classes by the metric suites", (note, *blocks))


def _class_cell(name: str, numbers: Mapping[str, Any]) -> Cell:
    """A number of a class; shares have a bar."""
    value = number(numbers.get(name))
    return Cell(measure(name, value), share=None if value is None or name == "frames" else min(max(value, 0), 1))


def _table(
    rows: Mapping[str, list[dict[str, Any]]],
    flat: Mapping[str, list[dict[str, Any]]],
    caption: str,
    of_suite: bool,
) -> Table | None:
    """Strategies and sounds against metrics, or None if there is no number at all.

    Args:
        rows: the report's rows of each strategy.
        flat: for each of them the numbers to show.
        caption: the table's caption.
        of_suite: keep it narrow, as suites have many numbers: counts that are the same in every row go into the
            caption, and only J, F and mIoU show what changes with the sound.
    """
    shown = [numbers for of_strategy in flat.values() for numbers in of_strategy]
    columns = dict.fromkeys(name for numbers in shown for name in numbers)
    names = [name for name in columns if any(number(numbers.get(name)) is not None for numbers in shown)]
    if not any(name not in ("items", "seconds_per_item") for name in names):
        return None
    for name in [name for name in names if name.startswith("n_")] if of_suite else ():
        values = {number(numbers.get(name)) for numbers in shown if numbers}
        if len(values) == 1:
            names.remove(name)
            caption += f" {line(name)}: {measure(name, values.pop())}."
    if not names:
        return None
    body = []
    for strategy, of_strategy in rows.items():
        base = flat[strategy][0] if _sound(of_strategy[0]) == _RECORDED else {}
        for i, (row, numbers) in enumerate(zip(of_strategy, flat[strategy], strict=True)):
            if not numbers:
                continue
            before = [base if i and (name in _MAIN or not of_suite) else {} for name in names]
            cells = [_cell(name, numbers, earlier) for name, earlier in zip(names, before, strict=True)]
            body.append(Row((Cell("" if i else strategy), Cell(_sound(row)), *cells), beneath=i > 0))
    headings = ("Strategy", "Sound", *(_HEADINGS.get(name, line(name)) for name in names))
    return Table(headings, body, words=2, caption=caption)


def _cell(name: str, numbers: Mapping[str, Any], base: Mapping[str, Any]) -> Cell:
    """One number, and its difference to the recorded sound for those that are means."""
    value, before = number(numbers.get(name)), number(base.get(name))
    means = not name.startswith(("n_", "seconds")) and name != "items" and not name.endswith("threshold")
    if value is None or before is None or not means:
        return Cell(measure(name, value))
    change = f"{100 * (value - before):+.1f}"
    return Cell(measure(name, value), "±0.0" if change in ("+0.0", "-0.0") else change.replace("-", "−"))


def _warnings(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Notice]:
    """A notice for each strategy whose J hardly falls without the right sound."""
    notices = []
    for strategy, of_strategy in rows.items():
        recorded = [row for row in of_strategy if _sound(row) == _RECORDED]
        before = _judged_j(recorded[0]) if recorded else None
        if before is None or before < _LEAST_J:
            continue
        kept = []
        for row in of_strategy:
            after = _judged_j(row)
            if _sound(row) != _RECORDED and after is not None and after >= _HARDLY * before:
                kept.append(f"{measure('J', after)} with {_sound(row)} sound")
        if kept:
            where = " where something sounds" if "J_sounding" in recorded[0] else ""
            notices.append(
                Notice(
                    f"{strategy} does not seem to use the sound: J{where} is {measure('J', before)} with the recorded "
                    f"sound and still {' and '.join(kept)}. Its numbers tell what it finds in images, not what it "
                    "hears."
                )
            )
    return notices


def _judged_j(row: Mapping[str, Any]) -> float | None:
    """J that the sound should matter to: without the empty targets, which an answer of nothing gets right."""
    return number(row["J_sounding"]) if "J_sounding" in row else headline_j(row)


def _sound(row: Mapping[str, Any]) -> str:
    """Which sound a row was run with."""
    return line(row.get("audio")) or _RECORDED
