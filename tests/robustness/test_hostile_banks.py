"""Files of banks that mean harm, or are damaged: refused in a line, within bounds of memory."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from limits import bounded

from zsavs.calibration.user_bank import UserBank
from zsavs.errors import (
    InputError,
    WeightsError,
)
from zsavs.models.checkpoints import bank_beside


def npy(header: str, data: bytes = b"") -> bytes:
    """A file of numpy's with the header that we like."""
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode("latin-1") + data


def array(shape: str = "(3, 4)", kind: str = "<f4", data: bytes = bytes(48)) -> bytes:
    return npy(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}", data)


def archive(compression: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression, compresslevel=1) as folder:
        for name, data in members.items():
            folder.writestr(f"{name}.npy", data)
    return file.getvalue()


def kept(value: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(value))
    return file.getvalue()


BANK = {"kind": "sound_bank", "space": "toy", "source": "by hand"}
MEMBERS = {
    "about": kept(json.dumps({"format": 1, "banks": [BANK]})),
    "rows_0": kept(np.eye(3, 4, dtype=np.float32)),
    "answer_0": kept(np.eye(1, 4, dtype=np.float32)[0]),
}
NO_ARRAYS = {
    "empty": b"",
    "text": b"text",
    "an archive": archive(x=array()),
    "a header of terabytes": array("(1000000000000, 512)"),
    "a header of 38 GiB": array("(20000000, 512)"),
    "a header beyond all numbers": array("(9223372036854775807, 9223372036854775807)"),
    "many times nothing": array("(100000000000, 0)"),
    "no dimensions": array("(3, 0)", data=b""),
    "a negative length": array("(-1, 4)"),
    "cut off": array()[:-5],
    "half a header": npy("{'descr': '<f4', 'shape': (3, 4"),
    "an open quote": npy("'''"),
    "many brackets": npy("(" * 5_000 + ")" * 5_000),
    "another version": array().replace(b"NUMPY\1", b"NUMPY\x09"),
    "objects": array(kind="|O"),
    "complex": array(kind="<c8", data=bytes(96)),
    "dates": array(kind="<M8[s]", data=bytes(96)),
    "texts": array(kind="<U1"),
    "NaN": array(data=b"\xff" * 48),
}


@pytest.mark.parametrize("name", NO_ARRAYS)
def test_what_is_no_array_is_no_bank(name: str, tmp_path: Path) -> None:
    """Beside a checkpoint, as a whole file, and as any part of one: refused in one line."""
    (tmp_path / "sound_bank.npy").write_bytes(NO_ARRAYS[name])
    with pytest.raises(WeightsError, match=r"sound_bank\.npy: (cannot be read|expected finite rows)") as caught:
        bank_beside(tmp_path, "sound_bank")
    messages = [str(caught.value)]
    for content in (NO_ARRAYS[name], *(archive(**{**MEMBERS, part: NO_ARRAYS[name]}) for part in MEMBERS)):
        (tmp_path / "bank.npz").write_bytes(content)
        with pytest.raises(InputError, match=r"bank\.npz: cannot be read") as caught:
            UserBank(tmp_path)
        messages.append(str(caught.value))
    assert not [message for message in messages if "\n" in message]


@pytest.mark.parametrize(
    "about", [{"format": 1, "banks": 5}, {"banks": []}, [], {"format": 2}, {"format": 1, "banks": [7]}]
)
def test_a_bank_that_says_nothing_sensible_of_itself(about: Any, tmp_path: Path) -> None:
    (tmp_path / "bank.npz").write_bytes(archive(**{**MEMBERS, "about": kept(json.dumps(about))}))
    with pytest.raises(InputError, match=r"bank\.npz: "):
        UserBank(tmp_path)


def test_a_bank_with_one_damaged_byte_is_read_or_refused(tmp_path: Path) -> None:
    """In its tables, that is: those of the archive, and the headers of its arrays."""
    whole = archive(**MEMBERS)
    (tmp_path / "bank.npz").write_bytes(whole)
    assert UserBank(tmp_path).banks[0].rows.shape == (3, 4)
    refused = 0
    for place in range(len(whole)):
        (tmp_path / "bank.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            UserBank(tmp_path)
        except InputError:
            refused += 1
    assert refused > len(whole) / 2


@pytest.mark.parametrize("oddity", ["pipe", "device", "folder", "circle", "nowhere"])
def test_a_bank_is_a_file(oddity: str, oddities: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "bank.npz").symlink_to(oddities[oddity])
    with pytest.raises(InputError, match=r"bank\.npz: "):
        UserBank(tmp_path)


def test_a_bank_is_in_a_folder() -> None:
    for folder in (7, "~nobody-of-this-name/bank"):
        with pytest.raises(InputError, match=r"^bank: expected the folder of one"):
            UserBank(folder)  # type: ignore[arg-type]


def test_a_small_bank_takes_no_large_memory(tmp_path: Path) -> None:
    """Neither one that is compressed, nor one whose entries are each as large as the file, nor a sparse one."""
    rows = array("(33554432, 4)", data=bytes(2**29))
    (tmp_path / "bank.npz").write_bytes(archive(zipfile.ZIP_DEFLATED, **{**MEMBERS, "rows_0": rows}))
    del rows
    shared = archive(**{f"rows_{n}": b"\0" for n in range(50)})
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "bank.npz").write_bytes(
        shared.replace(struct.pack("<II", 1, 1), struct.pack("<II", *[2**31] * 2))
    )
    (tmp_path / "sparse").mkdir()
    with (tmp_path / "sparse" / "bank.npz").open("wb") as file:
        file.truncate(2**31)
    done = bounded(
        "for folder in sys.argv[1:]:\n"
        "    try:\n        UserBank(folder)\n    except InputError as error:\n        print(error)\n",
        *(tmp_path, tmp_path / "shared", tmp_path / "sparse"),
        imports="import sys; from zsavs.calibration.user_bank import UserBank; from zsavs.errors import InputError\n",
        mebibytes=256,
    )
    assert done.returncode == 0, done.stderr[-500:]
    compressed, shared_bytes, sparse = done.stdout.splitlines()
    assert "compressed, or claim more than the file holds" in compressed
    assert "claim more than the file holds" in shared_bytes
    assert "2147 MB, at most 1074 MB are read" in sparse
