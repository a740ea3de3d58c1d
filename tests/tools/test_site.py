"""What the documentation site is made by: links, docstrings, the look at what was built. `make docs` builds it."""

from __future__ import annotations

from pathlib import Path

import zsavs
from tools.site import api, built, docstrings, links

PLACES = {
    "docs/labels.md": "labels.md",
    "docs/strategies/README.md": "strategies/README.md",
    "benchmarks/orchestra.md": "benchmarks/orchestra.md",
    "docs/layers.svg": "layers.svg",
}


def test_links_lead_to_pages_and_modules_and_nothing_else() -> None:
    def lead(text: str, source: str = "docs/strategies/fused.md", place: str = "strategies/fused.md") -> str:
        return links.rewritten(text, source, place, PLACES)

    assert lead("[a](../labels.md#names)") == "[a](../labels.md#names)"
    assert lead("[a](../../benchmarks/orchestra.md)") == "[a](../benchmarks/orchestra.md)"
    assert lead("[a](docs/strategies)", "CONTRIBUTING.md", "CONTRIBUTING.md") == "[a](strategies/README.md)"
    module = "../api/language.md#zsavs.language.meanings"
    assert lead("[`a`](../../zsavs/language/meanings.py)") == f"[`a`]({module})"
    assert lead("[the words](../../zsavs/data/sound_words.json)") == "the words (`zsavs/data/sound_words.json`)"
    for same in ("[a](https://example.org)", "[a](#b)", "[a](nowhere.md)", "```\n[a](../../pyproject.toml)\n```\n"):
        assert lead(same) == same
    assert lead("![figure](../layers.svg)") == "![figure](../layers.svg)"


def test_every_module_and_public_name_has_a_place_in_the_api() -> None:
    pages = api.pages()
    for name in ("segment", "AVSResult", "Pipeline"):
        assert any(line.endswith(f".{name}") for line in pages["api/index.md"].splitlines() if line.startswith("::: "))
    assert "::: zsavs.models.imagebind.towers\n" in pages["api/models.md"]
    assert "::: zsavs.types\n" in pages["api/types.md"]
    assert set(zsavs.__all__) - {"__version__"} == set(api.homes())
    assert api.page_of("zsavs/media") == "api/media.md"
    assert api.page_of("zsavs/data/prompts.json") is None
    assert api.page_of("pyproject.toml") is None


def test_docstrings_become_markdown() -> None:
    told = docstrings.rewritten(":func:`zsavs.segment` and :class:`~zsavs.types.Query`, or ``x``.", "zsavs.types")
    assert '<autoref optional identifier="zsavs.segment"><code>segment</code></autoref>' in told
    assert '<autoref optional identifier="zsavs.types.Query"><code>Query</code></autoref>, or `x`.' in told
    typed = docstrings.rewritten("It adds.\n\n>>> 1 + 1\n2\n\nSo.", "zsavs")
    assert typed == "It adds.\n\n```pycon\n>>> 1 + 1\n2\n```\n\nSo."
    assert docstrings.rewritten("Raises:\n    As there.\n", "zsavs") == "Raises:\n    ZsavsError: As there.\n"


def test_faults_of_a_site_are_found(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    good = '<a href="../#top">x</a><a href="https://example.org">y</a><img src="../b.png" alt="">'
    (tmp_path / "a" / "index.html").write_text(good)
    (tmp_path / "index.html").write_text('<h1 id="top">t</h1><a href="a/">a</a>')
    (tmp_path / "b.png").write_bytes(b"")
    assert built.faults(tmp_path) == []
    bad = '<a href="../#no">x</a><a href="gone/">y</a><script src="https://cdn.example/x.js"></script><img src="c.png">'
    (tmp_path / "a" / "index.html").write_text(bad)
    (tmp_path / "x.css").write_text("@import 'https://fonts.example/f.css';")
    assert built.faults(tmp_path) == [
        "a/index.html: a browser would fetch https://cdn.example/x.js",
        "a/index.html: c.png is not there",
        "a/index.html: a link to ../#no, which has no such place",
        "a/index.html: a link to gone/, which is not there",
        "x.css: fetches from elsewhere",
    ]
