"""zsavs beside what people would use instead: from phrases to masks, with the same architectures, in the same run.

    python benchmarks/peers.py --environment peers-env IMAGE IMAGE IMAGE [--out peers.md]

Each peer is a short script in ``peer_scripts``: what its public examples do, or its library's own call. It runs in a
process of its own, on the same images, with weights that are made here (Grounding DINO tiny and SAM 2.1 tiny at full
size, random, 850 MB in all, in the environment's folder): the seconds and the memory are those of the published
checkpoints, the masks mean nothing. The peers' packages come from a package registry, into the environment; the
detector of all is that of the installed transformers, so that what differs is what is done around the models, and which
SAM 2 (zsavs takes that of transformers, the others the package ``sam2``).

zsavs gets phrases there in place of sound, so that all do the same work: hearing, verifying and abstaining, which no
such peer does, are not in these numbers (``zsavs profile`` shows them). With ``--from-sound`` the peer is TACO, written
out from its paper and objective, and zsavs the strategy ``cofactorization`` with the same encoders (CLAP, CLIP
ConvNeXt-L; 2 GB more of random weights), which makes SAM 2's masks as well.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

from tools.environments import make_environment  # noqa: E402
from tools.native.packages import PACKAGES  # noqa: E402

#: Each peer: its script, and whether it runs beside zsavs, or in the environment of the package sam2.
PEERS = {"zsavs": "with_zsavs", "Grounded-SAM-2, its script": "grounded_sam_2", "lang-segment-anything": "lang_sam"}
FROM_SOUND = {"zsavs, cofactorization": "with_cofactorization", "TACO, 1800 steps of descent": "taco"}
#: One image to begin with, and at least two of which a batch can be made.
FEWEST = 3


def write_weights(folder: Path, python: Path, tiny: bool = False) -> None:
    """Random weights of both architectures, where they are not there yet; SAM 2's also as its package reads it.

    Args:
        folder: gets ``grounding_dino``, ``sam2`` and ``sam2.pt``.
        python: of the environment with the package; what it builds is what it reads.
        tiny: toy sizes, and no ``sam2.pt``.
    """
    done = folder / "made"
    if done.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if tiny:
        from zsavs.testing.tiny.detectors import tiny_grounding_dino
        from zsavs.testing.tiny.segmenters import tiny_sam2

        grounder, segmenter = tiny_grounding_dino(), tiny_sam2()
    else:
        from full_size import build_grounding_dino, build_sam2

        grounder, segmenter = build_grounding_dino("base"), build_sam2("base")
        saving = (
            "import sys, torch; from sam2.build_sam import build_sam2; torch.manual_seed(0); "
            "model = build_sam2('configs/sam2.1/sam2.1_hiera_t.yaml', device='cpu'); "
            "torch.save({'model': model.state_dict()}, sys.argv[1])"
        )
        subprocess.run([python, "-c", saving, folder / "sam2.pt"], check=True, cwd=folder)
    for part, name in ((grounder, "grounding_dino"), (segmenter, "sam2")):
        part.model.save_pretrained(folder / name)
        part.image_processor.save_pretrained(folder / name)
    grounder.tokenizer.save_pretrained(folder / "grounding_dino")
    # The folder as the published one is: what one class of transformers reads, image and text.
    from transformers import GroundingDinoProcessor

    GroundingDinoProcessor(grounder.image_processor, grounder.tokenizer).save_pretrained(folder / "grounding_dino")
    done.touch()


def write_encoders(weights: Path) -> None:
    """Random weights of CLAP and of CLIP's ConvNeXt-L, where they are not there yet."""
    done = weights / "made_encoders"
    if done.exists():
        return
    import open_clip
    from full_size import build_clap
    from peer_scripts.sound import ARCHITECTURE, clip_file
    from safetensors.torch import save_file

    clap = build_clap("base")
    for part in (clap.model, clap.feature_extractor, clap.tokenizer):
        part.save_pretrained(weights / "clap")
    save_file(open_clip.create_model(ARCHITECTURE).state_dict(), clip_file(weights), metadata={"format": "pt"})
    done.touch()


def run(script: str, python: Path, weights: Path, images: Sequence[Path]) -> dict[str, Any]:
    """What a script measured of itself, in a process of its own.

    Raises:
        subprocess.CalledProcessError: it failed; its own words are on stderr.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}",
        "HF_HUB_OFFLINE": "1",
        "PYTHONWARNINGS": "ignore",
    }
    environment["ZSAVS_CACHE"] = tempfile.mkdtemp(prefix="zsavs-peers-")
    environment["PEER_STARTED"] = repr(time.time())
    command = [python, HERE / "peer_scripts" / f"{script}.py", weights, *images]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def table(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """The numbers in Markdown, with the ratio to zsavs, the first, of each that is lower the better."""
    own = next(iter(measured.values()))
    lines = [
        "| | first answer, s | one image, s | of a batch, s | peak memory, MB | lines |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, numbers in measured.items():
        cells = [
            _with_ratio(numbers["first_s"], own["first_s"], ".1f"),
            *(
                _with_ratio(numbers[key][0], own[key][0], ".2f", f"{numbers[key][1]:.2f}")
                for key in ("each_s", "together_s")
            ),
            _with_ratio(numbers["peak_mb"], own["peak_mb"], ".0f"),
            str(numbers["lines"]),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_ratio(value: float, own: float, form: str, processor: str = "") -> str:
    brackets = [f"{processor} of the processor"] if processor else []
    brackets += [f"{value / own:.2f}x"] if value is not own else []
    return f"{value:{form}}" + (f" ({', '.join(brackets)})" if brackets else "")


def main() -> None:
    """Parse the arguments, make what is needed, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", type=Path, help=f"at least {FEWEST}; the first one for the first answer")
    parser.add_argument("--environment", required=True, type=Path, help="a folder, made if it is not there (2 GB)")
    parser.add_argument("--out", type=Path, help="a file for the table")
    parser.add_argument("--from-sound", action="store_true", help="TACO's way from a sound, in place of phrases")
    arguments = parser.parse_args()
    if len(arguments.images) < FEWEST:
        parser.error(f"give at least {FEWEST} images")
    images = [path.resolve() for path in arguments.images]
    package, needs = PACKAGES["sam2"]
    home = arguments.environment.resolve()
    python = make_environment(home / "sam2", needs, ["--no-deps", "--no-build-isolation", *package])
    write_weights(home / "weights", python)
    if arguments.from_sound:
        write_encoders(home / "weights")
    measured = {}
    for name, script in (FROM_SOUND if arguments.from_sound else PEERS).items():
        print(f"running {name}", file=sys.stderr)
        where = Path(sys.executable) if arguments.from_sound or name == "zsavs" else python
        measured[name] = run(script, where, home / "weights", images)
    said = table(measured)
    print(said)
    if arguments.out:
        arguments.out.write_text(said + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
