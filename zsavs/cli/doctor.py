"""``zsavs doctor``: what is installed, whether it fits together, and which presets are present."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

from zsavs.build.availability import mb_to_fetch, missing_weights, preset_cards
from zsavs.presets import PRESETS
from zsavs.storage.completeness import approximate_mb
from zsavs.storage.weights import cache_folder, format_mb, lacking_files
from zsavs.version import __version__

__all__ = ["examine"]

_PACKAGES = ("torch", "torchvision", "transformers", "open_clip_torch", "numpy", "pillow", "soundfile", "soxr")
#: Of the extra "pocket".
_OPTIONAL = ("onnxruntime", "ai-edge-litert")


def examine() -> tuple[bool, list[str]]:
    """Look the installation over.

    Returns:
        Whether zsavs can run here, and lines to print: each starts with "ok", "--" (worth knowing) or "!!" (broken).
    """
    lines = [f"ok  zsavs {__version__}, Python {platform.python_version()}, {platform.platform()}"]
    for name in _PACKAGES:
        try:
            lines.append(f"ok  {name} {version(name)}")
        except PackageNotFoundError:
            lines.append(f"!!  {name} is not installed; run: pip install zsavs")
    for name in _OPTIONAL:
        try:
            lines.append(f"ok  {name} {version(name)}")
        except PackageNotFoundError:
            lines.append(f"--  {name} is not installed, and preset pocket needs it: pip install 'zsavs[pocket]'")
    lines += [
        _try(
            "torchvision fits torch",
            "import torchvision.ops",
            "run: pip install -U torch torchvision",
        ),
        _try("transformers imports its models", "from transformers import ClapModel, Sam2Model", "see the next lines"),
        _torchaudio(),
        *_devices(),
        f"ok  weights are looked for in {cache_folder()}",
    ]
    for name in PRESETS:
        lines += _preset(name)
    lines = list(dict.fromkeys(lines))
    return not any(line.startswith("!!") for line in lines), lines


def _preset(name: str) -> list[str]:
    """What a preset lacks: how many checkpoints, and of each that is begun, which files."""
    missing = missing_weights(name)
    if not missing:
        elsewhere = [card.source for card in preset_cards(name).values() if lacking_files(card) != []]
        also = f"; for any other device it lacks {', '.join(elsewhere)}: zsavs download {name}" if elsewhere else ""
        return [f"ok  preset {name} is present{also}"]
    megabytes = format_mb(sum(map(mb_to_fetch, missing)))
    begun = [(card, lacks) for card in missing if (lacks := lacking_files(card))]
    of_these = f", {len(begun)} of them incomplete" if begun else ""
    lines = [f"--  preset {name} lacks {len(missing)} checkpoints{of_these}, {megabytes} MB: zsavs download {name}"]
    for card, lacks in begun:
        size = approximate_mb(lacks, card.size_mb)
        about = f"about {max(1, round(size))} MB" if size else "size unknown"
        lines.append(
            f"--  incomplete: {card.source} lacks {', '.join(lacks)}; zsavs download {card.source} fetches what is "
            f"missing ({about})"
        )
    return lines


def _run(code: str) -> str | None:
    """Run a few imports in a fresh interpreter, as a broken one can take the process down: None, or its last words."""
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return "no answer within two minutes"
    if done.returncode == 0:
        return None
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]


def _try(what: str, code: str, remedy: str) -> str:
    problem = _run(code)
    return f"ok  {what}" if problem is None else f"!!  not so: {what} ({problem}); {remedy}"


def _torchaudio() -> str:
    try:
        found = version("torchaudio")
    except PackageNotFoundError:
        return "ok  no torchaudio (none is needed)"
    problem = _run("import torchaudio")
    if problem is None:
        return f"--  torchaudio {found} is installed; zsavs does not use it"
    return (
        f"!!  torchaudio {found} does not fit torch and breaks every model of transformers ({problem}); "
        f"run: pip uninstall torchaudio"
    )


def _devices() -> list[str]:
    try:
        import torch
    except Exception as error:
        return [f"!!  torch cannot be imported ({error}); run: pip install -U torch torchvision"]
    lines = [f"ok  CPU with {torch.get_num_threads()} threads"]
    for number in range(torch.cuda.device_count()):
        name = torch.cuda.get_device_name(number)
        try:
            free, total = torch.cuda.mem_get_info(number)
        except RuntimeError as error:  # a card that is broken, or full to the last byte
            lines.append(f"!!  cuda:{number} {name} does not answer ({error}); check nvidia-smi")
            continue
        lines.append(f"ok  cuda:{number} {name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")
    if torch.backends.mps.is_available():
        lines.append("ok  mps (Apple)")
    if len(lines) == 1:
        lines.append("--  no GPU; everything works on the CPU, large models slowly")
    return lines
