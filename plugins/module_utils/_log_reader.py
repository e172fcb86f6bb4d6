# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""The lines of a server's log files since a moment, in bounded time and memory however large the files are.

A log is sorted by time: where it is too long to be read whole, the moment is found by bisection, and what is read is
its beginning from there (a start-up says what went wrong) and its end (what goes wrong now).
"""

from __future__ import annotations

import os
import stat
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO, List, Optional, Pattern, Tuple

from ._host.reading import lstat, names_in
from ._log_line import LogLine, parse_log_line

HEAD = 2 * 1024 * 1024
TAIL = 4 * 1024 * 1024
_PROBE = 64 * 1024
_LONGEST_LINE = 1024 * 1024
_MAX_LINES = 20_000
_MAX_ROTATED = 3


@dataclass
class LogPart:
    """Lines of one file that could matter.

    :param path: host path
    :param skipped: bytes in the middle that were not read
    """

    path: str
    lines: List[LogLine] = field(default_factory=list)
    skipped: int = 0


def read_log(
    real: str,
    path: str,
    since: Optional[float],
    interesting: Pattern[bytes],
    dull: Pattern[bytes],
    head: int = HEAD,
    tail: int = TAIL,
) -> LogPart:
    """The interesting lines of a log file that were written at ``since`` or later.

    :param real: where this process finds the file
    :param dull: lines that are left out although something of interest is in them
    :param since: seconds since the epoch; None: the end of the file alone
    :raises OSError: it cannot be read
    """
    part = LogPart(path)
    with _opened(real) as source:
        if real.endswith(".gz"):
            chunks = [_unpacked(source, head + tail)]
        else:
            chunks, part.skipped = _chunks(source, since, head, tail)
    for chunk in chunks:
        part.lines += _lines(chunk, since, interesting, dull)
    return part


def rotated_files(real: str, since: float) -> List[str]:
    """Earlier files of the log that hold lines from ``since`` on, oldest first.

    They begin with the log's own name: ``mattermost-2021-11-22T15-55-34.633.log``, with ``.gz`` behind it, or
    ``mattermost.log.001``.
    """
    directory, name = os.path.split(real)
    stem = name.rpartition(".")[0] or name
    found: List[Tuple[float, str]] = []
    try:
        for other in names_in(directory):
            path = os.path.join(directory, other)
            status = lstat(path) if other.startswith((f"{stem}-", f"{name}.")) and other != name else None
            if status is not None and stat.S_ISREG(status.st_mode) and status.st_mtime >= since:
                found.append((status.st_mtime, path))
    except OSError:
        return []
    return [path for _, path in sorted(found)[-_MAX_ROTATED:]]


def _opened(real: str) -> BinaryIO:
    handle = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):  # a fifo is not waited for
        os.close(handle)
        raise OSError(22, "not a regular file", real)
    return os.fdopen(handle, "rb")


def _unpacked(source: BinaryIO, limit: int) -> bytes:
    """The end of a packed file; it has to be unpacked from its beginning."""
    kept = b""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        for packed in iter(lambda: source.read(_PROBE), b""):
            kept = (kept + unpacker.decompress(packed))[-limit:]
    except zlib.error:  # damaged: what was read counts
        pass
    return kept


def _chunks(source: BinaryIO, since: Optional[float], head: int, tail: int) -> Tuple[List[bytes], int]:
    size = os.fstat(source.fileno()).st_size
    start = 0 if size <= head + tail else max(0, size - tail) if since is None else _first_at(source, size, since)
    if size - start <= head + tail:
        return [_read(source, start, size)], 0
    end = size - tail
    return [_read(source, start, start + head), _read(source, end, size)], end - start - head


def _first_at(source: BinaryIO, size: int, since: float) -> int:
    """Offset before which every line is older than ``since``, up to one probe early."""
    low, high = 0, size
    while high - low > _PROBE:
        middle = (low + high) // 2
        found = _time_at(source, middle, high)
        if found is None or found >= since:
            high = middle
        else:
            low = middle
    return low


def _time_at(source: BinaryIO, offset: int, end: int) -> Optional[float]:
    """The time of the first line behind the offset that has one, sought in ever longer steps."""
    step = _PROBE // 2
    while offset < end:
        source.seek(offset)
        block = source.read(_PROBE)
        for line in block.split(b"\n")[1:-1]:
            stamp = parse_log_line(line.decode("utf-8", "replace")).time
            if stamp is not None:
                return stamp
        offset += step
        step *= 2
    return None


def _read(source: BinaryIO, start: int, end: int) -> bytes:
    """From the first line that begins behind ``start``."""
    source.seek(max(0, start - 1))
    if start > 0:
        source.readline(_LONGEST_LINE)
    return source.read(max(0, end - source.tell()))


def _lines(chunk: bytes, since: Optional[float], interesting: Pattern[bytes], dull: Pattern[bytes]) -> List[LogLine]:
    found: List[LogLine] = []
    seen_until = -1
    for match in interesting.finditer(chunk):
        if match.start() < seen_until:
            continue
        begin = chunk.rfind(b"\n", max(0, match.start() - _LONGEST_LINE), match.start()) + 1
        end = chunk.find(b"\n", match.start())
        seen_until = end if end >= 0 else len(chunk)
        raw = chunk[begin:seen_until]
        if dull.match(raw):
            continue
        line = parse_log_line(raw.decode("utf-8", "replace"))
        if since is None or line.time is None or line.time >= since:
            found.append(line)
    return found[: _MAX_LINES // 2] + found[-_MAX_LINES // 2 :] if len(found) > _MAX_LINES else found
