"""Environments of their own for packages of another time, with the torch of this one behind them.

The torch of their time is gigabytes of CUDA, and old packages can use a newer one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

__all__ = ["ROOT", "make_environment", "run_in"]

ROOT = Path(__file__).resolve().parents[1]


def make_environment(home: Path, needs: Sequence[str], package: Sequence[str] = ()) -> Path:
    """Make an environment, if it is not there; returns its python. Needs a package registry.

    Args:
        home: its folder.
        needs: what is installed, with all that it asks for.
        package: arguments of ``pip install`` for what is installed last, when torch can be found.
    """
    home = home.resolve()
    python, done = home / "bin" / "python", home / "made"
    if not done.exists():
        install = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        subprocess.run([*install, *needs], check=True)
        own = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        Path(own, "torch_of_another.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        if package:
            subprocess.run([*install, *package], check=True, env={**os.environ, "SAM2_BUILD_CUDA": "0"})
        done.touch()
    return python


def run_in(python: Path, *arguments: str | Path) -> None:
    """Run a module of this repository in an environment: offline, on one core, without a word of warning."""
    fixed = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}
    fixed |= {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    subprocess.run([python, "-m", *arguments], cwd=ROOT, env={**os.environ, **fixed}, check=True)
