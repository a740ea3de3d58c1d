"""Write one checkpoint and the answers to it, in the environment of its release: ``python -m tools.imitation.one``."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from pathlib import Path

from tools.imitation.catalogue import SOURCES

__all__ = ["write"]


def write(source: str, out: Path) -> None:
    """Write ``out/checkpoints/SOURCE/`` anew, and ``out/answers/NAME.npz``."""
    import numpy as np
    import torch

    torch.manual_seed(0)  # for the few numbers that no parameter holds
    module = importlib.import_module(f"tools.imitation.{SOURCES[source][0]}")
    folder = out / "checkpoints" / source
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    module.write(source, folder)
    answers = out / "answers" / f"{source.rpartition('/')[2]}.npz"
    answers.parent.mkdir(exist_ok=True)
    np.savez_compressed(answers, **module.answers(source, folder))


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported
    write(sys.argv[1], Path(sys.argv[2]))
