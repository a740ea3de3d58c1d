"""The layers of the package, read from the code's own imports and drawn.

    python tools/layers.py            # writes docs/layers.svg
    python tools/layers.py --check    # exit code 1 where the figure is not what the code is

A shaded box is a wing of ``zsavs/``, a white one a module that lies loose in it. It stands one layer above the highest
that it imports from; an arrow leads to what it imports, where no path of other arrows says so already. ``errors`` and
``version`` are imported by everybody and left out.
"""

from __future__ import annotations

import argparse
import ast
import io
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
ROOT = REPOSITORY / "zsavs"
FIGURE = REPOSITORY / "docs" / "layers.svg"

#: Imported by everybody.
EVERYBODYS = {"errors", "version"}


class Import(NamedTuple):
    """One module of zsavs imports another."""

    importer: str
    imported: str


def _module_of(path: Path) -> str:
    parts = ["zsavs", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


#: Every module by its dotted name.
MODULES = {_module_of(path): path for path in sorted(ROOT.rglob("*.py"))}


@cache
def tree(module: str) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@cache
def imports(module: str) -> tuple[Import, ...]:
    """Everything of zsavs that a module imports, inside functions too, type checking aside."""

    def visit(node: ast.AST) -> Iterator[Import]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            yield from (Import(module, a.name) for a in node.names if a.name.split(".")[0] == "zsavs")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative imports hide the direction"
            home = node.module or ""
            if home.split(".")[0] == "zsavs":
                for alias in node.names:
                    whole = f"{home}.{alias.name}"
                    yield Import(module, whole if whole in MODULES else home)
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    return tuple(visit(tree(module)))


def wing(module: str) -> str:
    """The wing of a module, or its own name if it lies loose; the package itself is "zsavs"."""
    return module.split(".")[1] if "." in module else module


def graph() -> dict[str, set[str]]:
    """Each wing with the wings that it imports."""
    found: dict[str, set[str]] = {wing(module): set() for module in MODULES}
    for module in MODULES:
        found[wing(module)] |= {wing(i.imported) for i in imports(module)} - {wing(module)}
    del found["zsavs"]
    return {name: others - EVERYBODYS - {"zsavs"} for name, others in found.items() if name not in EVERYBODYS}


def floors(wings: dict[str, set[str]]) -> dict[str, int]:
    """The layer of each wing, from 0: one above the highest that it imports."""

    @cache
    def floor(name: str) -> int:
        return 1 + max((floor(other) for other in wings[name]), default=-1)

    return {name: floor(name) for name in wings}


def needed(wings: dict[str, set[str]]) -> set[tuple[str, str]]:
    """The arrows that no path of others says already."""

    @cache
    def below(name: str) -> frozenset[str]:
        return frozenset(wings[name]).union(*(below(other) for other in wings[name]))

    return {
        (name, other)
        for name, others in wings.items()
        for other in others
        if not any(other in below(between) for between in others - {other})
    }


def places(level: dict[str, int], arrows: set[tuple[str, str]]) -> dict[str, tuple[float, float]]:
    """Where each box stands: its layer above its place in it, near the boxes that it has arrows to and from."""
    rows = [sorted(name for name in level if level[name] == floor) for floor in range(max(level.values()) + 1)]
    near: dict[str, set[str]] = {name: set() for name in level}
    for name, other in arrows:
        near[name].add(other)
        near[other].add(name)
    x = {name: number - (len(row) - 1) / 2 for row in rows for number, name in enumerate(row)}
    for _ in range(12):
        for row in rows:
            row.sort(key=lambda name: sum(x[other] for other in near[name]) / max(len(near[name]), 1))
            x |= {name: number - (len(row) - 1) / 2 for number, name in enumerate(row)}
    return {name: (2.0 * x[name], float(level[name])) for name in level}


def draw() -> str:
    """The figure as SVG; the same code gives the same text."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    wings = graph()
    arrows = needed(wings)
    place = places(floors(wings), arrows)
    top, widest = max(y for _, y in place.values()), max(abs(x) for x, _ in place.values())
    with mpl.rc_context({"svg.hashsalt": "zsavs", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(figsize=(1.5 * widest + 1.6, 0.62 * top + 0.6))
        axes = figure.add_axes((0, 0, 1, 1))
        for name, other in sorted(arrows):
            (x0, y0), (x1, y1) = place[name], place[other]
            bend = 0.0 if y0 - y1 <= 1 else 0.1 * (1 if x0 <= x1 else -1)
            style = {"arrowstyle": "-|>", "connectionstyle": f"arc3,rad={bend}", "mutation_scale": 8, "linewidth": 0.9}
            axes.add_patch(FancyArrowPatch((x0, y0 - 0.26), (x1, y1 + 0.26), color="#8a97a8", zorder=1, **style))
        for name, (x, y) in place.items():
            loose = (ROOT / f"{name}.py").exists()
            colours = {"facecolor": "#ffffff" if loose else "#e3eefb", "edgecolor": "#34567a"}
            shape = {"boxstyle": "round,pad=0.02,rounding_size=0.08", "linewidth": 1.0, "zorder": 2}
            axes.add_patch(FancyBboxPatch((x - 0.8, y - 0.2), 1.6, 0.4, **colours, **shape))
            label = f"{name}.py" if loose else f"{name}/"
            axes.text(x, y, label, ha="center", va="center", fontsize=9.5, color="#12263a", zorder=3)
        axes.set_xlim(-widest - 1.0, widest + 1.0)
        axes.set_ylim(-0.5, top + 0.5)
        axes.axis("off")
        file = io.StringIO()
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None, "Title": "The layers of zsavs"})
    return file.getvalue()


def main() -> int:
    """Write the figure, or compare it with the code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare the figure with the code, write nothing")
    drawn = draw()
    if parser.parse_args().check:
        same = FIGURE.exists() and FIGURE.read_text(encoding="utf-8") == drawn
        print("the figure is what the code is" if same else f"{FIGURE} is out of date: python tools/layers.py")
        return 0 if same else 1
    FIGURE.write_text(drawn, encoding="utf-8")
    print(f"wrote {FIGURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
