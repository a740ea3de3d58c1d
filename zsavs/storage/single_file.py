"""A checkpoint that is one file behind an address: fetched whole, checked, and gone on with after a break.

What comes is written to ``NAME.part`` beside the file, which a lock keeps for one process alone, and gets the file's
name once it is complete: its size, and its checksum where the card has one. With a checksum ``NAME.part`` stays after a
break, and the next download asks the server for the rest; without one a wrong join would go unnoticed, and it starts
anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.client import HTTPException
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote

from zsavs.errors import MissingWeights, WeightsError, first_line
from zsavs.storage.files import file_sha256, open_regular
from zsavs.storage.weights import WeightCard, file_places, format_mb

__all__ = ["fetch_file"]

_BLOCK = 1 << 20
#: Seconds without a byte after which a server is given up.
_PATIENCE = 60


class _Incoming(NamedTuple):
    """Bytes on their way, where in the file they begin, and the size of the whole file: 0 where nobody says."""

    stream: Any
    start: int
    size: int


class _Sender(NamedTuple):
    """Where a file comes from, and what to do where that fails."""

    card: WeightCard
    #: An address, or a file in a mirror's folder.
    origin: str | Path
    #: Where the file goes.
    path: Path

    @classmethod
    def of(cls, card: WeightCard, mirror: str | Path | None, path: Path) -> _Sender:
        """The mirror where there is one, else the card's address, which HF_HUB_OFFLINE may forbid."""
        from huggingface_hub import constants

        if isinstance(mirror, Path):
            return cls(card, mirror / path.name, path)
        sender = cls(card, f"{mirror}/{quote(path.name)}" if mirror else card.source, path)
        if constants.HF_HUB_OFFLINE:
            raise MissingWeights(
                f"{sender.origin}: could not be fetched (HF_HUB_OFFLINE is on). Turn it off, {sender.by_hand}"
            )
        return sender

    def open(self, start: int) -> _Incoming:
        """Ask for what comes after the first ``start`` bytes; the answer may be the whole file all the same."""
        from urllib.request import Request, urlopen

        try:
            if isinstance(self.origin, Path):
                file = open_regular(self.origin)
                return _Incoming(file, 0, os.fstat(file.fileno()).st_size)
            whole = Request(self.origin)
            rest = Request(self.origin, headers={"Range": f"bytes={start}-"}) if start else whole
            try:
                answer = urlopen(rest, timeout=_PATIENCE)
            except HTTPError as error:
                if rest is whole or error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise
                answer = urlopen(whole, timeout=_PATIENCE)
        except (OSError, HTTPException, ValueError, OverflowError) as error:  # the last two of an address that is none
            raise self.explain(error) from error
        begins = start if answer.status == HTTPStatus.PARTIAL_CONTENT else 0
        said = answer.headers.get("Content-Length") or ""
        length = int(said) if said.isdecimal() else 0
        return _Incoming(answer, begins, begins + length if length else 0)

    def read(self, stream: Any) -> bytes:
        """The next block of what :meth:`open` gave; empty at the end."""
        try:
            return bytes(stream.read(_BLOCK))
        except (OSError, HTTPException) as error:
            raise self.explain(error) from error

    def check_size(self, size: int) -> None:
        """Refuse a size that cannot be right, before anything is written or thrown away."""
        # The card counts in units of 10**6 bytes, as the parameters do; the file's own index comes on top.
        fits = not self.card.size_mb or 0.99 <= size / (self.card.size_mb * 1e6) <= 1.01
        if fits if size else self.card.sha256:
            return
        expected = f"about {format_mb(self.card.size_mb)} MB" if self.card.size_mb else "more"
        raise WeightsError(
            f"{self.origin} offers {size} bytes, {expected} are expected; it is another file than it was. "
            f"Nothing was fetched; {self.elsewhere}"
        )

    def explain(self, error: Exception) -> WeightsError:
        """An error of whoever sends, as one that says what to do."""
        reason = first_line(error)
        if isinstance(error, FileNotFoundError) or (
            isinstance(error, HTTPError) and error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
        ):
            return MissingWeights(f"{self.origin}: there is no such file ({reason}); {self.elsewhere}")
        if isinstance(error, HTTPException):
            return WeightsError(f"{self.origin}: the download broke off ({reason}); {self.again}, {self.by_hand}")
        check = "the network" if self.origin == self.card.source else "ZSAVS_MIRROR"
        return MissingWeights(
            f"{self.origin}: could not be fetched ({reason}). Check {check} and {self.again}, {self.by_hand}"
        )

    @property
    def again(self) -> str:
        return "run the same command again" + (", and it goes on from there" if self.card.sha256 else "")

    @property
    def by_hand(self) -> str:
        return f"or get {self.card.source} on another machine and put it at {self.path}."

    @property
    def elsewhere(self) -> str:
        """What to do where the file is not, or is another one."""
        if self.origin == self.card.source:
            return f"look for a newer zsavs, {self.by_hand}"
        return f"put {self.card.source} there, or unset ZSAVS_MIRROR to fetch it from its own address."


def fetch_file(card: WeightCard, mirror: str | Path | None = None, say: Callable[[str], None] = print) -> Path:
    """Fetch a single file into the hub cache's folder, complete or not at all.

    Args:
        card: its ``source`` is the file's address. A file that is there already is not fetched again; its checksum is
            compared, where the card has one.
        mirror: in place of the address: another one, which the file's name is put behind, or a folder that holds it.
        say: called with a line where a download goes on after a break.

    Returns:
        The file.

    Raises:
        MissingWeights: it cannot be reached, is not there, or HF_HUB_OFFLINE forbids it (a folder needs no network).
        WeightsError: the download broke off, another process is at it, it cannot be written, or it has another size or
            checksum than the card says; says what to do.
    """
    path = file_places(card.source)[-1]
    part = path.with_name(f"{path.name}.part")
    try:
        if path.is_file():
            _check_in_place(path, card.sha256)
            return path
        sender = _Sender.of(card, mirror, path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(part) as file:
            try:
                if not path.is_file():  # another process may have finished it just now
                    _complete(file, sender, say)
                    part.replace(path)
            finally:
                with contextlib.suppress(FileNotFoundError):  # it has the file's name now
                    if not card.sha256 or not part.stat().st_size:
                        part.unlink()
    except OSError as error:  # of the disk; those of the network have been told
        needed = f"{format_mb(card.size_mb)} MB" if card.size_mb else "space"
        raise WeightsError(
            f"{path}: cannot be written ({first_line(error)}). The download needs {needed} in {path.parent}: free some "
            f"there, check the folder's permissions, or set HF_HOME; then run the same command again."
        ) from error
    return path


def _check_in_place(path: Path, sha256: str) -> None:
    if sha256 and (found := file_sha256(path)) != sha256:
        raise WeightsError(
            f"{path}: its checksum is {found[:12]}..., expected is {sha256[:12]}...; it is damaged or another file. "
            f"Delete it and run the same command again."
        )


@contextlib.contextmanager
def _locked(part: Path) -> Iterator[FileIO]:
    """The file that is written to, for this process alone; unbuffered, so that what came is there if we are killed."""
    for _ in range(100):
        with part.open("a+b", buffering=0) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise WeightsError(
                    f"{part}: another process is fetching this file; wait for it, then run the same command again."
                ) from error
            # Whoever had the lock before may have given this file its final name, or removed it.
            if part.exists() and os.path.samestat(os.fstat(file.fileno()), part.stat()):
                yield file
                return
    raise WeightsError(
        f"{part}: it comes and goes; stop other downloads of this file, then run the same command again."
    )


def _complete(file: FileIO, sender: _Sender, say: Callable[[str], None]) -> None:
    """Write what the file lacks; after an error it holds what came, or nothing if that is of no use."""
    from tqdm import tqdm

    wanted = sender.card.sha256
    if not wanted:
        file.truncate(0)
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256")
    received = file.tell()
    if digest.hexdigest() == wanted:  # all had come, and it was only not given its name
        return
    stream, start, size = sender.open(received)
    with stream:
        sender.check_size(size)
        if received and start:
            say(f"  going on after the {format_mb(received / 1e6)} MB that are here")
        elif received:
            say(f"  starting anew: the {format_mb(received / 1e6)} MB that are here cannot be gone on with")
            file.truncate(0)
            digest, received = hashlib.sha256(), 0
        bar = tqdm(
            total=size or None,
            initial=received,
            unit="B",
            unit_scale=True,
            desc=sender.path.name,
            delay=1,
            disable=None,
        )
        with bar:
            while block := sender.read(stream):
                rest = memoryview(block)
                while rest:  # a disk that is nearly full takes a part of it
                    rest = rest[file.write(rest) :]
                digest.update(block)
                received += len(block)
                bar.update(len(block))
    if size and received != size:
        raise WeightsError(
            f"{sender.origin}: the download broke off after {received} of {size} bytes; {sender.again}, "
            f"{sender.by_hand}"
        )
    found = digest.hexdigest()
    if wanted and found != wanted:
        file.truncate(0)
        raise WeightsError(
            f"{sender.origin}: the checksum of what came is {found[:12]}..., expected is {wanted[:12]}...; it was "
            f"removed. Run the same command again; if that ends in the same way, {sender.elsewhere}"
        )
