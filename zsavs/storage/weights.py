"""What checkpoints are and where they lie: weight cards, the hub cache, local folders. Knows no model by name.

Nothing here downloads; :func:`zsavs.storage.download.download` does, which only ``zsavs download`` and the user call.
Loading a model looks at a local folder or in the hub cache (``HF_HOME`` and ``HF_HUB_CACHE`` are respected) and raises
:class:`~zsavs.errors.MissingWeights` with the command to type where the files are not there.
"""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import unquote, urlsplit

from zsavs.errors import MissingWeights, first_line
from zsavs.version import __version__

__all__ = [
    "FORMATS",
    "SHIPPED",
    "WeightCard",
    "cache_folder",
    "fetch_again",
    "file_places",
    "format_mb",
    "is_address",
    "is_local",
    "locate",
]

#: Checkpoints inside the package are named after their folder in zsavs/data: "zsavs:nano/clap".
SHIPPED = "zsavs:"

#: Formats of the same tensors, best first: one of them is fetched, never two.
FORMATS = (".safetensors", ".bin", ".pt", ".pth")


@dataclass(frozen=True)
class WeightCard:
    """What a checkpoint is, before and after it is on this machine.

    Args:
        source: hub repository ``org/name``; the address of a file (``https://...``); ``zsavs:nano/clap`` and the like
            for weights that ship with the package.
        licence: SPDX name of the weights' licence.
        size_mb: size of the files to fetch in units of 10**6 bytes, as the parameters count it; 0 where it is not
            known. The size that is offered for a single file must be within 1 % of it.
        trained_on: the data the weights have seen, in a few words.
        revision: branch, tag or commit to fetch; replaced by the commit that was found when it is loaded.
        verified: where the licence was read; "from memory" asks the reader to look before relying on it.
        sha256: of a single file, 64 lowercase hexadecimal digits; what is fetched must have it, and a download that
            broke off goes on where it was. Loading does not compute it again.
    """

    source: str
    licence: str
    size_mb: float
    trained_on: str
    revision: str = "main"
    verified: str = "model card"
    sha256: str = ""

    @property
    def is_restricted(self) -> bool:
        """Whether the licence keeps commercial users out, so that it has to be accepted before anything is fetched."""
        return "NC" in self.licence.upper().split("-")

    def as_dict(self) -> dict[str, str | float]:
        """Plain dictionary, for reports and ``result.meta``; without ``sha256`` where there is none."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "sha256" or value}

    def at(self, folder: Path) -> WeightCard:
        """The card of the files found in ``folder``: its commit where the hub cache names it, else its path.

        Weights that ship with the package have the revision of the package. A file of the user's own has no checksum
        here, as loading does not compute it.
        """
        if self.source.startswith(SHIPPED):
            return dataclasses.replace(self, revision=f"zsavs {__version__}")
        if folder.parent.name == "snapshots":
            return dataclasses.replace(self, revision=folder.name)
        return dataclasses.replace(self, source=str(folder), revision="local folder", sha256="")


def format_mb(size_mb: float) -> str:
    """A size in units of 10**6 bytes as people read it, without the unit: "4803", "3.66"."""
    return f"{size_mb:.0f}" if size_mb >= 100 else f"{size_mb:.3g}"


def cache_folder() -> Path:
    """The hub cache that checkpoints are looked up in."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def locate(checkpoint: str | Path, revision: str = "main") -> Path:
    """Find a checkpoint's folder on this machine, without any network access.

    Args:
        checkpoint: a local folder (or file), a hub repository ``org/name``, ``zsavs:...`` for one in the package, or
            the address of a single file; that is looked for by its name in the working folder, in ``.checkpoints``
            there, and in the hub cache's folder.
        revision: branch, tag or commit, for a hub repository.

    A file of an address is known by its name alone: its checksum was compared when it was fetched.

    Raises:
        MissingWeights: it is not here; the message names it, the command that fetches it, and where to put it.
    """
    name = str(checkpoint)
    if name.startswith(SHIPPED):
        shipped = Path(str(resources.files("zsavs"))) / "data" / name.removeprefix(SHIPPED)
        if ".." in shipped.parts or not shipped.is_dir():
            raise MissingWeights(f"{name}: not in this installation of zsavs; install zsavs again.")
        return shipped
    if is_address(name):
        return _locate_file(name)
    try:
        local = Path(checkpoint).expanduser()
        if local.exists():
            return local
    except (OSError, RuntimeError) as error:  # no permission to look, a name too long, a ~ without a home
        raise MissingWeights(f"{name}: cannot be looked at ({first_line(error)}); give another folder.") from error
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise MissingWeights(f"{name}: no such folder; give a folder made by save_pretrained, or a hub name org/name.")
    missing = MissingWeights(
        f"the weights {name} (revision {revision}) are not on this machine, looked in {cache_folder()}. "
        f"Fetch them with: zsavs download {name}  (it shows size and licence first), "
        f"or put a copy of the repository in a folder and give its path instead of the name."
    )
    with contextlib.suppress(OSError):  # a name too long, a folder that may not be looked into: the hub's client says
        if not (cache_folder() / f"models--{name.replace('/', '--')}").exists():
            raise missing  # without the hub's client, whose import takes longer than a small model
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        # Asking for no file by name: the hub's client calls a snapshot incomplete that lacks any other file of its
        # repository, and of the same weights in several formats only one was fetched.
        return Path(snapshot_download(name, revision=revision, local_files_only=True, allow_patterns=[]))
    except (LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise missing from error


def is_local(checkpoint: str | Path, revision: str = "main") -> bool:
    """Whether :func:`locate` finds weights: the folder is here and holds at least one weight file.

    What may not be looked at is not here.
    """
    try:
        folder = locate(checkpoint, revision)
        return folder.is_file() or any(path.suffix in FORMATS for path in folder.iterdir())
    except (MissingWeights, OSError):
        return False


def is_address(source: str) -> bool:
    """Whether a card's source is the address of a single file."""
    return source.startswith("https://")


def file_places(address: str) -> list[Path]:
    """Where the file of an address is looked for; the last place is where ``zsavs download`` puts it.

    Its name is the end of the address without a query (``?download=1``), and with its ``%20`` decoded.

    Raises:
        MissingWeights: the address ends with no name of a file.
    """
    try:
        name = unquote(urlsplit(address).path).rpartition("/")[2]
    except ValueError:  # brackets that are no IPv6 host
        name = ""
    if name in ("", ".", "..") or not name.isprintable():
        raise MissingWeights(f"{address}: does not end with the name of a file; give the address of one.")
    return [Path(name), Path(".checkpoints") / name, cache_folder() / name]


def _locate_file(address: str) -> Path:
    places = file_places(address)
    for place in places:
        with contextlib.suppress(OSError):  # a folder that may not be looked into
            if place.is_file():
                return place
    raise MissingWeights(
        f"the weights {places[0]} are not on this machine, looked for {', '.join(map(str, places))}. Fetch them with: "
        f"zsavs download {address}  (it shows size and licence first), or get {address} and put it at {places[-1]}."
    )


def fetch_again(path: Path) -> str:
    """What to do about a checkpoint with broken or missing files, to end a message with.

    The hub's client does not look into a file that it has fetched already, so a broken one has to go first.

    Args:
        path: the checkpoint's folder, or a file in it.
    """
    for folder in (path, *path.parents):
        if folder.parent.name == "snapshots":
            repository = folder.parents[1]
            name = repository.name.removeprefix("models--").replace("--", "/", 1)
            return f"delete {repository} and run: zsavs download {name}"
    return "copy the whole checkpoint there again, or fetch one with: zsavs download NAME"
