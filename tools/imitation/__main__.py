"""Write all imitated checkpoints, each by the release that its published files are from.

    python -m tools.imitation OUT                       # OUT/checkpoints/ORG/NAME/ and OUT/answers/NAME.npz
    python -m tools.imitation OUT --only blip           # those with "blip" in their names
    python -m tools.imitation OUT --environments DIR    # where the environments are made, or were

Needs a package registry, once: transformers 4.30.2, 4.40.2, 4.57.3 and 5.0.0 are installed into environments of their
own. They find this environment's torch behind their own packages, as the releases of their time are gigabytes of CUDA.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tools.environments import ROOT, make_environment, run_in
from tools.imitation.catalogue import RELEASES, SOURCES

__all__ = ["write_all"]


def write_all(out: Path, environments: Path, sources: Sequence[str]) -> None:
    """Write the checkpoints of some repositories, and what their releases make of them.

    Raises:
        CalledProcessError: an environment could not be made, or a release did not do it.
    """
    for source in sources:
        module, release = SOURCES[source]
        print(f"{source}: tools/imitation/{module}.py, transformers {release}", flush=True)
        python = make_environment(environments / f"transformers-{release}", RELEASES[release])
        run_in(python, "tools.imitation.one", source, out.resolve())


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="a folder; those of the tests are in tests/golden/imitation"
    )
    parser.add_argument("--only", default="", metavar="PART", help="of the repositories' names")
    parser.add_argument("--environments", type=Path, default=ROOT / "build" / "imitation", metavar="DIR")
    arguments = parser.parse_args()
    sources = [source for source in SOURCES if arguments.only in source]
    if not sources:
        parser.error(f"--only {arguments.only}: no imitated checkpoint has that in its name: {', '.join(SOURCES)}")
    write_all(arguments.out, arguments.environments, sources)


if __name__ == "__main__":
    main()
