"""What stands in a report: the page as blocks, from the mapping of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zsavs.report.blocks import (
    Block,
    Cell,
    Chart,
    Curve,
    Figure,
    Figures,
    Heading,
    Page,
    Paragraph,
    Row,
    Section,
    Table,
)
from zsavs.report.published import published_section
from zsavs.report.results import TOLD, class_section, fixed_section, strategy_rows, suite_section
from zsavs.report.values import entries, grouped, line, mapping, measure, number, percent

__all__ = ["models_section", "page"]

#: The settings that stand in the summary.
_CHOSEN = ("preset", "device", "dtype", "parts", "settings")


def page(report: Mapping[str, Any]) -> Page:
    """The page of a report of plain JSON values; sections with nothing in them are left out."""
    numbers = (
        fixed_section(report),
        suite_section(report),
        class_section(report),
        _breakdown(report, "per_class", "By class", "Class"),
        _breakdown(report, "per_source_count", "By number of sounding objects", "Sounding objects"),
        _curves(report),
    )
    sections = (
        *(_under(line(report.get("protocol")), section) for section in numbers),
        _cases(report),
        _failures(report),
        published_section(report),
        models_section(report.get("models")),
        _settings(report),
    )
    return Page(_title(report), _summary(report), [section for section in sections if section.blocks])


def _title(report: Mapping[str, Any]) -> str:
    dataset = mapping(report.get("dataset"))
    name, split, protocol = line(dataset.get("name")), line(dataset.get("split")), line(report.get("protocol"))
    return f"zsavs on {name or 'a data set'}" + (f", {split}" if split else "") + (f": {protocol}" if protocol else "")


def _under(protocol: str, section: Section) -> Section:
    """A section whose tables all name the protocol, where it is not that of single frames."""
    if not protocol:
        return section
    named = protocol[0].upper() + protocol[1:]
    blocks = [
        replace(block, caption=f"{named}. {block.caption}".strip()) if isinstance(block, Table) else block
        for block in section.blocks
    ]
    return replace(section, blocks=blocks)


def _summary(report: Mapping[str, Any]) -> str:
    """One paragraph: what was run on what, and how much of it was done."""
    dataset, settings = mapping(report.get("dataset")), mapping(report.get("settings"))
    rows = strategy_rows(report)
    sounds = dict.fromkeys(line(row.get("audio")) or "recorded" for of in rows.values() for row in of)
    ceiling = sounds.pop(TOLD, "") is None
    done, items = number(dataset.get("done")), number(dataset.get("items"))
    version = line(report.get("zsavs"))
    own = [name for name, of in rows.items() if any(line(row.get("audio")) != TOLD for row in of)]
    count = f"{len(own)} {'strategy' if len(own) == 1 else 'strategies'}"
    text = f"zsavs {version} ran {count}" if version else f"{count} ran"
    if sounds:
        text += f" with the {_listed(list(sounds))} sound"
    if done is not None:
        of = f" of {measure('items', items)}" if items is not None else ""
        text += f" on {measure('items', done)}{of} items"
    name, split, suite = (line(dataset.get(key)) for key in ("name", "split", "suite"))
    if name:
        text += f" of the data set {name}" + (f" (split {split})" if split else "")
    text += f", scored with the suite {suite}." if suite else "."
    if line(report.get("protocol")):
        text += (
            f" Protocol: {line(report['protocol'])}. Each answer is one to a whole video, its frames in order and all "
            f"of its audio, followed by the tracker {line(settings.get('tracker')) or 'none'}; it must not stand as a "
            "number of single frames, which see their own second alone."
        )
    if ceiling:
        text += (
            " The ceiling is no strategy: an oracle that is told which labels sound when, before the same grounder, "
            "verifier, segmenter and tracker."
        )
    failed = len(entries(dataset.get("failed")))
    if failed:
        verb = "item failed and is" if failed == 1 else "items failed and are"
        text += f" {failed} {verb} left out of every number."
    if done is not None and items is not None and done + failed < items:
        text += " The run is not complete: its numbers are those of a part of the set."
    chosen = [f"{key} {line(settings[key])}" for key in _CHOSEN if line(settings.get(key))]
    return text + (f" Run with {', '.join(chosen)}." if chosen else "")


def _listed(words: list[str]) -> str:
    """Words as English lists them: a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _breakdown(report: Mapping[str, Any], key: str, title: str, heading: str) -> Section:
    """J of each group of items, one column for each strategy."""
    found = grouped(report.get(key))
    names = dict.fromkeys(name for of in found.values() for name in of)
    rows = []
    for name in sorted(names, key=_in_order):
        values = [mapping(of.get(name)) for of in found.values()]
        items = next((n for value in values if (n := number(value.get("items"))) is not None), None)
        scores = [number(value.get("J")) for value in values]
        cells = [Cell(percent(j), share=None if j is None else min(max(j, 0), 1)) for j in scores]
        rows.append(Row((Cell(line(name) or "(no name)"), Cell(measure("items", items)), *cells)))
    if not rows:
        return Section(title)
    note = Paragraph("Mean J in percent at the threshold 0.5 over the items of each group, with the recorded sound.")
    return Section(title, (note, Table((heading, "Items", *map(line, found)), rows)))


def _in_order(name: str) -> tuple[bool, int, str, str]:
    """Numbers by value before names by letter."""
    digits = name.isascii() and name.isdigit()
    return (not digits, int(name[:18]) if digits else 0, name.casefold(), name)


def _curves(report: Mapping[str, Any]) -> Section:
    """J against the threshold: drawn, and where it would have been best."""
    curves, rows = [], []
    for strategy, curve in grouped(report.get("curves")).items():
        thresholds, scores = curve.get("thresholds"), curve.get("J")
        if not isinstance(thresholds, list) or not isinstance(scores, list):
            continue
        pairs = [(number(t), number(j)) for t, j in zip(thresholds, scores, strict=False)]
        points = sorted(((t, j) for t, j in pairs if t is not None and 0 <= t <= 1), key=lambda point: point[0])
        known = [(j, t) for t, j in points if j is not None]
        if not known:
            continue
        curves.append(Curve(line(strategy), points))
        best, at = max(known, key=lambda point: (point[0], -abs(point[1] - 0.5)))
        half = next((j for j, t in known if abs(t - 0.5) < 1e-9), None)
        rows.append(Row((Cell(line(strategy)), Cell(percent(half)), Cell(percent(best)), Cell(f"{at:.2f}"))))
    if not curves:
        return Section("J against the threshold")
    note = Paragraph(
        "How much hangs on the threshold. The best one is chosen on the scored data, so the J there is an upper bound "
        "and not a result."
    )
    columns = ("Strategy", "J at 0.5", "Best J", "at threshold")
    chart = Chart(curves, "Threshold", "J in percent", (0.5, "fixed"))
    return Section("J against the threshold", (note, chart, Table(columns, rows)))


def _cases(report: Mapping[str, Any]) -> Section:
    """The best and the worst items of each strategy."""
    blocks: list[Block] = []
    for strategy, cases in grouped(report.get("cases")).items():
        for key, title in (("best", "best items"), ("worst", "worst items")):
            images = [_image(case) for case in entries(cases.get(key))]
            if images:
                blocks += [Heading(f"{line(strategy)}: {title}"), Figures(images)]
    return Section("Best and worst cases", blocks)


def _image(case: Mapping[str, Any]) -> Figure:
    """One case; an image that does not lie under the report's folder is not linked."""
    path = case.get("picture")
    inside = isinstance(path, str) and path != "" and not path.startswith("/") and "\\" not in path
    inside = inside and ".." not in str(path).split("/") and ":" not in str(path).split("/")[0]
    return Figure(path if inside else None, line(case.get("item")), f"J {percent(number(case.get('J')))}")


def _failures(report: Mapping[str, Any]) -> Section:
    failed = entries(mapping(report.get("dataset")).get("failed"))
    rows = [Row((Cell(line(entry.get("item"))), Cell(line(entry.get("error"))))) for entry in failed]
    table = Table(("Item", "Reason"), rows, words=2, prose=frozenset({1}))
    return Section("Items that failed", (table,) if rows else ())


def models_section(models: Any) -> Section:
    """Each model once, with the strategies that use it, its licence and what it has seen in training.

    Args:
        models: {strategy: {role: weight card or class name}}, which may have gaps.
    """
    users: dict[str, list[str]] = {}
    for strategy, roles in grouped(models).items():
        for role, model in roles.items():
            users.setdefault(json.dumps([role, model]), []).append(line(strategy))
    rows = []
    for key, strategies in users.items():
        role, model = json.loads(key)
        card = model if isinstance(model, dict) else {"source": model}
        size = number(card.get("size_mb"))
        fields = [line(card.get(name)) or "–" for name in ("source", "revision", "licence")]
        fields += ["–" if size is None else f"{size:{',.0f' if size >= 100 else '.3g'}} MB".replace(",", "\u202f")]
        fields += [line(card.get(name)) or "–" for name in ("trained_on", "verified")]
        rows.append(Row([Cell(text) for text in (line(role), *fields, ", ".join(strategies))]))
    columns = ("Role", "Source", "Revision", "Licence", "Size", "Trained on", "Licence read in", "Used by")
    note = Paragraph("The weights have licences of their own; some exclude commercial use.")
    table = Table(columns, rows, words=len(columns), prose=frozenset({5, 7}))
    return Section("Models", (note, table) if rows else ())


def _settings(report: Mapping[str, Any]) -> Section:
    """Settings, data set and versions, as they were."""
    dataset = mapping(report.get("dataset"))
    named = [(f"data set {key}", dataset[key]) for key in ("name", "split", "root", "suite") if key in dataset]
    named += list(mapping(report.get("settings")).items())
    named += [(f"version of {key}", value) for key, value in mapping(report.get("versions")).items()]
    rows = [Row((Cell(line(key)), Cell(line(value) or "–"))) for key, value in named]
    table = Table(("Setting", "Value"), rows, words=2, prose=frozenset({1}))
    return Section("Settings and versions", (table,) if rows else ())
