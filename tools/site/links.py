"""Links as the repository has them, from file to file, made into links from page to page."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from tools.site import api

ROOT = Path(__file__).parents[2]

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
_FENCE = re.compile(r"(^```.*?^```)", re.S | re.M)


def rewritten(markdown: str, source: str, place: str, places: Mapping[str, str]) -> str:
    """A page with links to pages of the site.

    Args:
        markdown: the page.
        source: its file, from the root of the repository.
        place: where it is in the site.
        places: for files of the repository, where they are in the site.

    A link to a module leads to its documentation. What the site has no page for is named, and no link. What is not in
    the repository is left as it is, for MkDocs to complain about.
    """

    def lead(found: re.Match[str]) -> str:
        image, text, target, anchor = found[1], found[2], found[3], found[4] or ""
        if not target or ":" in target:
            return found[0]
        path = posixpath.normpath((PurePosixPath(source).parent / target).as_posix())
        there = places.get(path) or places.get(f"{path}/README.md") or api.page_of(path)
        if there is None:
            if image or not (ROOT / path).exists():
                return found[0]
            return text if path in text else f"{text} (`{path}`)"
        there, _, inside = there.partition("#")
        link = posixpath.relpath(there, PurePosixPath(place).parent.as_posix())
        return f"{image}[{text}]({link}{anchor or (inside and '#' + inside)})"

    parts = _FENCE.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(lead, part) for part in parts)
