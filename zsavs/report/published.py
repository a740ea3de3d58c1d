"""Numbers that papers print for the same benchmark, kept apart from ours.

``zsavs/data/published.json`` is a list of {system, benchmark, metrics, protocol, training, source}; metrics in percent,
``training`` left out where we do not know it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from zsavs.report.blocks import Block, Cell, Notice, Paragraph, Row, Section, Table
from zsavs.report.results import strategy_rows
from zsavs.report.values import entries, grouped, line, mapping, number, percent

__all__ = ["published", "published_section"]


@cache
def _everything() -> tuple[dict[str, Any], ...]:
    text = (resources.files("zsavs") / "data" / "published.json").read_text(encoding="utf-8")
    return tuple(json.loads(text))


def published(benchmark: str) -> list[dict[str, Any]]:
    """What is published for a data set of zsavs ("s4", "ms3", "avss", "is3", ...); empty for one that is not known."""
    return [dict(entry) for entry in _everything() if entry["benchmark"] == benchmark]


def published_section(report: Mapping[str, Any]) -> Section:
    """The papers' numbers beside ours, each with its protocol and source."""
    title = "Published numbers"
    dataset = mapping(report.get("dataset"))
    theirs = published(line(dataset.get("name")))
    if not theirs:
        return Section(title)
    columns = list(dict.fromkeys(name for entry in theirs for name in entry["metrics"]))
    rows = _ours(report, columns)
    for entry in theirs:
        cells = [Cell(_as_printed(entry["metrics"].get(name))) for name in columns]
        rows.append(_row(entry["system"], cells, entry["protocol"], entry.get("training", "–"), entry["source"]))
    blocks: list[Block] = [
        Paragraph(
            "Rows in bold are this run; all others are the papers' own numbers, copied and not measured here. Two "
            "numbers can be compared only where data, threshold, resolution and averaging agree, so read the protocol "
            "beside each before ranking anything: a threshold chosen on the test set, or the size of the target used "
            "as a threshold, raises a number without a better method."
        ),
        *_doubts(report),
        Table(
            ("System", *columns, "Protocol", "Training", "Source"),
            rows,
            prose=frozenset({len(columns) + 1, len(columns) + 2, len(columns) + 3}),
        ),
    ]
    return Section(title, blocks)


def _row(system: str, cells: list[Cell], protocol: str, training: str, source: str) -> Row:
    return Row((Cell(system), *cells, Cell(protocol), Cell(training), Cell(source)))


def _ours(report: Mapping[str, Any], columns: list[str]) -> list[Row]:
    """For each strategy a row at the fixed threshold and one for each suite, where they have a number to show."""
    protocols, whole = mapping(report.get("protocols")), line(report.get("protocol"))
    rows = []
    for strategy, runs in strategy_rows(report).items():
        run = runs[0]
        if (line(run.get("audio")) or "recorded") != "recorded":
            continue
        sets = {"": mapping(run.get("fixed")), **grouped(run.get("metrics"))}
        for suite, numbers in sets.items():
            values = [number(numbers.get(name)) for name in columns]
            if any(value is not None for value in values):
                cells = [Cell(percent(value), best=True) for value in values]
                protocol = line(protocols.get(suite)) if suite else "fixed threshold 0.5, mean over items"
                protocol = f"{whole}; {protocol}" if whole else protocol
                name = f"zsavs {strategy}" + (f", {line(suite)}" if suite else "") + (f", {whole}" if whole else "")
                rows.append(_row(name, cells, protocol or "–", "–", "this run"))
    return rows


def _as_printed(value: Any) -> str:
    """A number of a paper with the digits it has there."""
    return "–" if value is None else str(value)


def _doubts(report: Mapping[str, Any]) -> list[Notice]:
    """Why this run, as it is, must not stand beside a paper's."""
    dataset = mapping(report.get("dataset"))
    reasons = []
    split = line(dataset.get("split"))
    if split and split != "test":
        reasons.append(f"it was scored on the split {split}, and the papers' numbers are those of the test split")
    done, items = number(dataset.get("done")), number(dataset.get("items"))
    if entries(dataset.get("failed")) or (done is not None and items is not None and done < items):
        reasons.append("some of its items are missing")
    preset = line(mapping(report.get("settings")).get("preset"))
    if preset == "toy":
        reasons.append("its models are the hand-written ones of the toy world")
    notices = [Notice(f"This run must not be put beside the papers' numbers: {'; '.join(reasons)}.")] if reasons else []
    if protocol := line(report.get("protocol")):
        notices.append(
            Notice(
                f"This run is under the protocol {protocol}: compare it with systems that see all frames and all audio "
                "of a video, and not with numbers of single frames."
            )
        )
    return notices
