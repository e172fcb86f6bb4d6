# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tar.gz read member by member: what tar and tarfile write is read, whatever is odd is refused."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._formats.tar_reader import Archive, Limits
from hypothesis import given, settings
from hypothesis import strategies as st

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
LIMITS = Limits()
Files = Dict[str, Tuple[bytes, bool]]


def read(raw: bytes, limits: Limits = LIMITS) -> Tuple[Files, List[str]]:
    """Files (content, executable) and directories of a plain tar, packed for the reader."""
    return read_packed(gzip.compress(raw, 1), limits)


def read_packed(packed: bytes, limits: Limits = LIMITS) -> Tuple[Files, List[str]]:
    archive = Archive(io.BytesIO(packed), limits, "x.tar.gz")
    files: Files = {}
    directories = []
    for member, content in archive.members():
        if member.is_directory:
            directories.append(member.path)
        else:
            files[member.path] = (b"".join(content), member.executable)
            assert len(files[member.path][0]) == member.size
    assert archive.sha256 == hashlib.sha256(packed).hexdigest()
    return files, directories


def refusal(raw: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(OperatorError) as error:
        read(raw, limits)
    assert "x.tar.gz" in str(error.value)
    return str(error.value)


def block(name: bytes = b"f", content: bytes = b"", kind: bytes = b"0", **fields: bytes) -> bytes:
    """One member as its bytes, its header's fields at will and its checksum right."""
    header = bytearray(512)
    places = {
        "name": 0,
        "mode": 100,
        "size": 124,
        "mtime": 136,
        "chksum": 148,
        "kind": 156,
        "linkname": 157,
        "magic": 257,
        "prefix": 345,
    }
    values = {"mode": b"0000644\0", "size": b"%011o\0" % len(content), "magic": b"ustar\x0000", **fields}
    for field, value in {"name": name, "kind": kind, **values}.items():
        header[places[field] : places[field] + len(value)] = value
    if "chksum" not in fields:
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + content + bytes(-len(content) % 512)


def pax(kind: bytes = b"x", **records: bytes) -> bytes:
    return block(b"pax", b"".join(record(key.encode(), value) for key, value in records.items()), kind)


def record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + 1
    while len(b"%d" % length) + len(body) != length:
        length += 1
    return b"%d" % length + body


END = bytes(1024)


# --- what is read

part = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=12),
    st.sampled_from(["caf\udce9", "\udc80", "x" * 120, " ", "-rf", "a\nb", "ü" * 60]),
).filter(lambda name: name not in (".", ".."))
paths = st.lists(part, min_size=1, max_size=3).map("/".join)
contents = st.one_of(st.binary(max_size=40), st.sampled_from([bytes(511), bytes(512), bytes(513), b"z" * 70_000]))


def without_conflicts(files: Files) -> Files:
    """Keep no file that would have to be a directory, too."""
    return {path: file for path, file in files.items() if not any(other.startswith(path + "/") for other in files)}


file_maps = st.dictionaries(paths, st.tuples(contents, st.booleans()), max_size=6).map(without_conflicts)


def packed_by_tarfile(files: Files, tar_format: int, prefix: str) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tar_format, errors="surrogateescape") as archive:
        for path, (content, executable) in files.items():
            entry = tarfile.TarInfo(prefix + path)
            entry.size, entry.mode = len(content), 0o755 if executable else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


@settings(max_examples=60)
@given(file_maps, st.sampled_from(FORMATS), st.sampled_from(["", "./", "top/"]))
def test_reads_what_tarfile_wrote(files: Files, tar_format: int, prefix: str) -> None:
    try:
        raw = packed_by_tarfile(files, tar_format, prefix)
    except ValueError:  # ustar cannot hold such a name
        return
    top = prefix.replace("./", "")
    assert read(raw) == ({top + path: file for path, file in files.items()}, [])


@pytest.mark.skipif(shutil.which("tar") is None, reason="needs GNU tar")
@pytest.mark.parametrize("tar_format", ["v7", "ustar", "gnu", "oldgnu", "posix"])
@pytest.mark.parametrize("names", [["."], ["deep", "run", "läng"]])
def test_reads_what_gnu_tar_wrote(tmp_path: Path, tar_format: str, names: List[str]) -> None:
    deep = "deep/" + "/".join("d" * 20 for _ in range(4)) + "/file.js"
    long = "läng" if tar_format in ("v7", "ustar") else "läng/" + "n" * 130
    for path, mode in {"run": 0o755, deep: 0o644, long + "/x": 0o600}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(path.encode())
        (tmp_path / path).chmod(mode)
    command = ["tar", "-cf", "-", f"--format={tar_format}", "-C", str(tmp_path), *names]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    files, directories = read(raw)
    assert files == {"run": (b"run", True), deep: (deep.encode(), False), long + "/x": ((long + "/x").encode(), False)}
    assert {"deep", "läng", os.path.dirname(deep)} <= set(directories)


def test_forms_that_are_harmless() -> None:
    assert read(block() + END) == ({"f": (b"", False)}, [])
    assert read(b"") == ({}, [])
    assert read(block(b"f", b"x")) == ({"f": (b"x", False)}, []), "the end mark may be left out"
    assert read(block() + END[:512]) == ({"f": (b"", False)}, []), "or be half"
    assert read(block() + END + b"what tar does not read") == ({"f": (b"", False)}, [])
    assert read(block(b"d/", kind=b"5") + block(b"./d//f", b"x") + block(b"d", kind=b"5")) == (
        {"d/f": (b"x", False)},
        ["d", "d"],
    )
    assert read(block(b"./", kind=b"5") + block(b".", kind=b"5") + block())[1] == []
    assert read(block(b"d/", kind=b"\0", magic=bytes(8)) + block(b"f", kind=b"\0", magic=bytes(8))) == (
        {"f": (b"", False)},
        ["d"],
    )
    assert read(block(b"f", prefix=b"pre/fix")) == ({"pre/fix/f": (b"", False)}, [])
    assert read(block(b"f", magic=b"ustar  \0", prefix=b"12345670")) == ({"f": (b"", False)}, []), "times, in GNU's"
    assert read(block(b"f", b"abc", size=b"\x80" + bytes(10) + b"\3"))[0] == {"f": (b"abc", False)}
    assert read(block(mtime=b"\xff" * 12))[0] == {"f": (b"", False)}, "before 1970"
    assert read(block(b"d", kind=b"5", size=b"00000001000\0") + block()) == ({"f": (b"", False)}, ["d"]), "no content"


def test_the_owner_s_bit_makes_a_file_executable() -> None:
    for mode, executable in ((b"0000744\0", True), (b"0000655\0", False), (b"  755 \0 ", True), (bytes(8), False)):
        assert read(block(mode=mode))[0] == {"f": (b"", executable)}


def test_a_checksum_of_signed_bytes_is_one() -> None:
    raw = bytearray(block("ü".encode()))
    signed = sum(byte - 256 if byte > 127 else byte for byte in bytes(raw[:148]) + b" " * 8 + bytes(raw[156:512]))
    raw[148:156] = b"%06o\0 " % signed
    assert read(bytes(raw))[0] == {"ü": (b"", False)}


def test_extended_headers() -> None:
    long = b"d/" + b"n" * 150
    assert read(block(b"L", long + b"\0", b"L") + block(b"short"))[0] == {long.decode(): (b"", False)}
    assert read(pax(path=long, mtime=b"1.5", comment=b"a\nb=c") + block(b"short"))[0] == {long.decode(): (b"", False)}
    assert read(pax(path=b"") + block(b"short"))[0] == {"short": (b"", False)}
    assert read(pax(size=b"3") + block(b"f", b"abc", size=b"00000000000\0"))[0] == {"f": (b"abc", False)}
    assert read(pax(path=b"one") + block() + block(b"g"))[0] == {"one": (b"", False), "g": (b"", False)}
    # As `git archive` writes it; servers from 5.20 on skip it.
    assert read(pax(b"g", comment=b"c0ffee") + block() + END)[0] == {"f": (b"", False)}


def test_content_that_is_not_asked_for_is_skipped() -> None:
    raw = block(b"a", b"1" * 600_000) + block(b"b", b"2" * 600_000) + block(b"c", b"3")
    archive = Archive(io.BytesIO(gzip.compress(raw)), Limits(), "x.tar.gz")
    seen = []
    for member, content in archive.members():
        seen.append(member.path)
        if member.path == "b":
            next(content)
        if member.path == "c":
            assert b"".join(content) == b"3"
    assert seen == ["a", "b", "c"]


# --- what is refused


@pytest.mark.parametrize(
    "name",
    [b"/etc/passwd", b"../x", b"a/../../x", b"a/..", b"..", b"./../x", b"a/../x", b"a\\..\\x", b"\\x", b"a\\b"],
)
@pytest.mark.parametrize("kind", [b"0", b"5"])
@pytest.mark.parametrize("way", ["plain", "gnu", "pax"])
def test_names_that_lead_out(name: bytes, kind: bytes, way: str) -> None:
    before = {"plain": b"", "gnu": block(b"L", name + b"\0", b"L"), "pax": pax(path=name)}[way]
    message = refusal(before + block(name if way == "plain" else b"fine", kind=kind) + END)
    assert "leads out" in message or "backslash" in message


def test_other_names_that_will_not_do() -> None:
    assert "zero byte" in refusal(pax(path=b"a\0b") + block())
    assert "without a name" in refusal(block(b""))
    assert "without a name" in refusal(block(b"."))
    assert "name of a directory" in refusal(block(b"a/"))
    assert "name of a directory" in refusal(block(b"a/."))
    assert "too long" in refusal(pax(path=b"n" * 256) + block())
    assert "too long" in refusal(pax(path=b"/".join([b"n" * 200] * 6)) + block())
    assert read(pax(path=b"n" * 255) + block())[0] == {"n" * 255: (b"", False)}
    assert "\\x1b" in refusal(block(b"../\x1b[2J")), "control characters do not reach the operator's terminal"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (b"1", "a hard link"),
        (b"2", "a symbolic link"),
        (b"3", "a character device"),
        (b"4", "a block device"),
        (b"6", "a fifo"),
        (b"7", "a contiguous file"),
        (b"S", "a sparse file"),
        (b"M", "unknown type b'M'"),
        (b"\xff", "unknown type"),
    ],
)
def test_only_files_and_directories(kind: bytes, told: str) -> None:
    message = refusal(block(b"plugin.json", b"{}") + block(b"odd/one", kind=kind, linkname=b"plugin.json") + END)
    assert told in message
    assert "odd/one" in message


def test_a_link_with_a_long_target_is_a_link() -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as archive:
        entry = tarfile.TarInfo("odd")
        entry.type, entry.linkname = tarfile.SYMTYPE, "t" * 300
        archive.addfile(entry)
    assert "a symbolic link" in refusal(raw.getvalue())


def test_duplicates() -> None:
    assert "twice" in refusal(block(b"a/f") + block(b"./a//f"))
    assert "twice" in refusal(block(b"a") + block(b"a", kind=b"5"))
    assert "twice" in refusal(block(b"a", kind=b"5") + block(b"a"))
    assert "twice" in refusal(block(b"a/f") + block(b"a"))
    assert "a file and a directory" in refusal(block(b"a") + block(b"a/b/c"))
    assert "a file and a directory" in refusal(block(b"a/b") + block(b"a/b/c"))
    assert set(read(block(b"README") + block(b"readme"))[0]) == {"README", "readme"}


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"no tar at all", "ends inside a header"),
        (b"x" * 512, "no tar archive"),
        (block(chksum=b"000001\0 "), "checksum is wrong"),
        (block(chksum=b"abcdef\0 "), "no number"),
        (block(size=b"0000000000x\0"), "size is no number"),
        (block(size=b"12\x0034567890\0"), "size is no number"),
        (block(size=b"\x000000000000\0"), "size is no number"),
        (block(size=b"-0000000001\0"), "size is no number"),
        (block(size=b"\xff" * 12), "size is no number"),
        (block(mtime=b"yesterday"), "time is no number"),
        (block(mode=b"rwxr-xr-"), "mode is no number"),
        (block(b"f", b"x" * 600)[:600], "ends inside a file"),
        (block(b"f", b"x" * 600)[:-512], "ends inside a file"),
        (block(b"f", b"x")[:-1], "ends inside a file"),
        (block() + END[:512] + block(b"g"), "goes on behind its end"),
        (pax(path=b"a") + END, "ends inside a member"),
        (block(b"L", b"a\0", b"L"), "ends inside a member"),
        (pax(path=b"a") + pax(b"g", comment=b"x"), "ends inside a member"),
        (pax(path=b"a") + pax(path=b"b") + block(), "two names"),
        (pax(path=b"a") + block(b"L", b"b\0", b"L") + block(), "two names"),
        (block(b"L", b"b\0", b"L") + pax(path=b"a") + block(), "two names"),
        (block(b"L", b"b\0", b"L") + block(b"L", b"c\0", b"L") + block(), "two names"),
        (pax(b"g", path=b"a") + block(), "for all members at once"),
        (pax(b"g", size=b"1") + block(), "for all members at once"),
        (pax(**{"GNU.sparse.major": b"1"}) + block(), "sparse"),
        (pax(size=b"1x") + block(), "size is no number"),
        (pax(size=b"9" * 20) + block(), "size is no number"),
        (pax(size=b"-1") + block(), "size is no number"),
        (block(b"p", b"99 path=a\n", b"x") + block(), "cannot be read"),
        (block(b"p", b"8 path=a\n", b"x") + block(), "cannot be read"),
        (block(b"p", b"0 path=a\n", b"x") + block(), "cannot be read"),
        (block(b"p", b"1 path=a\n", b"x") + block(), "cannot be read"),
        (block(b"p", b"path=a\n", b"x") + block(), "cannot be read"),
        (block(b"p", b"7 path\n", b"x") + block(), "cannot be read"),
        (block(b"p", b" " * 9 + b"path=a\n", b"x") + block(), "cannot be read"),
        (block(b"p", bytes(20), b"x") + block(), "cannot be read"),
        (block(b"p", b"9 path=aX", b"x") + block(), "cannot be read"),
        (block(b"p", b"1" * 5000 + b" path=a\n", b"x") + block(), "cannot be read"),
    ],
    ids=range(38),
)
def test_damage(raw: bytes, told: str) -> None:
    assert told in refusal(raw)


def test_limits() -> None:
    limits = Limits(files=3)
    three = block(b"a/b/c")
    assert read(three, limits)[0]
    assert "too many files" in refusal(three + block(b"d"), limits)
    assert "too many files" in refusal(b"".join(block(b"%d" % number, kind=b"5") for number in range(4)), limits)
    assert "too large a size" in refusal(block(size=b"77777777777\0"))
    assert "too large a size" in refusal(block(b"f", bytes(4096)), Limits(unpacked_bytes=4096))
    assert "too large a size" in refusal(END + bytes(10_000), Limits(unpacked_bytes=4096)), "in what follows the end"
    assert "too large a size" in refusal(block() + END + bytes(80 * 1024**2)), "by its ratio"


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
def test_a_long_header_costs_no_memory(kind: bytes) -> None:
    raw = block(b"h", bytes(64 * 1024**2), kind) + block()
    packed = gzip.compress(raw, 1)
    tracemalloc.start()
    try:
        with pytest.raises(OperatorError, match="that is too long"):
            read_packed(packed)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024**2


# --- corruption


def sample() -> bytes:
    raw = packed_by_tarfile(
        {"a/plugin.json": (b"{}", False), "a/" + "n" * 120: (b"x" * 700, True)}, tarfile.PAX_FORMAT, ""
    )
    return raw[: raw.rindex(b"x") + 1 + 512]


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=3), st.integers(0, 10_000))
def test_a_corrupt_tar_raises_only_operator_errors(changes: List[Tuple[int, int]], cut: int) -> None:
    raw = bytearray(sample())
    for at, byte in changes:
        raw[at % len(raw)] = byte
    del raw[cut:]
    with contextlib.suppress(OperatorError):
        read(bytes(raw))


def tarfile_s_opinion(raw: bytes) -> Optional[Files]:
    """Name, content and executable bit of every file as tarfile reads them; None if it cannot."""
    files: Files = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), errors="surrogateescape", encoding="utf-8") as archive:
            for entry in archive:
                if entry.isfile():
                    content: Any = archive.extractfile(entry)
                    files[os.path.normpath(entry.name)] = (content.read(), bool(entry.mode & 0o100))
    except Exception:  # whatever it stumbles over
        return None
    return files


@settings(max_examples=150)
@given(st.integers(0, 155), st.sampled_from(b"\0 /.01257x\x80"), st.booleans())
def test_a_header_is_read_as_tarfile_reads_it_or_refused(at: int, byte: int, in_pax: bool) -> None:
    """With its checksum made right again, so that it is the field itself that is looked at."""
    first = pax(path=b"d/name") if in_pax else block(b"d/first", b"1")
    raw = bytearray(first + block(b"d/second", b"22", mode=b"0000755\0") + END)
    raw[len(first) + at] = byte
    header = raw[len(first) : len(first) + 512]
    header[148:156] = b" " * 8
    raw[len(first) + 148 : len(first) + 156] = b"%06o\0 " % sum(header)
    try:
        found = read(bytes(raw))[0]
    except OperatorError:
        return
    assert found == tarfile_s_opinion(bytes(raw))


# --- a tar that is not packed


def unpacked(raw: bytes, limits: Limits = LIMITS) -> Dict[str, bytes]:
    archive = Archive(io.BytesIO(raw), limits, "x.tar", packed=False)
    return {member.path: b"".join(content) for member, content in archive.members()}


def test_a_tar_that_is_not_packed() -> None:
    large = os.urandom(1_000_001)
    raw = block(b"one", large) + block(b"two", b"2") + bytes(1024)
    assert unpacked(raw) == {"one": large, "two": b"2"}
    for cut in (100, 600, 1_000_400):
        with pytest.raises(OperatorError, match="ends inside"):
            unpacked(raw[:cut])
    with pytest.raises(OperatorError, match="too large"):
        unpacked(raw, Limits(unpacked_bytes=1_000_000))


# --- time


@pytest.mark.parametrize("kind", [b"5", b"g", b"K"])
def test_headers_are_counted(kind: bytes) -> None:
    assert "too many headers" in refusal(block(b"./", b"", kind) * 50, Limits(files=10))


def test_records_are_counted() -> None:
    assert "too many extended headers" in refusal(block(b"x", b"6 a=b\n" * 300, b"x"), Limits(files=10))
