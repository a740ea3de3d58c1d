"""Write one golden file, in the environment of its package: ``python -m tools.native.one NAME OUT``."""

from __future__ import annotations

import gzip
import importlib
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tools.native.packages import PACKAGES, RECIPES

__all__ = ["write"]


def write(name: str, out: Path) -> None:
    """Write ``out/NAME.json`` anew; of a model of published size, which has many weights, ``out/NAME.json.gz``."""
    import torch

    torch.manual_seed(0)  # for the few numbers that no name gives
    module = importlib.import_module(f"tools.native.{RECIPES[name]}")
    package = PACKAGES[RECIPES[name]][0][0].partition("==")[0]
    content = {"package": f"{package} {version(package)}", "torch": torch.__version__.partition("+")[0]}
    text = json.dumps(_plain(content | module.write(name))) + "\n"
    if name in module.PUBLISHED:
        (out / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        (out / f"{name}.json").write_text(text, encoding="utf-8")


def _plain(value: Any) -> Any:
    """Arrays and tensors as lists of numbers of seven digits."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return float(f"{value:.7g}") if isinstance(value, float) else value


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported
    write(sys.argv[1], Path(sys.argv[2]))
