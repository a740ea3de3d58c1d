"""Fetching checkpoints into the hub cache: from the network, or a mirror of the user's.

Only ``zsavs download`` asks for it, and ``zsavs demo`` after a yes.

``ZSAVS_MIRROR`` stands in place of the network for all that is fetched; where it is set, no other address is asked. It
is one of

- an address, ``http(s)://host/path``: a single file is fetched from ``http(s)://host/path/NAME``, and a hub repository
  as if that address were the hub's, as with ``HF_ENDPOINT``;
- a folder, which needs no network and so heeds no ``HF_HUB_OFFLINE``: the file ``NAME`` is copied from it. A hub
  repository is not copied into the hub's cache, as it has a layout of its own there; the error names the folder that
  can be given as checkpoint as it is.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from zsavs.errors import MissingWeights, WeightsError, first_line
from zsavs.storage.files import file_sha256, is_there
from zsavs.storage.single_file import fetch_file
from zsavs.storage.weights import (
    FORMATS,
    SHIPPED,
    WeightCard,
    cache_folder,
    fetch_again,
    format_mb,
    is_address,
    is_local,
    locate,
)

__all__ = ["check_blobs", "download", "files_to_fetch", "find_mirror"]

_WHOLE = re.compile(r"(open_clip_)?(pytorch_)?model\.\w+")
_SHARD = re.compile(r"(open_clip_)?(pytorch_)?model-\d+-of-\d+\.\w+")


def find_mirror() -> str | Path | None:
    """What ``ZSAVS_MIRROR`` names in place of the network: an address without a slash at its end, or a folder.

    Returns:
        None where it is not set, or empty.

    Raises:
        MissingWeights: it names neither.
    """
    named = os.environ.get("ZSAVS_MIRROR", "").strip()
    if not named:
        return None
    if named.startswith(("http://", "https://")):
        return named.rstrip("/")
    try:
        folder = Path(named).expanduser()
    except RuntimeError:  # a ~ without a home
        folder = Path(named)
    if not is_there(folder, folder=True):
        raise MissingWeights(
            f"ZSAVS_MIRROR={named}: no such folder. Set it to a folder that holds the files, or to an address that "
            f"begins with http:// or https://; or unset it, to fetch from the network."
        )
    return folder


def files_to_fetch(files: Sequence[str]) -> list[str]:
    """Choose, from a repository's files, the configuration and one copy of the weights.

    Repositories hold the same weights several times: for open_clip and for transformers, in several formats, in half
    precision, whole and in shards. Taken is open_clip's copy if there is one, as safetensors if there are any, and of
    those the plainly named file, or its shards.
    """
    top = [f for f in files if "/" not in f]
    weights = [f for f in top if f.endswith(FORMATS)]
    weights = [f for f in weights if f.startswith("open_clip")] or weights
    chosen = next((same for suffix in FORMATS if (same := [f for f in weights if f.endswith(suffix)])), [])
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
        MissingWeights: the hub, the server or the mirror cannot be reached, or has no such repository, revision or
            file.
        WeightsError: the licence is not accepted; the download broke off (no space left, for example): run it again,
            from a hub, and for a file with a checksum, it goes on where it was; a file has another checksum than on
            the hub or in the card; or another process is fetching the same file.
    """
    if card.source.startswith(SHIPPED):
        say(f"{card.source}: ships with zsavs, licence {card.licence}; nothing to fetch")
        return locate(card.source)
    size = f"about {format_mb(card.size_mb)} MB" if card.size_mb else "size unknown"
    say(f"{card.source} (revision {card.revision}): {size}, licence {card.licence} ({card.verified})")
    if card.is_restricted and not accept_license:
        raise WeightsError(
            f"{card.source}: nothing is fetched, as its licence {card.licence} allows non-commercial use only and has "
            f"to be accepted first; read it, and run the same command with --accept-license."
        )
    mirror = find_mirror()
    if is_address(card.source):
        return fetch_file(card, mirror, say)
    if isinstance(mirror, Path):
        return _find_beside(card, mirror)
    return _fetch_repository(card, mirror)


def _find_beside(card: WeightCard, mirror: Path) -> Path:
    """The repository in the hub cache, where it is; else the error that says what to do with the mirror's folder."""
    if is_local(card.source, card.revision):
        return locate(card.source, card.revision)
    places = [mirror / card.source, mirror / card.source.rpartition("/")[2]]
    found = next((place for place in places if is_local(place.absolute())), None)
    if found is None:
        raise MissingWeights(
            f"{card.source}: the mirror ZSAVS_MIRROR={mirror} has no weights of it, looked in "
            f"{' and '.join(map(str, places))}. Put a copy of the repository there, or unset ZSAVS_MIRROR to fetch it."
        )
    raise WeightsError(
        f"{card.source}: a repository is not copied from the folder of a mirror; use it where it is, and give "
        f"{found.absolute()} as checkpoint instead of the name {card.source}."
    )


def _fetch_repository(card: WeightCard, endpoint: str | None) -> Path:
    """Fetch a hub repository's configuration and weights from the hub, or from ``endpoint`` in its place."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        with _telemetry_off() if endpoint else contextlib.nullcontext():
            files = HfApi(endpoint=endpoint).list_repo_files(card.source, revision=card.revision)
            wanted = files_to_fetch(files)
            folder = snapshot_download(card.source, revision=card.revision, allow_patterns=wanted, endpoint=endpoint)
    except Exception as error:  # what a failed connection raises changes with the hub's HTTP library
        of_the_hub = (HfHubHTTPError, LocalEntryNotFoundError, ConnectionError, TimeoutError)
        if isinstance(error, OSError) and not isinstance(error, of_the_hub):
            raise WeightsError(
                f"{card.source}: the download broke off ({first_line(error)}). Free some space in {cache_folder()} or "
                f"set HF_HOME, then run the same command again; finished files are kept."
            ) from error
        network = f"the mirror ZSAVS_MIRROR={endpoint}" if endpoint else "the network"
        raise MissingWeights(
            f"{card.source}: could not be fetched ({first_line(error)}). Check the name and {network} "
            f"(HF_HUB_OFFLINE must be off), or copy the repository from another machine into {cache_folder()}."
        ) from error
    check_blobs(Path(folder))
    return Path(folder)


@contextlib.contextmanager
def _telemetry_off() -> Iterator[None]:
    """Keep the hub's client from asking the hub itself, for the sake of its telemetry, beside a mirror."""
    from huggingface_hub import constants

    before = constants.HF_HUB_DISABLE_TELEMETRY
    constants.HF_HUB_DISABLE_TELEMETRY = True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_TELEMETRY = before


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
        if re.fullmatch(r"[0-9a-f]{64}", name) and (found := file_sha256(path)) != name:
            raise WeightsError(
                f"{path}: its checksum is {found[:12]}..., the hub's file has {name[:12]}...; it was damaged on the "
                f"way or on the disk: {fetch_again(path)}"
            )
