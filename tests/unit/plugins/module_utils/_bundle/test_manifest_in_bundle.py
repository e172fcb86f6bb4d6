# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle says of itself: found wherever it stands, and a bundle that was made to exhaust its reader is not."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import time
import tracemalloc
from pathlib import Path
from typing import Callable, List, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.manifest_in_bundle import manifest_of

MIB = 1024 * 1024
MANIFEST = json.dumps({"id": "com.example.demo", "version": "1.2.3"}).encode()
Entry = Tuple[tarfile.TarInfo, bytes]


def entry(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE) -> Entry:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(content), "elsewhere"
    return info, content


def packed(path: Path, *entries: Entry) -> str:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return str(path)


@pytest.mark.parametrize(
    "before",
    [
        [],
        [entry("demo", kind=tarfile.DIRTYPE), entry("demo/server/plugin", b"x" * MIB)],
        [entry("demo/link", kind=tarfile.SYMTYPE), entry("demo/other", kind=tarfile.LNKTYPE)],  # newer servers skip it
        [entry("demo/deeper/down/plugin.json", b"{}")],
    ],
)
def test_the_manifest_is_found(tmp_path: Path, before: List[Entry]) -> None:
    found = manifest_of(packed(tmp_path / "b.tar.gz", *before, entry("demo/plugin.json", MANIFEST)))
    assert found is not None
    assert (found.id, found.version) == ("com.example.demo", "1.2.3")


def test_nothing_behind_the_manifest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "b.tar.gz"
    packed(path, entry("demo/plugin.json", MANIFEST), entry("demo/large", os.urandom(4 * MIB)))
    os.truncate(path, path.stat().st_size // 2)
    found = manifest_of(str(path))
    assert found is not None
    assert found.id == "com.example.demo"


@pytest.mark.parametrize(
    "entries",
    [
        [entry("demo/readme", b"x")],
        [entry("demo/plugin.json", b"no JSON")],
        [entry("demo/plugin.json", b"[" * 200_000)],
        [entry("demo/plugin.json", MANIFEST + b" " * MIB)],
        [entry("demo/plugin.json", kind=tarfile.SYMTYPE)],
        [entry("demo/plugin.json", kind=tarfile.DIRTYPE)],
    ],
)
def test_there_is_none(tmp_path: Path, entries: List[Entry]) -> None:
    assert manifest_of(packed(tmp_path / "b.tar.gz", *entries)) is None


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.tar.gz")
    for name in ("fifo.tar.gz", "missing.tar.gz", "."):
        assert manifest_of(str(tmp_path / name)) is None


def header(kind: bytes, size: int, name: str = "a") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def long_name(path: Path, kind: bytes) -> None:
    with gzip.open(path, "wb", 1) as out:
        out.write(header(kind, 256 * MIB))
        for _ in range(256):
            out.write(bytes(MIB))


def huge_member(path: Path) -> None:
    """8 GiB of zeros before the manifest, in 37 MB."""
    piece = gzip.compress(bytes(64 * MIB), 1)
    with open(path, "wb") as out:
        out.write(gzip.compress(header(tarfile.REGTYPE, 8 * 1024 * MIB)))
        for _ in range(128):
            out.write(piece)
        out.write(gzip.compress(header(tarfile.REGTYPE, len(MANIFEST), "plugin.json") + MANIFEST.ljust(512, b"\0")))


def headers(path: Path, kind: bytes) -> None:
    with gzip.open(path, "wb", 1) as out:
        for number in range(300):
            out.write(header(kind, 0, f"./{number}") * 1000)


def records(path: Path) -> None:
    data = b"6 a=b\n" * 170_000
    with gzip.open(path, "wb", 1) as out:
        for _ in range(60):
            out.write(header(b"x", len(data)) + data.ljust(-(-len(data) // 512) * 512, b"\0"))


def sparse(path: Path) -> None:
    with open(path, "wb") as out:
        out.write(gzip.compress(header(tarfile.DIRTYPE, 0)))
        out.truncate(4 * 1024**4)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: long_name(path, b"x"),
        lambda path: long_name(path, b"g"),
        lambda path: long_name(path, b"L"),
        lambda path: long_name(path, b"K"),
        huge_member,
        lambda path: headers(path, tarfile.DIRTYPE),
        lambda path: headers(path, tarfile.SYMTYPE),
        lambda path: headers(path, b"g"),
        records,
        sparse,
    ],
    ids=["pax", "global", "long name", "long link", "8 GiB", "directories", "links", "globals", "records", "sparse"],
)
def test_a_reader_is_not_exhausted(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "b.tar.gz"
    make(path)
    started = time.process_time()
    tracemalloc.start()
    try:
        assert manifest_of(str(path)) is None
        assert tracemalloc.get_traced_memory()[1] < 50 * MIB
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < 10
