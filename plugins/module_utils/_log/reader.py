# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of a server's log files since a moment, in bounded time and memory however large the files are.

A log is sorted by time: where it is too long to be read whole, the moment is found by bisection, and what is read is
its beginning from there (a start-up tells what went wrong) and its end (what goes wrong now). Of lines that could
matter, too, the first and the last are read. A packed log has to be unpacked from its beginning, to a limit.
"""

from __future__ import annotations

import collections
import os
import stat
import time
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO, Deque, Iterator, List, Optional, Pattern, Tuple

from .._host.reading import lstat, names_in, open_file
from .line import LONGEST_LINE, LogLine, parse_log_line

HEAD = 2 * 1024 * 1024
TAIL = 4 * 1024 * 1024
_PROBE = 64 * 1024
_LONGEST_SKIPPED = 1024 * 1024
_MOST_LINES = 10_000  # of the beginning, and of the end
MOST_PACKED = 64 * 1024 * 1024
MOST_UNPACKED = 256 * 1024 * 1024  # servers begin a new log at 100 MB
_MOST_SECONDS = 10.0
_MAX_ROTATED = 3


@dataclass
class LogPart:
    """Lines of one file that could matter.

    :param path: host path
    :param skipped: bytes in the middle that were not read
    :param unread: why not all of a packed file was read; empty where all was
    """

    path: str
    lines: List[LogLine] = field(default_factory=list)
    skipped: int = 0
    unread: str = ""


def read_log(
    real: str,
    path: str,
    since: Optional[float],
    interesting: Pattern[bytes],
    unimportant: Pattern[bytes],
    head: int = HEAD,
    tail: int = TAIL,
) -> LogPart:
    """The interesting lines of a log file that were written at ``since`` or later.

    :param real: where this process finds the file
    :param unimportant: lines that are left out although something of interest is in them
    :param since: seconds since the epoch; None: the end of the file alone
    :raises OSError: it cannot be read
    """
    part = LogPart(path)
    with open_file(real) as source:
        if real.endswith(".gz"):
            chunk, part.unread = _unpacked(source, head + tail)
            chunks = [chunk]
        else:
            chunks, part.skipped = _chunks(source, since, head, tail)
    for chunk in chunks:
        part.lines += _lines(chunk, since, interesting, unimportant)
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
    return [path for _time, path in sorted(found)[-_MAX_ROTATED:]]


def _unpacked(source: BinaryIO, limit: int) -> Tuple[bytes, str]:
    """The end of a packed file, which has to be unpacked from its beginning, and why it is not its very end."""
    kept: Deque[bytes] = collections.deque()
    kept_bytes = unpacked = 0
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    deadline = time.monotonic() + _MOST_SECONDS
    why = ""
    try:
        while not unpacker.eof:
            packed = unpacker.unconsumed_tail or source.read(_PROBE)
            if not packed:
                break
            piece = unpacker.decompress(packed, _PROBE)
            unpacked += len(piece)
            kept.append(piece)
            kept_bytes += len(piece)
            while kept_bytes - len(kept[0]) >= limit:
                kept_bytes -= len(kept.popleft())
            why = _why_no_more(source.tell(), unpacked, deadline)
            if why:
                break
    except zlib.error:  # damaged: what was read counts
        pass
    return b"".join(kept)[-limit:], why


def _why_no_more(packed: int, unpacked: int, deadline: float) -> str:
    if packed > MOST_PACKED:
        return f"what is packed behind its first {MOST_PACKED} bytes was not read"
    if unpacked > MOST_UNPACKED:
        return f"it was read to {MOST_UNPACKED} bytes of what it unpacks to"
    if time.monotonic() > deadline:
        return f"it was read to {unpacked} bytes of what it unpacks to, which took {_MOST_SECONDS:.0f} s"
    return ""


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
        source.readline(_LONGEST_SKIPPED)
    return source.read(max(0, end - source.tell()))


def _lines(
    chunk: bytes, since: Optional[float], interesting: Pattern[bytes], unimportant: Pattern[bytes]
) -> List[LogLine]:
    left = collections.deque(_raw_lines(chunk, interesting))
    first: List[LogLine] = []
    while left and len(first) < _MOST_LINES:
        first += _line(left.popleft(), since, unimportant)
    last: List[LogLine] = []
    while left and len(last) < _MOST_LINES:
        last += _line(left.pop(), since, unimportant)
    return first + last[::-1]


def _raw_lines(chunk: bytes, interesting: Pattern[bytes]) -> Iterator[bytes]:
    """The lines with something of interest, as far as a line is read."""
    seen_until = -1
    for match in interesting.finditer(chunk):
        if match.start() < seen_until:
            continue
        begin = chunk.rfind(b"\n", max(0, match.start() - LONGEST_LINE), match.start())
        begin = begin + 1 if begin >= 0 else max(0, match.start() - LONGEST_LINE)
        end = chunk.find(b"\n", match.start())
        seen_until = end if end >= 0 else len(chunk)
        yield chunk[begin : min(seen_until, begin + LONGEST_LINE)]


def _line(raw: bytes, since: Optional[float], unimportant: Pattern[bytes]) -> List[LogLine]:
    if unimportant.match(raw):
        return []
    line = parse_log_line(raw.decode("utf-8", "replace"))
    return [line] if since is None or line.time is None or line.time >= since else []
