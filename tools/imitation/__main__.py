"""Write all imitated checkpoints, each by the release that its published files are from.

    python -m tools.imitation OUT                       # OUT/checkpoints/ORG/NAME/ and OUT/answers/NAME.npz
    python -m tools.imitation OUT --only blip           # those with "blip" in their names
    python -m tools.imitation OUT --environments DIR    # where the environments are made, or were

Needs a package registry, once: transformers 4.30.2, 4.40.2, 4.57.3 and 5.0.0 are installed into environments of their
own. They find this environment's torch behind their own packages, as the releases of their time are gigabytes of CUDA.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from tools.imitation.catalogue import RELEASES, SOURCES

__all__ = ["make_environment", "write_all"]

ROOT = Path(__file__).resolve().parents[2]


def make_environment(release: str, folder: Path) -> Path:
    """Make the environment of a release of transformers, if it is not there; returns its python."""
    home = folder.resolve() / f"transformers-{release}"
    python = home / "bin" / "python"
    done = home / "made"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *RELEASES[release]], check=True)
        own = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        Path(own, "torch_of_another.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        done.touch()
    return python


def write_all(out: Path, environments: Path, sources: Sequence[str]) -> None:
    """Write the checkpoints of some repositories, and what their releases make of them.

    Raises:
        CalledProcessError: an environment could not be made, or a release did not do it.
    """
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}
    settings |= {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    for source in sources:
        module, release = SOURCES[source]
        print(f"{source}: tools/imitation/{module}.py, transformers {release}", flush=True)
        command = [make_environment(release, environments), "-m", "tools.imitation.one", source, out.resolve()]
        subprocess.run(command, cwd=ROOT, env=settings, check=True)


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
