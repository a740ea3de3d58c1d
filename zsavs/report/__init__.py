"""The report of an evaluation: ``report.json`` for programs, ``report.md`` and ``report.html`` for people.

- :mod:`~zsavs.report.content`: what stands in a report.
- :mod:`~zsavs.report.results`: the tables of metrics.
- :mod:`~zsavs.report.published`: the numbers of papers.
- :mod:`~zsavs.report.blocks`: what a page is made of.
- :mod:`~zsavs.report.values`: values read from a report that may have gaps.
- :mod:`~zsavs.report.render`: a page as HTML or Markdown, through ``templates/``.
- :mod:`~zsavs.report.lanes`: what sounds when, a row for each source.
- :mod:`~zsavs.report.video_page`: the page of a video, with a lane for each source.
- :mod:`~zsavs.report.escaping`: text from outside, made safe to stand in a page.
- :mod:`~zsavs.report.chart`: line charts.
- :mod:`~zsavs.report.inline_svg`: an SVG file of matplotlib as an element of a page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zsavs.report.content import page
from zsavs.report.published import published
from zsavs.report.render import render
from zsavs.report.values import plain
from zsavs.storage.files import write_atomically

__all__ = ["published", "write"]


def write(report: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """Write a report in three forms; the same mapping gives the same bytes.

    ``report.json`` is strict JSON: NaN and infinities become null. The two pages leave out every section that has
    nothing to show, and show shares in percent. A strategy whose J hardly falls when the sound is silenced or
    shuffled gets a warning.

    Args:
        report: plain values under these keys, each of which may be missing: ``zsavs``, ``settings``, ``versions``,
            ``protocol`` (of whole videos, which every table of numbers then names),
            ``dataset`` {name, split, root, suite, items, done, failed: [{item, error}]}, ``models`` {strategy: {role:
            weight card or class name}}, ``rows`` [{strategy, audio, items, metrics: {suite: {name: share}}, fixed:
            {name: share}, J_sounding, seconds_per_item}], ``protocols`` {suite: sentence}, ``per_class`` and
            ``per_source_count`` {strategy: {group: {items, J}}}, ``class_metrics`` {strategy: {suite: [{class, name:
            share}]}}, ``curves`` {strategy: {thresholds, J}}, ``cases`` {strategy: {best, worst: [{item, J, image}]}}
            with images as paths relative to ``folder``.
        folder: where to write; it is made.

    Returns:
        The files by their form: "json", "md" and "html".

    Raises:
        InputError: a value in the report has no counterpart in JSON.
        OutputError: a file cannot be written.
    """
    values = plain(report)
    content = page(values)
    texts = {
        "json": json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "md": render(content, "markdown"),
        "html": render(content, "html"),
    }
    paths = {}
    for form, text in texts.items():
        paths[form] = Path(folder) / f"report.{form}"
        # Half a character, as in a file name that is not UTF-8, becomes the escape that JSON has for it.
        data = text.encode("utf-8", "backslashreplace")
        write_atomically(paths[form], lambda file, data=data: file.write(data))  # type: ignore[misc]
    return paths
