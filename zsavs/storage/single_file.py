"""A checkpoint that is one file behind an address: fetched whole, checked, and gone on with after a break.

What comes is written to ``NAME.part`` beside the file (:mod:`zsavs.storage.partial`) and gets the file's name once it
is complete: its size, and its checksum where the card has one. After a break the next download asks the server for the
rest. With a checksum it does so in any case; without one only where the server can tell whether the file is still the
same, and otherwise it starts anew.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote

from zsavs.errors import MissingWeights, WeightsError, first_line
from zsavs.storage import partial
from zsavs.storage.files import file_sha256, open_regular
from zsavs.storage.partial import Mark
from zsavs.storage.weights import WeightCard, file_places, format_mb

__all__ = ["fetch_file"]

_BLOCK = 1 << 20
#: Seconds without a byte after which a server is given up.
_PATIENCE = 60


class _Incoming(NamedTuple):
    """Bytes on their way, where in the file they begin, and which file it is; its size is 0 where nobody says."""

    stream: Any
    start: int
    mark: Mark


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

    def open(self, start: int, known: Mark | None) -> _Incoming:
        """Ask for what comes after the first ``start`` bytes; the answer may be the whole file all the same.

        Args:
            known: the file that these bytes are of; where it is another one now, the whole file is sent.
        """
        from urllib.request import Request, urlopen

        if isinstance(self.origin, Path):
            try:
                file = open_regular(self.origin)
            except OSError as error:
                raise self.explain(error) from error
            return _Incoming(file, 0, Mark("", "", os.fstat(file.fileno()).st_size))
        wanted = {"Range": f"bytes={start}-", **({"If-Range": known.tag} if known else {})} if start else {}
        try:
            try:
                answer = urlopen(Request(self.origin, headers=wanted), timeout=_PATIENCE)
            except HTTPError as error:
                if not wanted or error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise
                answer = urlopen(Request(self.origin), timeout=_PATIENCE)
        except (OSError, HTTPException, ValueError, OverflowError) as error:  # the last two of an address that is none
            raise self.explain(error) from error
        begins = 0
        if answer.status == HTTPStatus.PARTIAL_CONTENT:
            given = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range") or "")
            begins = int(given[1]) if given else start
        said = answer.headers.get("Content-Length") or ""
        size = begins + int(said) if said.isdecimal() and int(said) else 0
        return _Incoming(answer, begins, Mark.of(self.origin, answer.headers, size))

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
        goes_on = self.card.sha256 or partial.recall(self.part)
        return "run the same command again" + (", and it goes on from there" if goes_on else "")

    @property
    def part(self) -> Path:
        """Where what comes is written until it is complete."""
        return self.path.with_name(f"{self.path.name}.part")

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
        say: called with a line where a download goes on after a break or waits for another one, and at the end.

    Returns:
        The file.

    Raises:
        MissingWeights: it cannot be reached, is not there, or HF_HUB_OFFLINE forbids it (a folder needs no network).
        WeightsError: the download broke off, it cannot be written, or it has another size or checksum than the card
            says; says what to do.
    """
    path = file_places(card.source)[-1]
    try:
        if path.is_file():
            _check_in_place(path, card.sha256)
            say(f"  {path.name}: here already{', checksum as on its card' if card.sha256 else ''}")
            return path
        sender = _Sender.of(card, mirror, path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.lock(sender.part, say) as file:
            try:
                if not path.is_file():  # another process may have finished it just now
                    found = _complete(file, sender, say)
                    partial.let_go(file)
                    sender.part.replace(path)
                    say(f"  {path.name}: {'checksum as on its card' if card.sha256 else f'whole, SHA-256 {found}'}")
            finally:
                partial.let_go(file)
                _tidy(sender)
    except OSError as error:  # of the disk; those of the network have been told
        needed = f"{format_mb(card.size_mb)} MB" if card.size_mb else "space"
        raise WeightsError(
            f"{path}: cannot be written ({first_line(error)}). The download needs {needed} in {path.parent}: free some "
            f"there, check the folder's permissions, or set HF_HOME; then run the same command again."
        ) from error
    return path


def _tidy(sender: _Sender) -> None:
    """Leave a part only where the next download can go on with it."""
    if not sender.part.exists():  # it has the file's name now
        partial.forget(sender.part)
    elif not sender.part.stat().st_size or not (sender.card.sha256 or partial.recall(sender.part)):
        sender.part.unlink()
        partial.forget(sender.part)


def _check_in_place(path: Path, sha256: str) -> None:
    if sha256 and (found := file_sha256(path)) != sha256:
        raise WeightsError(
            f"{path}: its checksum is {found[:12]}..., expected is {sha256[:12]}...; it is damaged or another file. "
            f"Delete it and run the same command again."
        )


def _complete(file: FileIO, sender: _Sender, say: Callable[[str], None]) -> str:
    """Write what the file lacks; its SHA-256. After an error it holds what came, or nothing if that is of no use."""
    from tqdm.auto import tqdm

    wanted, known = sender.card.sha256, partial.recall(sender.part)
    if wanted:
        known = None  # any server may send the rest
    elif known is None or known.origin != sender.origin:
        file.truncate(0)
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256")
    received = file.tell()
    if digest.hexdigest() == wanted:  # all had come, and it was only not given its name
        return wanted
    stream, start, mark = sender.open(received, known)
    if start not in (0, received) or (start and not wanted and not mark.goes_on_from(known)):
        stream.close()
        stream, start, mark = sender.open(0, None)
    with stream:
        sender.check_size(mark.size)
        if start:
            say(f"  going on after the {format_mb(received / 1e6)} MB that are here")
        else:
            if received:
                say(f"  starting anew: the {format_mb(received / 1e6)} MB that are here cannot be gone on with")
            file.truncate(0)
            digest, received = hashlib.sha256(), 0
            if mark.is_safe:
                partial.remember(sender.part, mark)
        bar = tqdm(
            total=mark.size or None,
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
    if mark.size and received != mark.size:
        raise WeightsError(
            f"{sender.origin}: the download broke off after {received} of {mark.size} bytes; {sender.again}, "
            f"{sender.by_hand}"
        )
    found = digest.hexdigest()
    if wanted and found != wanted:
        file.truncate(0)
        raise WeightsError(
            f"{sender.origin}: the checksum of what came is {found[:12]}..., expected is {wanted[:12]}...; it was "
            f"removed. Run the same command again; if that ends in the same way, {sender.elsewhere}"
        )
    return found
