"""A repository on the hub, or on a mirror of it: what it lists, and its files, fetched one after the other.

The hub's client fetches one file, complete or not at all, and goes on after a break for as long as its process lives.
What it leaves to others is here. Small files come first, so that weights never lie there without their vocabulary. A
server that is busy is asked again. A file that is here is not asked for. Every file is compared with its checksum, and
one that has another is removed, as the client looks into no file that it has.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from zsavs.errors import MissingWeights, WeightsError
from zsavs.storage.completeness import FORMATS, lacking
from zsavs.storage.files import file_sha256, write_atomically
from zsavs.storage.hub_errors import explained, may_pass
from zsavs.storage.weights import WeightCard, cache_folder, format_mb

__all__ = ["Listing", "RemoteFile", "fetch_repository", "files_to_fetch", "list_repository"]

_Answer = TypeVar("_Answer")

_WHOLE = re.compile(r"(open_clip_)?(pytorch_)?model\.\w+")
_SHARD = re.compile(r"(open_clip_)?(pytorch_)?model-\d+-of-\d+\.\w+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_CHECKSUM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

#: Seconds before a server that is busy, or went away in the middle of a file, is asked again.
_WAITS_S = (1.0, 2.0, 4.0)
#: What the client leaves behind where it is killed has a name that it does not use again; so old, nobody writes to it.
_ABANDONED_S = 3600


class RemoteFile(NamedTuple):
    """A file as the hub lists it: its size in bytes, 0 where nobody says, and its checksum, "" where nobody says.

    The checksum is the SHA-256 of a large file, and git's SHA-1 of a small one.
    """

    size: int
    checksum: str


@dataclass(frozen=True)
class Listing:
    """What the hub says of a repository at one commit.

    Args:
        card: whose repository it is.
        endpoint: the address that was asked in place of the hub's; None for the hub.
        commit: 40 hexadecimal digits.
        files: the files to fetch by name, in the order in which they are fetched: small ones first.
        licence: the licence tag of its page; "" without one.
        gated: whether its owner has to let people in.
    """

    card: WeightCard
    endpoint: str | None
    commit: str
    files: Mapping[str, RemoteFile]
    licence: str = ""
    gated: bool = False

    @property
    def root(self) -> Path:
        """The repository's folder in the hub cache."""
        return cache_folder() / f"models--{self.card.source.replace('/', '--')}"

    @property
    def folder(self) -> Path:
        """Where the files of this commit are in the hub cache."""
        return self.root / "snapshots" / self.commit

    def missing(self) -> dict[str, RemoteFile]:
        """The files that are not on this machine, neither at this commit nor, by their checksum, at another."""
        return {
            name: file
            for name, file in self.files.items()
            if not (self.folder / name).is_file()
            and not (file.checksum and (self.root / "blobs" / file.checksum).is_file())
        }


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


def list_repository(card: WeightCard, endpoint: str | None = None) -> Listing:
    """Ask the hub what a repository holds; fetches nothing.

    Args:
        card: its ``source`` is the repository, its ``revision`` the branch, tag or commit.
        endpoint: an address in place of the hub's.

    Raises:
        MissingWeights: the hub cannot be reached, has no such repository or revision, or keeps it from this user.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        with _telemetry_off(endpoint):
            info = _patiently(
                lambda: HfApi(endpoint=endpoint).model_info(card.source, revision=card.revision, files_metadata=True),
                HfHubHTTPError,
            )
    except Exception as error:  # what a failed connection raises changes with the hub's HTTP library
        raise explained(error, card, endpoint) from error
    if not info.sha:
        raise MissingWeights(
            f"{card.source}: {endpoint} names no commit of it, so it does not answer as the hub does; set "
            f"ZSAVS_MIRROR to the address of a mirror that does, or unset it."
        )
    listed = {
        file.rfilename: RemoteFile(file.size or 0, (file.lfs.sha256 if file.lfs else file.blob_id) or "")
        for file in info.siblings or []
    }
    # Where sizes are not told, what holds the weights is large.
    order = sorted(files_to_fetch(list(listed)), key=lambda name: (name.endswith(FORMATS), listed[name].size, name))
    licence = next((tag.removeprefix("license:") for tag in info.tags or [] if tag.startswith("license:")), "")
    return Listing(card, endpoint, info.sha, {name: listed[name] for name in order}, licence, bool(info.gated))


def fetch_repository(listing: Listing, say: Callable[[str], None] = print) -> Path:
    """Fetch the files of a listing that are not here into the hub cache, and compare all with their checksums.

    Args:
        say: called with a line for each file where no terminal shows a bar, and one with what was compared.

    Returns:
        The folder of the snapshot.

    Raises:
        MissingWeights: as :func:`list_repository`, a file could not be fetched, or the hub lacks one that the card
            needs; finished files are kept.
        WeightsError: the disk is full or may not be written to, or a file had another checksum than on the hub.
    """
    _remove_abandoned(listing.root / "blobs")
    # At once where there is nothing to lose, so that an unfinished checkpoint is known to be one; else at the end, so
    # that a newer commit takes the place of an older one when all of it is here.
    reference = listing.root / "refs" / listing.card.revision
    if not reference.exists():
        _refer(reference, listing.commit)
    compared = _compare(listing, list(listing.files))
    for words in compared.removed:
        say(f"  {listing.card.source}: damaged, and removed to be fetched again: {words}")
    fetched = [name for name in listing.files if not (listing.folder / name).is_file()]
    for name in fetched:
        if sys.stderr is None or not sys.stderr.isatty():
            size = listing.files[name].size
            say(f"  {listing.card.source}/{name}{f', {_readable(size)}' if size else ''}")
        _fetch(listing, name)
    came = _compare(listing, fetched)
    if came.removed:
        raise WeightsError(
            f"{listing.card.source}: damaged on the way, and removed: {', '.join(came.removed)}. Run the same command "
            f"again; it fetches nothing else."
        )
    say(
        f"  {listing.card.source}: {compared.sound + came.sound} of {len(listing.files)} files have the hub's checksums"
    )
    if lacks := lacking(listing.folder, listing.card.files):
        raise MissingWeights(
            f"{listing.card.source}: its commit {listing.commit[:12]} on the hub has no {', '.join(lacks)}, which this "
            f"version of zsavs needs; look for a newer one. All that there is was fetched, and is kept."
        )
    _refer(reference, listing.commit)
    return listing.folder


def _fetch(listing: Listing, name: str) -> None:
    """Fetch one file; what is whole stays, whatever happens to others."""
    from huggingface_hub import hf_hub_download

    source, endpoint = listing.card.source, listing.endpoint
    try:
        with _telemetry_off(endpoint):
            _patiently(
                lambda: hf_hub_download(source, name, revision=listing.commit, endpoint=endpoint),
                Exception,
            )
    except Exception as error:
        raise explained(error, listing.card, endpoint, name) from error


def _patiently(ask: Callable[[], _Answer], kind: type[Exception]) -> _Answer:
    """Ask, and ask again after a while where an error of a kind is one that may pass."""
    for wait in _WAITS_S:
        try:
            return ask()
        except kind as error:
            if not may_pass(error):
                raise
        time.sleep(wait)
    return ask()


def _refer(reference: Path, commit: str) -> None:
    """Let a branch or a tag name a commit in the hub cache; a commit needs no other name."""
    if not _COMMIT.fullmatch(reference.name):
        write_atomically(reference, lambda file: file.write(commit.encode()))


def _remove_abandoned(blobs: Path) -> None:
    """Remove what a killed download left in the middle of a file, gigabytes at times, and which nobody goes on with."""
    with contextlib.suppress(OSError):  # another process removes them too
        for path in blobs.glob("*.incomplete"):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()


@contextlib.contextmanager
def _telemetry_off(endpoint: str | None) -> Iterator[None]:
    """Keep the hub's client from asking the hub itself, for the sake of its telemetry, beside a mirror."""
    from huggingface_hub import constants

    before = constants.HF_HUB_DISABLE_TELEMETRY
    constants.HF_HUB_DISABLE_TELEMETRY = before or bool(endpoint)
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_TELEMETRY = before


def _readable(size: int) -> str:
    """A size in bytes as people read it."""
    return f"{size} bytes" if size < 100_000 else f"{format_mb(size / 1e6)} MB"


class _Compared(NamedTuple):
    """How many files had the checksum that they should, and in words those that had another and were removed."""

    sound: int
    removed: list[str]


def _compare(listing: Listing, names: Iterable[str]) -> _Compared:
    """Compare files of a snapshot with their checksums, and remove those that have another.

    A snapshot holds links to files that are named by their checksum: the SHA-256 of a large file, git's SHA-1 of a
    small one. Where a server has other names, the listing's checksum counts. A file of the user's own, put in place of
    a link, is left alone.
    """
    sound, removed = 0, []
    for path in [listing.folder / name for name in names]:
        if not (path.is_symlink() and path.is_file()):
            continue
        name = path.readlink().name  # not resolved: the client may share what the link leads to, under another name
        expected = name if _CHECKSUM.fullmatch(name) else listing.files[path.name].checksum
        found = _checksums(path, expected) if expected else ()
        if expected in found:
            sound += 1
        elif found:
            size = _readable(path.stat().st_size)
            removed.append(f"{path.name} ({size}, checksum {found[0][:12]}..., the hub's {expected[:12]}...)")
            _remove_with_blob(path)
    return _Compared(sound, removed)


def _checksums(path: Path, expected: str) -> tuple[str, ...]:
    """The checksums of a file that may be meant by one of that length; mirrors may know SHA-1 without git's header."""
    if len(expected) == 64:
        return (file_sha256(path),)
    git = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    plain = hashlib.sha1(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            git.update(block)
            plain.update(block)
    return git.hexdigest(), plain.hexdigest()


def _remove_with_blob(link: Path) -> None:
    """Remove a file of a snapshot with all that its link leads over."""
    while link.is_symlink():
        target = Path(os.path.normpath(link.parent / link.readlink()))
        link.unlink()
        link = target
    link.unlink(missing_ok=True)
