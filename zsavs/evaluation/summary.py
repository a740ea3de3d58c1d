"""The report of a run, summed up from the numbers of its batches: plain JSON values, exact, the same in any order."""

from __future__ import annotations

import json
import math
import platform
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zsavs import report as page
from zsavs.errors import InputError
from zsavs.evaluation.plan import AUDIO, CEILING, TOLD
from zsavs.evaluation.settings import KEY
from zsavs.metrics import suites
from zsavs.metrics.base_suite import Suite
from zsavs.metrics.tracking_suite import Tracking
from zsavs.storage.files import write_atomically

__all__ = ["THRESHOLDS", "defined", "metrics_of", "report_of", "table", "write_report"]

#: Thresholds of the curve of J.
THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(1, 20))

#: The suites that are not opened by name.
_VIDEO: dict[str, type[Suite]] = {Tracking.name: Tracking}

#: Settings that stand elsewhere in the report, or are there to be compared and not to be read.
_NOT_SHOWN = ("models", "zsavs", "classes", *KEY)

_FIXED = ("J", "F", "false_positive_share", "empty")


def defined(value: float) -> float | None:
    """The value, or None for NaN, which JSON does not have."""
    return None if math.isnan(value) else float(value)


def report_of(settings: Mapping[str, Any], batches: Mapping[int, Mapping[str, Any]], cases: int = 4) -> dict[str, Any]:
    """Sum up a run: plain JSON values.

    Keys: ``settings``, ``protocol`` ("whole video seen"; for single frames it is not there), ``versions``,
    ``dataset`` (with ``failed`` items), ``models``, ``rows`` (a strategy with one kind of audio: ``fixed`` means of J,
    F, false-positive share and empty results, ``J_sounding``, the mean J of the items whose target is not empty,
    ``metrics`` of the suites, ``seconds_per_item``), ``protocols``, ``per_class`` and ``per_source_count`` (J of groups
    of items), ``class_metrics`` (by strategy and suite of label maps, a row of numbers for each class; recorded audio
    only), ``curves`` (J against threshold) and ``cases`` (best and worst items).
    Of whole videos there is a row for the ceiling, with "told" for its audio, and ``metrics["tracking"]`` of every row.

    Args:
        settings: see :func:`zsavs.evaluation.settings.run_settings`.
        batches: by number, see :meth:`zsavs.evaluation.batch_runner.BatchRunner.run`.
        cases: how many best items of each strategy are listed, and how many worst.

    Raises:
        InputError: no item was evaluated.
    """
    every = [row for number in sorted(batches) for row in batches[number]["items"]]
    items = [row for row in every if "scores" in row]
    failed = [{"item": row["item"], "error": row["error"]} for row in every if "error" in row]
    if not items:
        raise InputError(f"no item could be evaluated; the first failed with: {failed[0]['error'] if failed else '-'}")
    protocol = {"protocol": settings["protocol"]} if "protocol" in settings else {}
    # The audio with which a strategy is judged by the suites; the ceiling has none but what it is told.
    judged = dict.fromkeys(settings["strategies"], AUDIO[0])
    shown = [(strategy, audio) for strategy in settings["strategies"] for audio in settings["audio"]]
    if settings.get("ceiling"):
        judged[CEILING] = TOLD
        shown.append((CEILING, TOLD))
    suites_of = {s: _suites(s, settings, batches) if (s, of) in shown else {} for s, of in judged.items()}
    rows = []
    for strategy, audio in shown:
        scored = [row["scores"][audio][strategy] for row in items]
        of_suites = _suite_numbers(suites_of[strategy]) if audio == judged[strategy] else {}
        rows.append(
            {
                "strategy": strategy,
                "audio": audio,
                **protocol,
                "items": len(items),
                "fixed": {key: _mean([score[key] for score in scored]) for key in _FIXED},
                # F is defined where there is a target.
                "J_sounding": _mean([score["J"] for score in scored if score["F"] is not None]),
                "metrics": {**of_suites, **_tracking(strategy, audio, batches)},
                "seconds_per_item": _mean([score["seconds"] for score in scored]),
            }
        )
    by_strategy = {
        strategy: [(row, row["scores"][audio][strategy]) for row in items] if (strategy, audio) in shown else []
        for strategy, audio in judged.items()
    }
    names = [*settings["suites"], *({name for row in rows for name in row["metrics"]} - set(settings["suites"]))]
    return {
        "zsavs": settings["zsavs"],
        **protocol,
        "settings": {key: value for key, value in settings.items() if key not in _NOT_SHOWN},
        "versions": {
            "python": platform.python_version(),
            **{n: version(n) for n in ("torch", "transformers", "numpy")},
        },
        "dataset": {
            "name": settings["dataset"],
            "split": settings["split"],
            "root": settings["root"],
            "suite": ", ".join(settings["suites"]),
            "items": len(every),
            "done": len(items),
            "failed": failed,
        },
        "models": settings["models"],
        "rows": rows,
        "protocols": {name: _first_sentence((_VIDEO.get(name) or type(suites.get(name))).__doc__) for name in names},
        "per_class": {s: _groups(scored, lambda row: row["category"]) for s, scored in by_strategy.items()},
        "per_source_count": {s: _groups(scored, lambda row: str(row["sources"])) for s, scored in by_strategy.items()},
        "class_metrics": {s: _class_rows(of, settings["classes"]) for s, of in suites_of.items()},
        "curves": {
            strategy: {
                "thresholds": list(THRESHOLDS),
                "J": [_mean([score["curve"][k] for _, score in scored]) for k in range(len(THRESHOLDS))],
            }
            for strategy, scored in by_strategy.items()
            if scored and all("curve" in score for _, score in scored)  # masks of videos have no other threshold
        },
        "cases": {strategy: _cases(scored, cases) for strategy, scored in by_strategy.items() if scored},
    }


def metrics_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a report that depends on nothing but plan, data and models: no times, no machine."""
    rows = [{key: value for key, value in row.items() if key != "seconds_per_item"} for row in report["rows"]]
    return {key: report[key] for key in ("per_class", "per_source_count", "class_metrics", "curves")} | {
        "rows": rows,
        "failed": report["dataset"]["failed"],
        **({"protocol": report["protocol"]} if "protocol" in report else {}),
    }


def write_report(report: Mapping[str, Any], folder: Path) -> None:
    """Write ``metrics.json`` and the report's files into a run folder.

    Raises:
        OutputError: they cannot be written.
    """
    text = json.dumps(metrics_of(report), indent=2, ensure_ascii=False, sort_keys=True).encode()
    write_atomically(folder / "metrics.json", lambda file: file.write(text))
    page.write(report, folder)


def _suites(strategy: str, settings: Mapping[str, Any], batches: Mapping[int, Mapping[str, Any]]) -> dict[str, Suite]:
    """The suites of a strategy by name, merged over all batches."""
    merged = {}
    for name in settings["suites"]:
        parts = [suites.from_state(batches[k]["states"][strategy][name]) for k in sorted(batches)]
        whole = parts[0]
        for part in parts[1:]:
            whole.merge(part)
        merged[name] = whole
    return merged


def _tracking(
    strategy: str, audio: str, batches: Mapping[int, Mapping[str, Any]]
) -> dict[str, dict[str, float | None]]:
    """The numbers of whole videos, merged over all of them; nothing where no video is annotated as a whole."""
    states = [batches[k]["videos"][audio][strategy] for k in sorted(batches) if batches[k].get("videos")]
    if not states:
        return {}
    whole = Tracking()
    for state in states:
        whole.merge(Tracking.from_state(state))
    return _suite_numbers({whole.name: whole})


def _suite_numbers(merged: Mapping[str, Suite]) -> dict[str, dict[str, float | None]]:
    return {name: {key: defined(value) for key, value in suite.compute().items()} for name, suite in merged.items()}


def _class_rows(merged: Mapping[str, Suite], classes: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """For each suite with numbers per class, a row of them for each class, in the order of the ids."""
    rows = {}
    for name, suite in merged.items():
        numbers = suite.per_class()
        count = max(map(len, numbers.values()), default=0)
        names = classes or [f"class {k}" for k in range(count)]
        if count:
            rows[name] = [
                {"class": names[k], **{key: defined(values[k]) for key, values in numbers.items()}}
                for k in range(count)
            ]
    return rows


def _groups(
    scored: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], key: Callable[[Mapping[str, Any]], str]
) -> dict[str, dict[str, Any]]:
    """Number of items and mean J for each value of a key; values without a name are left out."""
    groups: dict[str, list[float]] = defaultdict(list)
    for row, score in scored:
        groups[key(row)].append(score["J"])
    return {name: {"items": len(js), "J": _mean(js)} for name, js in sorted(groups.items()) if name}


def _cases(scored: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], count: int) -> dict[str, list[Any]]:
    """Items with the highest and the lowest J; equal ones in the order of the data set."""
    named = [{"item": row["item"], "J": score["J"], "picture": None} for row, score in scored]
    ranked = sorted(named, key=lambda case: -case["J"])
    count = min(count, (len(ranked) + 1) // 2)
    return {"best": ranked[:count], "worst": ranked[::-1][:count]}


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())


def table(report: Mapping[str, Any]) -> str:
    """The report's rows as a text table."""
    protocol = report.get("protocol")
    width = max(18, *(len(row["strategy"]) for row in report["rows"]))
    lines = [f"protocol: {protocol}, with the tracker {report['settings']['tracker']}"] if protocol else []
    lines += [f"{'strategy':<{width}} {'audio':<9} {'J':>7} {'F':>7} {'FP share':>9} {'empty':>7} {'s/item':>8}"]
    for row in report["rows"]:
        fixed = row["fixed"]
        cells = [f"{'-':>7}" if fixed[key] is None else f"{fixed[key]:7.3f}" for key in _FIXED]
        cells[2] = f"{cells[2]:>9}"
        lines.append(f"{row['strategy']:<{width}} {row['audio']:<9} {' '.join(cells)} {row['seconds_per_item']:8.3f}")
    of = f", {protocol}" if protocol else ""
    for row in report["rows"]:
        for name, numbers in row["metrics"].items():
            if name not in _VIDEO:
                listed = ", ".join(f"{key} {_short(value)}" for key, value in numbers.items())
                lines.append(f"{row['strategy']} by suite {name}{of}: {listed}")
    for name in _VIDEO:
        lines += _video_table(name, report["rows"], width)
    failed = len(report["dataset"]["failed"])
    note = f", {failed} failed" if failed else ""
    return "\n".join([*lines, f"{report['dataset']['done']} items{note}; J and F (beta^2 = 0.3) at the threshold 0.5"])


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _video_table(name: str, rows: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """The numbers of whole videos, a line for each row of the report that has them."""
    shown = [row for row in rows if name in row["metrics"]]
    if not shown:
        return []
    columns = {key: max(7, len(key)) for key in shown[0]["metrics"][name]}
    lines = [f"by suite {name}, {shown[0]['protocol']}:"]
    lines += [f"{'strategy':<{width}} {'audio':<9} {' '.join(f'{key:>{wide}}' for key, wide in columns.items())}"]
    for row in shown:
        numbers = row["metrics"][name]
        cells = (f"{_fixed(key, numbers[key]):>{wide}}" for key, wide in columns.items())
        lines.append(f"{row['strategy']:<{width}} {row['audio']:<9} {' '.join(cells)}")
    return lines


def _fixed(name: str, value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}" if name.startswith("n_") else f"{value:.3f}"


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of those that are defined; exact, so that order and shards do not matter."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
