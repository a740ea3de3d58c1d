"""What MkDocs is told beyond mkdocs.yml: more pages, links into the repository, and a look at what was built."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tools.site import api, built, links  # noqa: E402

# The tutorials' kernels have no widgets, and need none: a page that was built has no use for a bar that moves.
os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")

#: Pages that lie elsewhere in the repository, with their place in the site.
ELSEWHERE = {
    **{
        # README.md would be the folder's first page, which is docs/benchmarks/index.md.
        path.relative_to(ROOT).as_posix(): f"benchmarks/{path.name.replace('README', 'every_number')}"
        for path in sorted((ROOT / "benchmarks").glob("*.md"))
    },
    **{name: name for name in ("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md")},
    **{
        path.relative_to(ROOT).as_posix(): path.relative_to(ROOT).with_name("index.md").as_posix()
        for folder in ("tools", "examples")
        for path in (ROOT / folder).rglob("README.md")
    },
}


#: Pages that others lead to, and no menu.
OUT_OF_THE_MENU = InclusionLevel.NOT_IN_NAV


def on_config(config: Any) -> Any:
    """Put the pages of the API into the menu, and those of benchmarks that it does not name, at their end."""
    for entry in config["nav"]:
        if "API" in entry:
            entry["API"] = list(api.pages())
        if "Benchmarks" in entry:
            more = [place for place in ELSEWHERE.values() if place.startswith("benchmarks/")]
            entry["Benchmarks"] += [place for place in more if place not in entry["Benchmarks"]]
    return config


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages that lie elsewhere, and those of the API."""
    for source, place in ELSEWHERE.items():
        listed = InclusionLevel.INCLUDED if "/" not in source or source.startswith("benchmarks/") else OUT_OF_THE_MENU
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source), inclusion=listed))
    for place, text in api.pages().items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Let links lead to the site's own pages, whatever file of the repository they name."""
    place = page.file.src_uri
    source = next((source for source, there in ELSEWHERE.items() if there == place), f"docs/{place}")
    places = {f"docs/{file.src_uri}": file.src_uri for file in files.documentation_pages()} | ELSEWHERE
    places |= {f"docs/{file.src_uri}": file.src_uri for file in files.media_files()}
    return links.rewritten(markdown, source, place, places)


def on_post_build(*, config: Any) -> None:
    """Follow every link within the site, and refuse a page whose browser would fetch something from elsewhere."""
    faults = built.faults(Path(config["site_dir"]))
    if faults:
        raise PluginError("\n".join(["the site that was built:", *faults]))
