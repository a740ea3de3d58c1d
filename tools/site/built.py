"""The site as it was built: where its links lead, and what a browser would fetch."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: What a browser fetches by itself, by tag and attribute.
_FETCHED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("audio", "src"), ("video", "src")}
_IN_STYLE = re.compile(r"url\(\s*['\"]?(https?:)?//|@import\s+['\"](https?:)?//")


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.anchors |= {name for key in ("id", "name") if (name := told.get(key))}
        if tag == "a" and (link := told.get("href")):
            self.links.append(link)
        self.fetched += [value or "" for key, value in attrs if (tag, key) in _FETCHED]
        if tag == "link" and told.get("rel") not in ("canonical", "next", "prev", "edit"):
            self.fetched.append(told.get("href") or "")


def faults(site: Path) -> list[str]:
    """What is wrong with the pages in a folder, a line for each fault."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        for address in page.fetched:
            if urlsplit(address).netloc:
                found.append(f"{name}: a browser would fetch {address}")
            elif not address.startswith(("data:", "#")) and not _target(site, path, address).is_file():
                found.append(f"{name}: {address} is not there")
        if name == "404.html":  # its links begin at the root of wherever the site will be
            continue
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = _target(site, path, link)
            if not target.is_file():
                found.append(f"{name}: a link to {link}, which is not there")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{name}: a link to {link}, which has no such place")
    for path in site.rglob("*.css"):
        if _IN_STYLE.search(path.read_text(encoding="utf-8")):
            found.append(f"{path.relative_to(site).as_posix()}: fetches from elsewhere")
    return found


def _target(site: Path, page: Path, link: str) -> Path:
    path = unquote(urlsplit(link).path)
    start = site if path.startswith("/") else page.parent
    target = (start / path.lstrip("/")).resolve() if path else page.resolve()
    return target / "index.html" if target.is_dir() else target
