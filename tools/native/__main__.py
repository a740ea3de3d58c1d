"""Write all golden files of native checkpoints, each by the authors' own package.

    python -m tools.native OUT                       # OUT/NAME.json and, of published sizes, OUT/NAME.json.gz
    python -m tools.native OUT --only sam2           # those with "sam2" in their names
    python -m tools.native OUT --environments DIR    # where the environments are made, or were

Needs a package registry, once.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tools.environments import ROOT, make_environment, run_in
from tools.native.packages import PACKAGES, RECIPES

__all__ = ["write_all"]


def write_all(out: Path, environments: Path, names: Sequence[str]) -> None:
    """Write some golden files.

    Raises:
        CalledProcessError: an environment could not be made, or a package did not do it.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        module = RECIPES[name]
        packages, needs = PACKAGES[module]
        print(f"{name}: tools/native/{module}.py, {', '.join(packages)}", flush=True)
        python = make_environment(environments / module, needs, ("--no-deps", "--no-build-isolation", *packages))
        run_in(python, "tools.native.one", name, out.resolve())


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT", help="a folder; that of the tests is tests/golden/native")
    parser.add_argument("--only", default="", metavar="PART", help="of the names")
    parser.add_argument("--environments", type=Path, default=ROOT / "build" / "native", metavar="DIR")
    arguments = parser.parse_args()
    names = [name for name in RECIPES if arguments.only in name]
    if not names:
        parser.error(f"--only {arguments.only}: no golden file has that in its name: {', '.join(RECIPES)}")
    write_all(arguments.out, arguments.environments, names)


if __name__ == "__main__":
    main()
