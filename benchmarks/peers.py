"""zsavs beside what people would use instead: from phrases to masks, with the same architectures, in the same run.

    python benchmarks/peers.py --environment peers-env IMAGE IMAGE IMAGE [--out peers.md]
    python benchmarks/peers.py --environment peers-env IMAGE IMAGE IMAGE --beside taco

Each peer is a short script in ``peer_scripts``: what its public examples do, or its library's own call. It runs in a
process of its own, on the same images, with weights that are made here (Grounding DINO tiny and SAM 2 tiny at full
size, random, 2.2 GB in all, in the environment's folder): the seconds and the memory are those of the published
checkpoints, the masks mean nothing. The peers' packages come from a package registry, into environments. Two peers and
zsavs take the detector of the installed transformers, two the package groundingdino-py (segment-geospatial finds it
under the names that it asks the model hub for); SAM 2 is that of transformers for zsavs, the package's for the others.

autodistill-grounded-sam-2 is not here: as published it runs on CUDA alone, clones a repository while it is imported,
and lets its detector, Florence-2, run code from the hub.

zsavs gets phrases there in place of sound, so that all do the same work: hearing, verifying and abstaining, which no
such peer does, are not in these numbers (``zsavs profile`` shows them). ``--beside`` another peer is from a sound:
TACO, written out from its paper and objective, and the strategy ``cofactorization`` with the same encoders (CLAP, CLIP
ConvNeXt-L; 2 GB more of random weights), which makes SAM 2's masks as well; or BAaV, written out from its paper, and
the strategy ``cross_modal`` with the same captioner and CLAP (another 3 GB).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]

from peer_scripts.made_weights import write_for_baav, write_for_taco, write_segmenters  # noqa: E402

from tools.environments import make_environment  # noqa: E402
from tools.native.packages import PACKAGES  # noqa: E402

_SAM2_PACKAGE, _SAM2_NEEDS = PACKAGES["sam2"]
_DINO_PACKAGE, _DINO_NEEDS = PACKAGES["grounding_dino"]
#: What is installed in an environment, with what it asks for, and then without.
ENVIRONMENTS = {
    "sam2": (_SAM2_NEEDS, _SAM2_PACKAGE),
    "native": (
        (*dict.fromkeys((*_SAM2_NEEDS, *_DINO_NEEDS)), "geopandas==1.1.1", "rasterio==1.4.3", "segment_anything==1.0"),
        (*_SAM2_PACKAGE, *_DINO_PACKAGE, "segment-geospatial==1.4.2"),
    ),
}
#: Beside what: zsavs first, then each peer, its script, and its environment, or zsavs' own.
PEERS: dict[str, dict[str, tuple[str, str]]] = {
    "segmenters": {
        "zsavs": ("with_zsavs", ""),
        "Grounded-SAM-2, its script": ("grounded_sam_2", "sam2"),
        "the same with groundingdino-py": ("grounded_sam_2_native", "native"),
        "lang-segment-anything": ("lang_sam", "sam2"),
        "segment-geospatial, LangSAM": ("samgeo_lang_sam", "native"),
    },
    "taco": {
        "zsavs, cofactorization": ("with_cofactorization", ""),
        "TACO, 1800 steps of descent": ("taco", ""),
    },
    "baav": {"zsavs, cross_modal": ("with_cross_modal", ""), "BAaV, its captions and CLIPSeg": ("baav", "")},
}
#: What writes the weights of a peer from a sound.
FROM_SOUND = {"taco": write_for_taco, "baav": write_for_baav}
_LESS = ("first_s", "each_s", "together_s", "peak_mb")
#: One image to begin with, and at least two of which a batch can be made.
FEWEST = 3


def run(script: str, python: Path, weights: Path, images: Sequence[Path]) -> dict[str, Any]:
    """What a script measured of itself, in a process of its own.

    Raises:
        subprocess.CalledProcessError: it failed; its own words are on stderr.
    """
    environment = {
        **offline(weights),
        "ZSAVS_CACHE": tempfile.mkdtemp(prefix="zsavs-peers-"),
        "PEER_STARTED": repr(time.time()),
    }
    command = [python, HERE / "peer_scripts" / f"{script}.py", weights, *images]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def offline(weights: Path) -> dict[str, str]:
    """Variables for a process that finds what is made here where a hub's files are kept, and fetches nothing."""
    return {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}",
        "HF_HOME": str(weights),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONWARNINGS": "ignore",
    }


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


def compare(beside: str, home: Path, images: Sequence[Path], rounds: int = 1) -> dict[str, dict[str, Any]]:
    """What each script of a comparison measured of itself; makes what it needs in a folder, where that is not there.

    Args:
        rounds: how often all are run, one after the other; of each number the least is kept, as other load on a machine
            only adds to it.
    """
    weights, pythons = home / "weights", {"": Path(sys.executable)}
    for environment in sorted({environment for _, environment in PEERS[beside].values()} - {""}):
        needs, packages = ENVIRONMENTS[environment]
        pythons[environment] = make_environment(
            home / environment, needs, ["--no-deps", "--no-build-isolation", *packages]
        )
    if beside == "segmenters":
        write_segmenters(weights, pythons["native"], environment=offline(weights))
    else:
        FROM_SOUND[beside](weights)
    measured: dict[str, dict[str, Any]] = {}
    for number in range(rounds):
        for name, (script, environment) in PEERS[beside].items():
            print(f"running {name}, round {number + 1} of {rounds}", file=sys.stderr)
            told = run(script, pythons[environment], weights, images)
            measured[name] = least(measured.get(name, told), told)
    return measured


def least(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Of two measurements of a script the lesser number of each kind; seconds go by the clock."""
    return {key: min(before[key], value) if key in _LESS else value for key, value in now.items()}


def main() -> None:
    """Parse the arguments, make what is needed, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", type=Path, help=f"at least {FEWEST}; the first one for the first answer")
    parser.add_argument("--environment", required=True, type=Path, help="a folder, made if it is not there (2 GB)")
    parser.add_argument("--out", type=Path, help="a file for the table")
    parser.add_argument("--rounds", type=int, default=1, help="of each number the least is printed (%(default)s)")
    parser.add_argument(
        "--beside", choices=PEERS, default="segmenters", help="what: text-prompted segmenters if left out"
    )
    arguments = parser.parse_args()
    if len(arguments.images) < FEWEST:
        parser.error(f"give at least {FEWEST} images")
    images = [path.resolve() for path in arguments.images]
    try:
        said = table(compare(arguments.beside, arguments.environment.resolve(), images, arguments.rounds))
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"peers.py: {' '.join(map(str, error.cmd[:4]))} ... ended with {error.returncode}; what it said of that is "
            "above. An environment is made once, from a package registry."
        )
    print(said)
    if arguments.out:
        arguments.out.write_text(said + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
