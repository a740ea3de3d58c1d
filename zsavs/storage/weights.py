"""What checkpoints are and where they lie: weight cards, the hub cache, local folders. Knows no model by name.

Nothing here downloads; :func:`zsavs.storage.download.download` does, which only ``zsavs download`` and the user call.
Loading a model looks at a local folder or in the hub cache (``HF_HOME`` and ``HF_HUB_CACHE`` are respected) and raises
:class:`~zsavs.errors.MissingWeights` with the command to type where the files are not there.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import unquote, urlsplit

from zsavs.errors import MissingWeights, first_line
from zsavs.storage.completeness import FORMATS, is_whole, lacking
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
    "lacking_files",
    "locate",
]

#: Checkpoints inside the package are named after their folder in zsavs/data: "zsavs:nano/clap".
SHIPPED = "zsavs:"

#: Licences for research alone whose names do not say so.
_RESEARCH_ONLY = ("apple-amlr",)

#: What counts as weights where nobody says what the loader needs.
_ANY_WEIGHTS = (" | ".join(f"*{suffix}" for suffix in FORMATS),)


@dataclass(frozen=True)
class WeightCard:
    """What a checkpoint is, before and after it is on this machine.

    Args:
        source: hub repository ``org/name``; the address of a file (``https://...``); ``zsavs:nano/clap`` and the like
            for weights that ship with the package.
        licence: SPDX name of the weights' licence, or its own name where it has none.
        size_mb: size of the files to fetch in units of 10**6 bytes, as the parameters count it; 0 where it is not
            known. The size that is offered for a single file must be within 1 % of it.
        trained_on: the data the weights have seen, in a few words.
        revision: branch, tag or commit to fetch; replaced by the commit that was found when it is loaded.
        verified: where the licence was read; "from memory" asks the reader to look before relying on it.
        sha256: of a single file, 64 lowercase hexadecimal digits; what is fetched must have it, and a download that
            broke off goes on where it was. Loading does not compute it again.
        gate: what the owner of a gated repository asks for before anybody may fetch it, in a few words; "" where
            anybody may.
        terms: what a licence asks that has no SPDX name, in a sentence; "" where its name says all.
        files: what the loader needs of a repository or a folder, each a text as in
            :mod:`zsavs.storage.completeness`; empty where it is not known, and then any weights will do.
    """

    source: str
    licence: str
    size_mb: float
    trained_on: str
    revision: str = "main"
    verified: str = "model card"
    sha256: str = ""
    gate: str = ""
    terms: str = ""
    files: tuple[str, ...] = ()

    @property
    def is_restricted(self) -> bool:
        """Whether the licence keeps commercial users out, so that it has to be accepted before anything is fetched."""
        return "NC" in self.licence.upper().split("-") or self.licence.lower() in _RESEARCH_ONLY

    def as_dict(self) -> dict[str, str | float]:
        """Plain dictionary, for reports and ``result.meta``; without ``files``, and without ``sha256``, ``gate`` and
        ``terms`` where there are none."""
        values = {name: value for name, value in dataclasses.asdict(self).items() if name != "files"}
        return {name: value for name, value in values.items() if name not in ("sha256", "gate", "terms") or value}

    def at(self, folder: Path) -> WeightCard:
        """The card of what was found at ``folder``: its commit where the hub cache names it, else its path.

        Weights that ship with the package have the revision of the package. A file of the user's own has no checksum
        here, as loading does not compute it.
        """
        if self.source.startswith(SHIPPED):
            return dataclasses.replace(self, revision=f"zsavs {__version__}")
        if folder.parent.name == "snapshots":
            return dataclasses.replace(self, revision=folder.name)
        where = "local file" if folder.is_file() else "local folder"
        return dataclasses.replace(self, source=str(folder), revision=where, sha256="")


def format_mb(size_mb: float) -> str:
    """A size in units of 10**6 bytes as people read it, without the unit: "4803", "3.66"."""
    return f"{size_mb:.0f}" if size_mb >= 100 else f"{size_mb:.3g}"


def cache_folder() -> Path:
    """The hub cache that checkpoints are looked up in."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def locate(checkpoint: str | Path, revision: str = "main", files: Sequence[str] = ()) -> Path:
    """Find a checkpoint's folder on this machine, without any network access.

    Args:
        checkpoint: a local folder (or file), a hub repository ``org/name``, ``zsavs:...`` for one in the package, or
            the address of a single file; that is looked for by its name in the working folder, in ``.checkpoints``
            there, and in the hub cache's folder.
        revision: branch, tag or commit, for a hub repository.
        files: what a folder must hold to be taken (``WeightCard.files``).

    A file of an address is known by its name alone: its checksum was compared when it was fetched.

    Raises:
        MissingWeights: it is not here, or not all of it; the message names it, or the files that are lacking, and the
            command that fetches just them.
    """
    folder = _find(checkpoint, revision)
    if folder.is_dir() and (lacks := lacking(folder, files)):
        raise MissingWeights(f"{folder}: incomplete, it lacks {', '.join(lacks)}. {_complete(folder, lacks)}")
    return folder


def _complete(folder: Path, lacks: Sequence[str]) -> str:
    """What to do about a folder that lacks files: the cheapest that helps."""
    delete = "Delete what is empty. " if any(name.endswith("(empty)") for name in lacks) else ""
    if Path(str(resources.files("zsavs"))) in folder.parents:
        return "Install zsavs again."
    if repository := _repository_of(folder):
        return f"{delete}Fetch what is missing, and nothing else, with: zsavs download {repository}"
    return f"{delete}Copy what is missing into that folder, from where its other files are from."


def _find(checkpoint: str | Path, revision: str) -> Path:
    """The folder or the file of a checkpoint, whatever it holds."""
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


def is_local(checkpoint: str | Path, revision: str = "main", files: Sequence[str] = ()) -> bool:
    """Whether a checkpoint is here with all that its loader needs.

    Args:
        checkpoint, revision: as for :func:`locate`.
        files: as for :func:`locate`; where none are named, weights of any kind will do.

    What may not be looked at is not here.
    """
    return _lacks(checkpoint, revision, files) == []


def lacking_files(card: WeightCard) -> list[str] | None:
    """What a card's checkpoint lacks on this machine, as :func:`zsavs.storage.completeness.lacking` names it.

    Returns:
        Empty where it is here with all that its loader needs; None where nothing of it is.
    """
    return _lacks(card.source, card.revision, card.files)


def _lacks(checkpoint: str | Path, revision: str, files: Sequence[str]) -> list[str] | None:
    try:
        folder = _find(checkpoint, revision)
        if not folder.is_dir():
            return [] if is_whole(folder) else None
    except (MissingWeights, OSError):
        return None
    return lacking(folder, files or _ANY_WEIGHTS)


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
            if is_whole(place):
                return place
    raise MissingWeights(
        f"the weights {places[0]} are not on this machine, looked for {', '.join(map(str, places))}. Fetch them with: "
        f"zsavs download {address}  (it shows size and licence first), or get {address} and put it at {places[-1]}."
    )


def fetch_again(path: Path) -> str:
    """What to do about a checkpoint with a broken file, to end a message with.

    The hub's client does not look into a file that it has fetched already, so a broken one has to go first, and it
    alone: the others stay.

    Args:
        path: the broken file; or the checkpoint's folder, where nobody knows which it is.
    """
    repository = _repository_of(path)
    if not repository:
        what = "the whole checkpoint" if path.is_dir() else path.name
        return f"copy {what} there again, or fetch a checkpoint with: zsavs download NAME"
    if path.parent.name == "snapshots":
        return f"run: zsavs download {repository}  (it fetches what is missing, and says which file is broken, if any)"
    return f"delete {path.resolve()} and run: zsavs download {repository}  (the other files stay)"


def _repository_of(path: Path) -> str:
    """The repository whose snapshot in the hub cache a path is, or lies in; "" for any other path."""
    for folder in (path, *path.parents):
        if folder.parent.name == "snapshots":
            return folder.parents[1].name.removeprefix("models--").replace("--", "/", 1)
    return ""
