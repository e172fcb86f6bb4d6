# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gzip file unpacked as a stream: the same bytes as gzip's own, and never more than was allowed."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import tracemalloc
import zlib
from pathlib import Path
from typing import List, Optional

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._formats.gzip_reader import Gunzip
from hypothesis import given
from hypothesis import strategies as st

MIB = 1024 * 1024


def opened(packed: bytes, most: int = 64 * MIB, ratio: int = 10_000, ratio_from: int = 0) -> Gunzip:
    return Gunzip(io.BytesIO(packed), "x.tar.gz", most=most, ratio=ratio, ratio_from=ratio_from)


def unpacked(stream: Gunzip, step: int = 700_001) -> bytes:
    pieces = list(iter(lambda: stream.read(step), b""))
    assert all(len(piece) == step for piece in pieces[:-1]), "only the last piece may be shorter"
    stream.finish()
    return b"".join(pieces)


def refusal(packed: bytes, **limits: int) -> str:
    with pytest.raises(OperatorError) as error:
        unpacked(opened(packed, **limits))
    assert "x.tar.gz" in str(error.value)
    assert error.value.remedy
    return str(error.value)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.integers(1, 400), st.integers(0, 20))
def test_reads_what_gzip_wrote(parts: List[bytes], step: int, padding: int) -> None:
    packed = b"".join(gzip.compress(part) for part in parts) + bytes(padding)
    stream = opened(packed)
    assert unpacked(stream, step) == b"".join(parts) == gzip.decompress(packed)
    assert stream.sha256 == hashlib.sha256(packed).hexdigest()


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 3 * MIB + 7])
@pytest.mark.parametrize("level", [0, 9])
def test_reads_large_files(size: int, level: int) -> None:
    noise = random.Random(1).randbytes(size // 2)
    content = noise + bytes(size - len(noise))
    assert unpacked(opened(gzip.compress(content, level))) == content


@pytest.mark.parametrize(
    ("packed", "told"),
    [
        (b"", "an empty file"),
        (b"\x1f", "begins with"),
        (b"<!DOCTYPE html><html>Sign in</html>", "HTML"),
        (b"\n <html>", "HTML"),
        (b"PK\x03\x04 etc.", "a zip archive"),
        (bytes(257) + b"ustar\0", "a plain tar archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "version https://"),
    ],
)
def test_says_what_it_is_instead(packed: bytes, told: str) -> None:
    message = refusal(packed)
    assert "not a gzip file" in message
    assert told in message


def test_every_truncation_is_refused() -> None:
    packed = gzip.compress(b"some content, " * 5)
    for length in range(2, len(packed)):
        assert "truncated" in refusal(packed[:length])
    assert "truncated" in refusal(packed + packed[:12])


def test_damage_is_refused() -> None:
    packed = bytearray(gzip.compress(b"some content"))
    packed[-6] ^= 1  # the checksum
    assert "damaged" in refusal(bytes(packed))
    assert "damaged" in refusal(b"\x1f\x8b\x07" + bytes(20))
    assert "behind the end" in refusal(gzip.compress(b"a") + b"<html>")
    assert "behind the end" in refusal(gzip.compress(b"a") + b"\x1f")
    assert "behind the end" in refusal(gzip.compress(b"a") + bytes(70_000) + b"\x1f\x8c")


def test_two_members_with_a_border_at_every_place() -> None:
    """The border between two members may fall on any border between two reads."""
    tail = gzip.compress(b"tail")
    for size in range(65536 - len(tail) - 40, 65536):
        head = gzip.compress(bytes(1), 0)
        name = b"n" * (size - len(head) - 1)  # a header with a file name of the wanted length
        header = head[:3] + b"\x08" + head[4:10] + name + b"\0" + head[10:]
        assert len(header) == size
        assert unpacked(opened(header + tail)) == b"\0tail"


def test_limits_hold() -> None:
    bomb = gzip.compress(bytes(8 * MIB))
    assert "too large a size" in refusal(bomb, most=8 * MIB - 1)
    assert "too large a size" in refusal(bomb, ratio=200)
    assert "too large a size" in refusal(bomb, ratio=200, ratio_from=8 * MIB - 1)
    assert unpacked(opened(bomb, most=8 * MIB)) == bytes(8 * MIB)
    assert unpacked(opened(bomb, ratio=200, ratio_from=8 * MIB)) == bytes(8 * MIB)
    stream = opened(bomb, most=8 * MIB)
    stream.read(10)
    stream.expect(8 * MIB - 10)
    with pytest.raises(OperatorError, match="too large a size"):
        stream.expect(8 * MIB - 9)


def test_what_nobody_reads_counts_too() -> None:
    stream = opened(gzip.compress(bytes(8 * MIB)), most=2 * MIB)
    stream.read(10)
    with pytest.raises(OperatorError, match="too large a size"):
        stream.finish()


def test_a_bomb_costs_no_memory() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join([packer.compress(bytes(MIB)) for _ in range(200)] + [packer.flush()])
    tracemalloc.start()
    try:
        with pytest.raises(OperatorError, match="too large a size"):
            opened(bomb, most=150 * MIB).finish()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MIB


def test_endless_empty_members_are_refused() -> None:
    empty = gzip.compress(b"")
    assert unpacked(opened(empty * 10_000)) == b""
    assert "behind the end" in refusal(empty * 10_002)


@given(st.data())
def test_corruption_raises_only_operator_errors(data: st.DataObject) -> None:
    packed = bytearray(gzip.compress(b"some content " * 9, mtime=0))
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert unpacked(opened(bytes(packed))) == gzip.decompress(bytes(packed))
    except OperatorError:
        pass


def test_a_failing_disk_is_told() -> None:
    class Failing(io.BytesIO):
        def read(self, size: Optional[int] = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OperatorError, match=r"x\.tar\.gz.*Input/output error"):
        Gunzip(Failing(), "x.tar.gz", most=1, ratio=1, ratio_from=1)


def test_zeros_without_end_are_not_read_to_their_end(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"a"))
    os.truncate(path, 4 * 1024**4)
    with open(path, "rb") as source, pytest.raises(OperatorError, match="zeros without end"):
        Gunzip(source, "x.gz", most=8 * MIB, ratio=200, ratio_from=1024).finish()


def test_a_file_that_unpacks_to_nothing_is_not_read_for_ever() -> None:
    """Blocks of deflate may be empty."""
    empty = zlib.compressobj(wbits=31)
    start = empty.flush(zlib.Z_FULL_FLUSH)
    block = b"\0\0\0\xff\xff" * 100_000
    source = io.BytesIO(start + block * 40)
    with pytest.raises(OperatorError, match="too large"):
        Gunzip(source, "x.gz", most=MIB, ratio=200, ratio_from=MIB).finish()
    assert source.tell() < 4 * MIB
