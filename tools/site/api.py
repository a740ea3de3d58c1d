"""The pages of the API, from the docstrings: one for what ``import zsavs`` gives, one for each wing."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "zsavs"


def pages() -> dict[str, str]:
    """Each page's place in the site, with its Markdown."""
    wings = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file())
    loose = sorted(path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__"))
    made = {"api/index.md": _front(wings, loose)}
    for wing in wings:
        made[f"api/{wing}.md"] = _wing(wing)
    for module in loose:
        made[f"api/{module}.md"] = _page(f"zsavs.{module}", [f"zsavs.{module}"])
    return made


def page_of(path: str) -> str | None:
    """Where in the site a file of the package is documented, as ``api/WING.md#zsavs.WING.MODULE``; None if nowhere."""
    parts = Path(path).parts
    if parts[0] != "zsavs" or not (ROOT / path).exists() or parts[1:2] == ("data",):
        return None
    if (ROOT / path).is_dir():
        return f"api/{parts[1]}.md" if len(parts) > 1 else "api/index.md"
    if Path(path).suffix != ".py":
        return None
    module = ".".join(Path(path).with_suffix("").parts).removesuffix(".__init__")
    return f"api/{Path(parts[1]).stem}.md#{module}"


def _front(wings: list[str], loose: list[str]) -> str:
    rows = [f"| [`zsavs.{name}`]({name}.md) | {_first_line(PACKAGE / name / '__init__.py')} |" for name in wings]
    alone = [f"| [`zsavs.{name}`]({name}.md) | {_first_line(PACKAGE / f'{name}.py')} |" for name in loose]
    names = [
        f"::: {home}.{name}\n    options: {{skip_local_inventory: true}}\n" for name, home in sorted(homes().items())
    ]
    return "\n".join(
        [
            "# What `import zsavs` gives",
            "",
            "All of it is made of the parts in these modules. Importing zsavs loads neither torch nor a model.",
            "",
            *names,
            "## All modules",
            "",
            "| module | what it holds |",
            "|---|---|",
            *alone,
            *rows,
            "",
        ]
    )


def _wing(wing: str) -> str:
    """The page of a folder: what its ``__init__`` says, and every module that has public names."""
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sorted(_modules(PACKAGE / wing))]
    return _page(f"zsavs.{wing}", [f"zsavs.{wing}", *modules])


def _modules(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.py") if not path.stem.startswith("__")]


def _page(title: str, modules: list[str]) -> str:
    return "\n".join([f"# {title}", "", *(f"::: {module}\n" for module in modules)])


def _first_line(path: Path) -> str:
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return said.splitlines()[0] if said else ""


def homes() -> dict[str, str]:
    """The public names, each with the module that holds it."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_HOMES":
            homes: dict[str, str] = ast.literal_eval(node.value)
            return {name: f"zsavs.{home}" for name, home in homes.items()}
    raise ValueError("zsavs/__init__.py has no _HOMES")
