"""Where checkpoints come from: weight cards, the hub cache, local folders. Knows no model by name.

Nothing here downloads unless :func:`download` is called, which only ``zsavs download`` and the user do. Loading a
model looks at a local folder or in the hub cache (``HF_HOME`` and ``HF_HUB_CACHE`` are respected) and raises
:class:`~zsavs.errors.MissingWeights` with the command to type where the files are not there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import BinaryIO
from urllib.error import URLError

from zsavs.errors import MissingWeights, OutputError, WeightsError, first_line
from zsavs.storage.files import write_atomically
from zsavs.version import __version__

__all__ = ["WeightCard", "cache_folder", "download", "fetch_again", "file_places", "is_local", "locate"]

#: Checkpoints inside the package are named after their folder in zsavs/data: "zsavs:nano/clap".
_SHIPPED = "zsavs:"

#: Formats of the same tensors, best first: one of them is fetched, never two.
_FORMATS = (".safetensors", ".bin", ".pt", ".pth")
_WHOLE = re.compile(r"(open_clip_)?(pytorch_)?model\.\w+")
_SHARD = re.compile(r"(open_clip_)?(pytorch_)?model-\d+-of-\d+\.\w+")


@dataclass(frozen=True)
class WeightCard:
    """What a checkpoint is, before and after it is on this machine.

    Args:
        source: hub repository ``org/name``; the address of a file (``https://...``); ``zsavs:nano/clap`` and the like
            for weights that ship with the package.
        licence: SPDX name of the weights' licence.
        size_mb: size of the files to fetch in units of 10**6 bytes, as the parameters count it.
        trained_on: the data the weights have seen, in a few words.
        revision: branch, tag or commit to fetch; replaced by the commit that was found when it is loaded.
        verified: where the licence was read; "from memory" asks the reader to look before relying on it.
    """

    source: str
    licence: str
    size_mb: int
    trained_on: str
    revision: str = "main"
    verified: str = "model card"

    @property
    def is_restricted(self) -> bool:
        """Whether the licence keeps commercial users out, so that it has to be accepted before anything is fetched."""
        return "NC" in self.licence.upper().split("-")

    def as_dict(self) -> dict[str, str | int]:
        """Plain dictionary, for reports and ``result.meta``."""
        return dataclasses.asdict(self)

    def at(self, folder: Path) -> WeightCard:
        """The card of the files found in ``folder``: its commit where the hub cache names it, else its path.

        Weights that ship with the package have the revision of the package.
        """
        if self.source.startswith(_SHIPPED):
            return dataclasses.replace(self, revision=f"zsavs {__version__}")
        if folder.parent.name == "snapshots":
            return dataclasses.replace(self, revision=folder.name)
        return dataclasses.replace(self, source=str(folder), revision="local folder")


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

    Raises:
        MissingWeights: it is not here; the message names it, the command that fetches it, and where to put it.
    """
    name = str(checkpoint)
    if name.startswith(_SHIPPED):
        shipped = Path(str(resources.files("zsavs"))) / "data" / name.removeprefix(_SHIPPED)
        if ".." in shipped.parts or not shipped.is_dir():
            raise MissingWeights(f"{name}: not in this installation of zsavs; install zsavs again.")
        return shipped
    if _is_address(name):
        return _locate_file(name)
    try:
        local = Path(checkpoint).expanduser()
        if local.exists():
            return local
    except (OSError, RuntimeError) as error:  # no permission to look, a name too long, a ~ without a home
        raise MissingWeights(f"{name}: cannot be looked at ({first_line(error)}); give another folder.") from error
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise MissingWeights(f"{name}: no such folder; give a folder made by save_pretrained, or a hub name org/name.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        # Asking for no file by name: the hub's client calls a snapshot incomplete that lacks any other file of its
        # repository, and of the same weights in several formats only one was fetched.
        return Path(snapshot_download(name, revision=revision, local_files_only=True, allow_patterns=[]))
    except (LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise MissingWeights(
            f"the weights {name} (revision {revision}) are not on this machine, looked in {cache_folder()}. "
            f"Fetch them with: zsavs download {name}  (it shows size and licence first), "
            f"or put a copy of the repository in a folder and give its path instead of the name."
        ) from error


def is_local(checkpoint: str | Path, revision: str = "main") -> bool:
    """Whether :func:`locate` finds weights: the folder is here and holds at least one weight file.

    What may not be looked at is not here.
    """
    try:
        folder = locate(checkpoint, revision)
        return folder.is_file() or any(path.suffix in _FORMATS for path in folder.iterdir())
    except (MissingWeights, OSError):
        return False


def _is_address(source: str) -> bool:
    return source.startswith("https://")


def file_places(address: str) -> list[Path]:
    """Where the file of an address is looked for; the last place is where :func:`download` puts it."""
    name = address.rpartition("/")[2]
    return [Path(name), Path(".checkpoints") / name, cache_folder() / name]


def _locate_file(address: str) -> Path:
    places = file_places(address)
    for place in places:
        with contextlib.suppress(OSError):  # a folder that may not be looked into
            if place.is_file():
                return place
    raise MissingWeights(
        f"the weights {places[0]} are not on this machine, looked for {', '.join(map(str, places))}. Get {address} "
        f"and put it at {places[-1]}."
    )


def _download_file(card: WeightCard) -> Path:
    """Fetch a single file, complete or not at all; what comes is not looked into, and must have the size expected."""
    from http.client import HTTPException
    from urllib.request import urlopen

    from huggingface_hub import constants
    from tqdm import tqdm

    path = file_places(card.source)[-1]
    if path.is_file():
        return path
    by_hand = f"or get {card.source} on another machine and put it at {path}."
    if constants.HF_HUB_OFFLINE:
        raise MissingWeights(f"{card.source}: could not be fetched (HF_HUB_OFFLINE is on). Turn it off, {by_hand}")

    def copy(file: BinaryIO) -> None:
        with urlopen(card.source, timeout=60) as answer:
            expected = int(answer.headers.get("Content-Length") or 0)
            # The card counts in units of 10**6 bytes, as the parameters do; the file's own index comes on top.
            if card.size_mb and not 0.99 <= expected / (card.size_mb * 1e6) <= 1.01:
                raise WeightsError(
                    f"{card.source}: the server offers {expected} bytes, about {card.size_mb} MB are expected; it is "
                    f"another file than it was. Nothing was fetched."
                )
            received = 0
            with tqdm(total=expected, unit="B", unit_scale=True, desc=path.name, delay=1, disable=None) as bar:
                while block := answer.read(1 << 20):
                    file.write(block)
                    received += len(block)
                    bar.update(len(block))
            if received != expected:
                raise WeightsError(
                    f"{card.source}: the download broke off after {received} of {expected} bytes; run the same "
                    f"command again, {by_hand}"
                )

    try:
        write_atomically(path, copy)
    except OutputError as error:
        # The connection's errors are the system's errors, and so are a full disk's.
        cause = error.__cause__
        if isinstance(cause, (URLError, ConnectionError, TimeoutError)):
            raise MissingWeights(
                f"{card.source}: could not be fetched ({first_line(cause)}). Check the network, {by_hand}"
            ) from error
        raise WeightsError(f"{error} The download needs {card.size_mb} MB in {path.parent}.") from error
    except HTTPException as error:
        raise WeightsError(
            f"{card.source}: the download broke off ({first_line(error)}); run the same command again, {by_hand}"
        ) from error
    return path


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


def files_to_fetch(files: Sequence[str]) -> list[str]:
    """Choose, from a repository's files, the configuration and one copy of the weights.

    Repositories hold the same weights several times: for open_clip and for transformers, in several formats, in half
    precision, whole and in shards. Taken is open_clip's copy if there is one, as safetensors if there are any, and of
    those the plainly named file, or its shards.
    """
    top = [f for f in files if "/" not in f]
    weights = [f for f in top if f.endswith(_FORMATS)]
    weights = [f for f in weights if f.startswith("open_clip")] or weights
    chosen = next((same for suffix in _FORMATS if (same := [f for f in weights if f.endswith(suffix)])), [])
    whole = [f for f in chosen if _WHOLE.fullmatch(f)][:1]
    shards = [f for f in chosen if _SHARD.fullmatch(f)]
    small = [f for f in top if f.endswith((".json", ".txt", ".model", ".jinja"))]
    return sorted([*(whole or shards or chosen), *small])


def download(card: WeightCard, say: Callable[[str], None] = print, *, accept_license: bool = False) -> Path:
    """Fetch a checkpoint into the hub cache, after telling its size and licence.

    Args:
        card: what to fetch; ``card.source`` is the hub repository, or the address of a file.
        say: called with each line to show.
        accept_license: the user has read and accepts a licence that is non-commercial; others need no such word.

    Raises:
        MissingWeights: the hub cannot be reached, or has no such repository or revision.
        WeightsError: the licence is not accepted; the download broke off (no space left, for example): run it again,
            from a hub it goes on where it was; or a file has another checksum than on the hub.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if card.source.startswith(_SHIPPED):
        say(f"{card.source}: ships with zsavs, licence {card.licence}; nothing to fetch")
        return locate(card.source)
    size = f"about {card.size_mb} MB" if card.size_mb else "size unknown"
    say(f"{card.source} (revision {card.revision}): {size}, licence {card.licence} ({card.verified})")
    if card.is_restricted and not accept_license:
        raise WeightsError(
            f"{card.source}: nothing is fetched, as its licence {card.licence} allows non-commercial use only and has "
            f"to be accepted first; read it, and run the same command with --accept-license."
        )
    if _is_address(card.source):
        return _download_file(card)
    try:
        wanted = files_to_fetch(HfApi().list_repo_files(card.source, revision=card.revision))
        folder = Path(snapshot_download(card.source, revision=card.revision, allow_patterns=wanted))
    except Exception as error:  # what a failed connection raises changes with the hub's HTTP library
        of_the_hub = (HfHubHTTPError, LocalEntryNotFoundError, ConnectionError, TimeoutError)
        if isinstance(error, OSError) and not isinstance(error, of_the_hub):
            raise WeightsError(
                f"{card.source}: the download broke off ({first_line(error)}). Free some space in {cache_folder()} or "
                f"set HF_HOME, then run the same command again; finished files are kept."
            ) from error
        raise MissingWeights(
            f"{card.source}: could not be fetched ({first_line(error)}). Check the name and the network "
            f"(HF_HUB_OFFLINE must be off), or copy the repository from another machine into {cache_folder()}."
        ) from error
    check_blobs(folder)
    return folder


def check_blobs(folder: Path) -> None:
    """Compare the files of a snapshot in the hub cache with their checksums.

    The hub names a large file by its SHA-256, and so does its client in the cache; files that are not named so are
    small texts, and are left alone.

    Args:
        folder: of the snapshot, with links to the files.

    Raises:
        WeightsError: a file holds something else than its name says; naming it and the remedy.
    """
    for path in sorted(folder.glob("*")):
        name = path.resolve().name
        if not re.fullmatch(r"[0-9a-f]{64}", name):
            continue
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != name:
            raise WeightsError(
                f"{path}: its checksum is {found[:12]}..., the hub's file has {name[:12]}...; it was damaged on the "
                f"way or on the disk: {fetch_again(path)}"
            )
