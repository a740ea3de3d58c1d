"""A bank of a user's own files, in a folder, and encoders that are calibrated against it.

One file holds the embeddings that every encoder gave, so it is there complete or not at all. With each goes the
encoder's fingerprint (:func:`zsavs.calibration.bank.probe`): a bank of one model says nothing about another one,
and is never used with it.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsavs.calibration.bank import SAME_MODEL, Bank, probe
from zsavs.errors import ContractError, InputError, first_line
from zsavs.storage.array_file import read_arrays
from zsavs.storage.files import write_atomically

__all__ = ["KINDS", "EncoderBank", "UserBank"]

#: By role, the banks that its encoder is calibrated against.
KINDS = {"audio_text": ("sound_bank",), "image_text": ("picture_bank",), "joint": ("sound_bank", "picture_bank")}

_FILE = "bank.npz"
#: Version of the layout; a reader refuses one that it does not know.
_FORMAT = 1

#: Encoders with a user's bank, so that pipelines which share an encoder and a bank share their memos, too.
_twins: weakref.WeakValueDictionary[tuple[int, str], Any] = weakref.WeakValueDictionary()


@dataclass(frozen=True, eq=False)
class EncoderBank:
    """One encoder's embeddings of a user's files.

    Args:
        kind: "sound_bank" or "picture_bank".
        space: the encoder's.
        rows: (B, D) float32, unit rows, in the order of the files' names.
        answer: (D,) float32, the encoder's fingerprint.
        source: what it was computed from, in words.
    """

    kind: str
    space: str
    rows: NDArray[np.float32]
    answer: NDArray[np.float32]
    source: str

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that change with the embeddings."""
        return hashlib.sha256(self.rows.tobytes()).hexdigest()[:8]

    def belongs_to(self, answer: NDArray[np.float32]) -> bool:
        """Whether it is a bank of the encoder with this fingerprint."""
        return answer.shape == self.answer.shape and float(np.linalg.norm(answer - self.answer)) < SAME_MODEL


class UserBank:
    """The banks in a folder.

    Args:
        folder: what :meth:`write` made.

    Raises:
        InputError: there is no bank in it, or it cannot be read.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            self.path = Path(folder).expanduser() / _FILE
        except (TypeError, RuntimeError) as error:  # no path; a ~ without a home
            raise InputError(f"bank: expected the folder of one, got {folder!r:.60} ({first_line(error)}).") from error
        try:
            data = read_arrays(self.path)
            about = json.loads(str(data["about"]))
            if about["format"] != _FORMAT:
                raise InputError(f"{self.path}: written in format {about['format']!r:.40}; update zsavs.")
            self.banks = [
                EncoderBank(
                    kind=str(entry["kind"]),
                    space=str(entry["space"]),
                    rows=_rows(data[f"rows_{n}"]),
                    answer=_rows(data[f"answer_{n}"][None])[0],
                    source=str(entry["source"]),
                )
                for n, entry in enumerate(about["banks"])
            ]
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(
                f"{self.path}: there is no such bank; make one with: zsavs calibrate --out {folder}"
            ) from error
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(
                f"{self.path}: cannot be read ({first_line(error)}); compute it again: zsavs calibrate"
            ) from error

    @staticmethod
    def write(folder: str | os.PathLike[str], banks: Sequence[EncoderBank]) -> Path:
        """Write banks into a folder, in place of those that were there.

        Returns:
            The file. The same banks give the same bytes.

        Raises:
            OutputError: it cannot be written; what was there stays.
        """
        entries = [{"kind": bank.kind, "space": bank.space, "source": bank.source} for bank in banks]
        arrays: dict[str, Any] = {"about": np.array(json.dumps({"format": _FORMAT, "banks": entries}))}
        arrays |= {f"rows_{n}": bank.rows for n, bank in enumerate(banks)}
        arrays |= {f"answer_{n}": bank.answer for n, bank in enumerate(banks)}
        path = Path(folder).expanduser() / _FILE
        write_atomically(path, lambda file: np.savez(file, **arrays))
        return path

    def calibrated(self, component: Any, role: str) -> Any:
        """A twin of an encoder: the same model with the same memo, calibrated against the banks of this folder.

        What the folder has no bank for stays as it is: components of other roles, and kinds of banks that it lacks.

        Args:
            component: is not changed, for the pipelines that have no such bank.
            role: of the component.

        Raises:
            InputError: the folder has banks of the encoder's kind, and none of this encoder.
            ContractError: a part of another package that cannot be copied.
        """
        what = f"the {role} encoder"
        kinds = [kind for kind in KINDS.get(role, ()) if any(bank.kind == kind for bank in self.banks)]
        chosen = {kind: self._of(component, kind, what) for kind in kinds}
        if not chosen:
            return component
        key = id(component), " ".join(f"{kind} {bank.digest} {bank.source}" for kind, bank in chosen.items())
        if (known := _twins.get(key)) is not None:
            return known
        try:
            twin = copy.copy(component)
            for kind, bank in chosen.items():
                setattr(twin, kind, Bank(bank.rows, f"{bank.source}, digest {bank.digest}"))
            twin.calibrated_from = component  # keeps it alive, so that its id stays its own
            _twins[key] = twin
        except (AttributeError, TypeError) as error:
            raise ContractError(
                f"{what}: a bank cannot be given to a {type(component).__name__} ({error}); its class needs to allow "
                f"copy.copy and new attributes."
            ) from error
        return twin

    def _of(self, encoder: Any, kind: str, what: str) -> EncoderBank:
        """This encoder's bank of a kind."""
        answer = probe(encoder, kind)
        for bank in self.banks:
            if bank.kind == kind and bank.belongs_to(answer):
                return bank
        spaces = ", ".join(sorted({bank.space for bank in self.banks if bank.kind == kind}))
        raise InputError(
            f"{self.path}: was computed with {spaces}, and {what} is {encoder.space} or other weights of it; "
            f"run zsavs calibrate with this preset, or leave the bank out."
        )


def _rows(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Rows that were read, checked.

    Raises:
        ValueError: it is no table of finite numbers.
    """
    if rows.ndim != 2 or rows.dtype != np.float32 or not rows.size or not np.isfinite(rows).all():
        raise ValueError(f"expected finite float32 rows, found {rows.dtype} {rows.shape}")
    return rows
