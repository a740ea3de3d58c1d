"""The report of an evaluation: what stands in it, and that nothing in a data set can break it."""

from __future__ import annotations

import copy
import functools
import importlib
import json
import math
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from zsavs.draw import palette
from zsavs.errors import InputError, OutputError
from zsavs.metrics import suites
from zsavs.report import published, write
from zsavs.report.blocks import Chart
from zsavs.report.chart import svg

#: The module, not the function that the package names after it.
render = importlib.import_module("zsavs.report.render")
HOSTILE = '<script>alert("x")</script>\n| `a` | **b** & [c](javascript:d) \u202egnp.\udc80\x1b[31m'
TAGS = set(
    re.findall(
        r"\w+",
        """html head meta title style body main nav ul li a h1 h2 h3 p section strong small b wbr
    div table thead tbody tr th td figure figcaption img svg line text path""",
    )
)
VOID = {"meta", "img", "wbr", "br", "link", "input"}


class Document(HTMLParser):
    """Tags, attributes and text of a page; fails on tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data

    def values(self, tag: str, attribute: str) -> list[str]:
        return [
            attributes[attribute] or "" for name, attributes in self.tags if name == tag and attribute in attributes
        ]


def row(strategy: str, audio: str, j: float | None, **more: Any) -> dict[str, Any]:
    return {
        "strategy": strategy,
        "audio": audio,
        "items": 20,
        "metrics": {"avsbench": {"J": j, "F": 0.7, "F_threshold": 0.41, "n_frames": 20}},
        "fixed": {"J": j, "F": 0.6, "false_positive_share": 0.1, "empty": 0.05},
        "seconds_per_item": 0.25,
        **more,
    }


@pytest.fixture
def report() -> dict[str, Any]:
    card = {"source": "org/model", "revision": "abc", "licence": "MIT", "size_mb": 1234, "trained_on": "SA-1B"}
    return {
        "zsavs": "0.1.0",
        "settings": {"preset": "base", "limit": None},
        "versions": {"torch": "2.8.0"},
        "dataset": {
            "name": "s4",
            "split": "test",
            "root": "/data",
            "suite": "avsbench",
            "items": 20,
            "done": 20,
            "failed": [],
        },
        "models": {"alpha": {"segmenter": card}, "beta": {"segmenter": card, "captioner": "ToyCaptioner"}},
        "rows": [
            row("alpha", "shuffled", 0.2),
            row("alpha", "recorded", 0.5704),
            row("alpha", "silent", 0.0),
            row("beta", "recorded", 0.5),
            row("beta", "silent", 0.48),
        ],
        "protocols": {"avsbench": "Mean over frames."},
        "per_class": {"alpha": {"dog": {"items": 5, "J": 0.25}, "cat": {"items": 15, "J": 0.75}}},
        "per_source_count": {"alpha": {"10": {"items": 1, "J": 0.1}, "2": {"items": 19, "J": 0.6}}},
        "class_metrics": {
            "alpha": {
                "avss": [
                    {"class": "background", "IoU": 0.9, "F": 0.95, "frames": 20.0},
                    {"class": "axe", "IoU": None, "F": None, "frames": 0.0},
                    {"class": "dog", "IoU": 0.0, "F": 0.125, "frames": 5.0},
                ]
            }
        },
        "curves": {"alpha": {"thresholds": [0.3, 0.5, 0.7], "J": [0.61, 0.57, 0.4]}},
        "cases": {"alpha": {"best": [{"item": "a b#1", "J": 0.9, "picture": "visuals/a b#1.png"}], "worst": []}},
    }


def texts(report: dict[str, Any], folder: Path) -> tuple[str, str]:
    """report.html and report.md."""
    paths = write(report, folder)
    return paths["html"].read_text(encoding="utf-8"), paths["md"].read_text(encoding="utf-8")


def sections(markdown: str) -> dict[str, str]:
    parts = re.split(r"^## (.*)$", markdown, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_three_files_and_every_section(report: dict[str, Any], tmp_path: Path) -> None:
    report["dataset"]["failed"] = [{"item": "x", "error": "not an image"}]
    paths = write(report, tmp_path / "run")
    assert paths == {form: tmp_path / "run" / f"report.{form}" for form in ("json", "md", "html")}
    found = sections(paths["md"].read_text(encoding="utf-8"))
    titles = ["Results", "Metric suites", "Classes by the metric suites", "By class", "By number of sounding objects"]
    titles += [
        "J against the threshold",
        "Best and worst cases",
        "Items that failed",
        "Published numbers",
        "Models",
        "Settings and versions",
    ]
    assert list(found) == titles
    document = Document(paths["html"].read_text(encoding="utf-8"))
    for title in titles:
        assert title in document.text
    assert "not an image" in found["Items that failed"]
    assert "1 item failed and is left out" in document.text


def test_ablated_rows_stand_beneath_their_strategy_with_the_difference(report: dict[str, Any], tmp_path: Path) -> None:
    results = sections(texts(report, tmp_path)[1])["Results"]
    lines = [line for line in results.splitlines() if line.startswith("|")][2:]
    assert [line.split(" | ")[:2] for line in lines] == [
        ["| alpha", "recorded"],
        ["| ", "silent"],
        ["| ", "shuffled"],
        ["| beta", "recorded"],
        ["| ", "silent"],
    ]
    assert "| 57.0 |" in lines[0]
    assert "| 0.0 (−57.0) |" in lines[1]
    assert "| 60.0 (±0.0) |" in lines[1]  # F did not change
    assert lines[1].endswith("| 0.25 |")  # seconds have no difference


def test_suites_show_thresholds_as_such_and_constant_counts_once(report: dict[str, Any], tmp_path: Path) -> None:
    suite = sections(texts(report, tmp_path)[1])["Metric suites"]
    assert "avsbench. Mean over frames. n_frames: 20." in suite
    assert "| Strategy | Sound | J | F | F_threshold |" in suite
    assert "| 0.410 |" in suite


@pytest.mark.parametrize(("silent", "warned"), [(0.0, False), (0.449, False), (0.451, True), (0.5, True), (0.7, True)])
def test_warning_when_j_hardly_falls(report: dict[str, Any], tmp_path: Path, silent: float, warned: bool) -> None:
    report["rows"] = [row("gamma", "recorded", 0.5), row("gamma", "silent", silent)]
    for text in texts(report, tmp_path):
        assert ("gamma does not seem to use the sound" in text) == warned


def test_warning_names_only_the_sounds_and_strategies_concerned(report: dict[str, Any], tmp_path: Path) -> None:
    report["rows"].append(row("beta", "shuffled", 0.1))
    results = sections(texts(report, tmp_path)[1])["Results"]
    assert results.count("does not seem") == 1
    assert "J is 50.0 with the recorded sound and still 48.0 with silent sound." in results


@pytest.mark.parametrize("rows", [[("silent", 0.5)], [("recorded", 0.0), ("silent", 0.0)], [("recorded", 0.5)]])
def test_no_warning_where_nothing_can_be_said(
    report: dict[str, Any], tmp_path: Path, rows: list[tuple[str, float]]
) -> None:
    report["rows"] = [row("gamma", audio, j) for audio, j in rows]
    assert "does not seem" not in texts(report, tmp_path)[0]


def test_warning_without_fixed_numbers_goes_by_the_suite(report: dict[str, Any], tmp_path: Path) -> None:
    rows = [{"strategy": "g", "audio": audio, "metrics": {"avss": {"mIoU": 0.3}}} for audio in ("recorded", "silent")]
    report["rows"] = rows
    assert "g does not seem to use the sound" in texts(report, tmp_path)[0]


def test_warning_looks_away_from_the_items_that_an_empty_answer_gets_right(
    report: dict[str, Any], tmp_path: Path
) -> None:
    """Where most targets are empty J hardly falls in silence, however well the strategy listens."""
    report["rows"] = [row("g", "recorded", 0.95, J_sounding=0.5), row("g", "silent", 0.9, J_sounding=0.0)]
    report["rows"] += [row("h", "recorded", 0.9, J_sounding=0.5), row("h", "silent", 0.1, J_sounding=0.5)]
    report["rows"] += [row("i", "recorded", 0.9, J_sounding=0.0), row("i", "silent", 0.9, J_sounding=0.0)]
    report["rows"] += [row("j", "recorded", 0.9, J_sounding=None), row("j", "silent", 0.9, J_sounding=None)]
    text = texts(report, tmp_path)[1]
    assert text.count("does not seem") == 1
    assert "h does not seem to use the sound: J where something sounds is 50.0 with the recorded sound" in text


def test_json_is_strict_and_whole(report: dict[str, Any], tmp_path: Path) -> None:
    report["rows"][0]["fixed"].update(J=math.nan, F=math.inf)
    report["settings"]["name"] = "é\udc80" + "x" * 1000
    text = write(report, tmp_path)["json"].read_bytes().decode("utf-8")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    expected = copy.deepcopy(report)
    expected["rows"][0]["fixed"].update(J=None, F=None)
    assert json.loads(text, parse_constant=refuse) == expected
    assert text.startswith('{\n  "zsavs"')


def test_same_mapping_same_bytes_and_nothing_changed(report: dict[str, Any], tmp_path: Path) -> None:
    before = copy.deepcopy(report)
    first, second = write(report, tmp_path / "1"), write(copy.deepcopy(report), tmp_path / "2")
    assert report == before
    for form, path in first.items():
        assert path.read_bytes() == second[form].read_bytes()


def test_nothing_is_loaded_from_elsewhere(report: dict[str, Any], tmp_path: Path) -> None:
    html = texts(report, tmp_path)[0]
    document = Document(html)
    assert not [tag for tag, _ in document.tags if tag in ("script", "link", "iframe", "object", "base")]
    for link in document.values("a", "href") + document.values("img", "src"):
        assert link.startswith(("#part-", "visuals/"))
    assert not re.search(r"url\(|@import|https?://", html)


def test_images_are_relative_and_quoted(report: dict[str, Any], tmp_path: Path) -> None:
    html, markdown = texts(report, tmp_path)
    assert Document(html).values("img", "src") == ["visuals/a%20b%231.png"]
    assert "(<visuals/a%20b%231.png>)" in markdown


@pytest.mark.parametrize("image", [None, "", "/etc/a.png", "../a.png", "v/../../a.png", "http://x/a.png", "a\\b", 3])
def test_images_from_outside_are_not_linked(report: dict[str, Any], tmp_path: Path, image: Any) -> None:
    report["cases"]["alpha"]["best"][0]["picture"] = image
    html, markdown = texts(report, tmp_path)
    assert "<img" not in html
    assert "](<" not in markdown
    assert "J 90.0: a b\\#1" in markdown  # the case itself is still listed


def hostile(value: Any) -> Any:
    """The report with every text in it, keys of the user's own included, replaced by the hostile one."""
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, list):
        return [hostile(entry) for entry in value]
    if isinstance(value, dict):
        return {key: hostile(entry) for key, entry in value.items()} | {HOSTILE: hostile(next(iter(value.values())))}
    return value


def test_every_text_is_escaped(report: dict[str, Any], tmp_path: Path) -> None:
    report["dataset"]["failed"] = [{"item": "x", "error": "y"}]
    evil = hostile(report)
    html, markdown = texts(evil, tmp_path)
    document = Document(html)
    assert not {tag for tag, _ in document.tags} - TAGS
    for _, attributes in document.tags:
        assert not [name for name in attributes if name.startswith("on")]
    assert not [link for link in document.values("a", "href") if "javascript:" in link]
    assert '<script>alert("x")</script>' in document.text  # as text
    for text in (html, markdown):
        assert "<script" not in text
        assert not set(text) & {"\u202e", "\udc80", "\x1b"}
    assert not re.search(r"(?<!\\)\[c", markdown)
    tables = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(tables) > 20
    for line, following in pairwise(tables):
        if set(following) <= set("|:- "):  # a heading and its rule have as many cells
            assert len(re.findall(r"(?<!\\)\|", line)) == following.count("|")


@pytest.fixture
def charts_drawn_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A chart that was drawn in this test is not drawn again: most of the time of a report goes into it."""
    drawn: dict[str, Markup] = {}

    @functools.wraps(svg)
    def once(chart: Chart) -> Markup:
        key = repr(chart)
        if key not in drawn:
            drawn[key] = svg(chart)
        return drawn[key]

    monkeypatch.setattr(render, "svg", once)
    render.environment.cache_clear()  # it holds the function that draws
    yield
    render.environment.cache_clear()


@pytest.mark.usefixtures("charts_drawn_once")
@pytest.mark.parametrize("value", [None, {}, [], "", 0, "text", [None], {"a": None}, {"a": {}}, [[]], {"a": {"b": []}}])
def test_strange_values_do_no_harm(report: dict[str, Any], tmp_path: Path, value: Any) -> None:
    for key in report:
        html, markdown = texts({**report, key: value}, tmp_path)
        Document(html)
        assert "nan" not in markdown.lower().split()
    html, _ = texts(dict.fromkeys(report, value), tmp_path)
    assert Document(html).text.strip().startswith("zsavs on a data set")


def test_missing_keys_leave_their_sections_out(report: dict[str, Any], tmp_path: Path) -> None:
    assert sections(texts({}, tmp_path)[1]) == {}
    only = {key: report[key] for key in ("rows", "zsavs")}
    assert list(sections(texts(only, tmp_path)[1])) == ["Results", "Metric suites"]


def test_many_strategies_and_classes(report: dict[str, Any], tmp_path: Path) -> None:
    names = [f"strategy_{i}" for i in range(40)]
    report["rows"] = [row(name, "recorded", 0.5) for name in names]
    report["per_class"] = {name: {f"class {k}": {"items": 1, "J": k / 200} for k in range(200)} for name in names}
    report["curves"] = {name: {"thresholds": [0.1, 0.5], "J": [0.2, i / 40]} for i, name in enumerate(names)}
    html, markdown = texts(report, tmp_path)
    assert len([line for line in sections(markdown)["By class"].splitlines() if line.startswith("| class ")]) == 200
    strokes = re.findall(r'class="curve" d="[^"]*" (stroke="[^>]*?)>', html.split("<figcaption>")[0])
    assert len(set(strokes)) == 40  # no two lines look the same


def test_groups_are_in_order(report: dict[str, Any], tmp_path: Path) -> None:
    found = sections(texts(report, tmp_path)[1])
    assert found["By class"].index("| cat | 15 | 75.0 |") < found["By class"].index("| dog | 5 | 25.0 |")
    counts = found["By number of sounding objects"]
    assert counts.index("| 2 | 19 | 60.0 |") < counts.index("| 10 | 1 | 10.0 |")


def test_classes_of_a_suite_stand_under_its_name_without_those_that_never_occur(
    report: dict[str, Any], tmp_path: Path
) -> None:
    found = sections(texts(report, tmp_path)[1])["Classes by the metric suites"]
    assert "alpha by the suite avss" in found
    assert [line for line in found.splitlines() if line.startswith("|")][::2] == [
        "| Class | IoU | F | Frames |",
        "| background | 90.0 | 95.0 | 20 |",
    ]
    assert "| dog | 0.0 | 12.5 | 5 |" in found
    assert "axe" not in found


def test_curves_are_drawn_in_the_palette_and_break_at_gaps(report: dict[str, Any], tmp_path: Path) -> None:
    report["curves"]["beta"] = {"thresholds": [0.9, 0.1, 0.5, 0.3, None], "J": [0.2, 0.1, None, 0.3, 0.9]}
    html, markdown = texts(report, tmp_path)
    paths = [attributes for tag, attributes in Document(html).tags if tag == "path" and "stroke" in attributes]
    first, second = paths[0], paths[1]
    assert [first["stroke"], second["stroke"]] == ["#{:02x}{:02x}{:02x}".format(*colour) for colour in palette(2)]
    assert str(second["d"]).count("M") == 2  # a gap between 0.3 and 0.9
    x = [float(value) for value in re.findall(r"[ML]([\d.]+)", str(second["d"]))]
    assert x == sorted(x)
    y = [float(value) for value in re.findall(r"[ML][\d.]+ ([\d.]+)", str(first["d"]))]
    assert y == sorted(y)  # J falls along the curve, and y grows downwards
    assert "| alpha | 57.0 | 61.0 | 0.30 |" in markdown
    assert "| beta | – | 30.0 | 0.30 |" in markdown
    for label in ("Threshold", "J in percent"):
        assert label in Document(html).text


def test_models_stand_once_with_all_their_users(report: dict[str, Any], tmp_path: Path) -> None:
    models = sections(texts(report, tmp_path)[1])["Models"]
    assert "| segmenter | org/model | abc | MIT | 1\u202f234 MB | SA-1B | – | alpha, beta |" in models
    assert "| captioner | ToyCaptioner | – | – | – | – | – | beta |" in models
    report["models"]["alpha"]["segmenter"]["size_mb"] = 3.66
    assert "| MIT | 3.66 MB | SA-1B |" in sections(texts(report, tmp_path)[1])["Models"]


def test_published_numbers_are_those_of_the_data_set(report: dict[str, Any], tmp_path: Path) -> None:
    found = sections(texts(report, tmp_path)[1])["Published numbers"]
    assert "| TACO | 64.04 | 71.5 |" in found
    assert "43.15" not in found  # MS3
    assert "| zsavs alpha | **57.0** | **60.0** |" in found
    assert "| zsavs alpha, avsbench | **57.0** | **70.0** |" in found
    assert "papers' own numbers, copied and not measured here" in found
    assert "Caution" not in found
    report["dataset"]["name"] = "my own"
    assert "Published numbers" not in texts(report, tmp_path)[1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dataset": {"split": "val"}}, "scored on the split val"),
        ({"dataset": {"done": 19}}, "some of its items are missing"),
        ({"dataset": {"failed": [{"item": "x"}]}}, "some of its items are missing"),
        ({"settings": {"preset": "toy"}}, "hand-written ones of the toy world"),
    ],
)
def test_a_run_that_cannot_be_compared_says_so(
    report: dict[str, Any], tmp_path: Path, change: dict[str, dict[str, Any]], reason: str
) -> None:
    for key, values in change.items():
        report[key].update(values)
    assert reason in sections(texts(report, tmp_path)[1])["Published numbers"]


def test_published_entries_are_complete() -> None:
    benchmarks = {"s4": 6, "ms3": 4, "avss": 4, "avss_v2": 1, "avss_ov": 1, "is3": 2, "vpo_ss": 2}
    for benchmark, count in benchmarks.items():
        entries = published(benchmark)
        assert len(entries) == count
        for entry in entries:
            assert set(entry) - {"training"} == {"system", "benchmark", "metrics", "protocol", "source"}
            assert all(1 < value <= 100 for value in entry["metrics"].values())  # percent
            assert entry["protocol"]
            assert entry["source"]
    assert published("nothing") == []
    published("s4")[0]["system"] = "changed"
    assert published("s4")[0]["system"] == "TACO"


def test_published_columns_have_the_names_of_our_suites() -> None:
    ours = {"J", "F", "mIoU", "cIoU", "AUC", "Fscore"} | set(suites.get("open_vocabulary").compute())
    assert set(suites.get("baav").compute()) >= {"J", "F", "mIoU", "cIoU", "AUC", "Fscore"}
    for benchmark in ("s4", "ms3", "avss", "avss_ov", "is3", "vpo_ss"):
        assert {name for entry in published(benchmark) for name in entry["metrics"]} <= ours


def test_the_page_on_metrics_names_every_suite() -> None:
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.M) == sorted(set(suites.names()), key=text.index)
    assert len(re.findall(r"^\| `(\w+)` \|", text, re.M)) == len(suites.names())


def test_errors(report: dict[str, Any], tmp_path: Path) -> None:
    report["settings"]["what"] = object()
    with pytest.raises(InputError, match=r"report\.settings\.what: values of type object cannot be stored as JSON"):
        write(report, tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write({}, tmp_path / "file")
