# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gzip file (RFC 1952) unpacked as a stream that never grows beyond a limit."""

from __future__ import annotations

import hashlib
import zlib
from typing import BinaryIO, NoReturn

from .._core.errors import OperatorError

_MAGIC = b"\x1f\x8b"
_WITH_GZIP_HEADER = 31  # zlib's wbits: it then checks the header, the checksum and the length itself
_PACKED_CHUNK = 64 * 1024
_UNPACKED_CHUNK = 256 * 1024
_MAX_PADDING = 1024 * 1024  # zeros behind the end; tapes had blocks of some KiB
_MAX_MEMBERS = 10_000  # bgzip makes one of every 64 KiB; each costs a little even if it is empty
FETCH_AGAIN = "fetch the bundle again and compare its sha256 with the publisher's"


class Gunzip:
    """Reads a gzip file piece by piece, within limits.

    :param source: the packed file, at its start
    :param where: what to call it in messages
    :param most: bytes to which it may unpack
    :param ratio: of unpacked to packed bytes, looked at from ``ratio_from`` unpacked bytes on
    """

    def __init__(self, source: BinaryIO, where: str, *, most: int, ratio: int, ratio_from: int) -> None:
        self._source = source
        self._where = where
        self._most = most
        self._ratio = ratio
        self._ratio_from = ratio_from
        self._packed = 0
        self._unpacked = 0
        self._digest = hashlib.sha256()
        self._members = 0
        self._inflater = zlib.decompressobj(_WITH_GZIP_HEADER)
        self._input = b""  # packed, not yet given to the inflater
        self._output = b""  # unpacked, not yet read
        self._at = 0  # in _output
        self._is_at_end = False
        self._check_magic()

    @property
    def sha256(self) -> str:
        """Of the packed bytes read so far: of the whole file after :meth:`finish`."""
        return self._digest.hexdigest()

    def read(self, size: int) -> bytes:
        """The next ``size`` unpacked bytes; fewer only at the end.

        :raises OperatorError: damaged, truncated or beyond the limits
        """
        pieces = []
        while size:
            if self._at == len(self._output) and not self._refill():
                break
            piece = self._output[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def expect(self, size: int) -> None:
        """Refuse at once what ``size`` more bytes would carry beyond the limit."""
        if self._unpacked - (len(self._output) - self._at) + size > self._most:
            self._refuse_size()

    def finish(self) -> None:
        """Read to the end, so that checksum and limits hold for the whole file."""
        while self._refill():
            pass

    def _check_magic(self) -> None:
        self._read_packed()
        if self._input[:2] == _MAGIC:
            return
        found = f"it begins with {self._input[:16]!r}" if self._input else "an empty file"
        if self._input[257:262] == b"ustar":
            found = "a plain tar archive"
        elif self._input.startswith(b"PK"):
            found = "a zip archive"
        elif self._input.lstrip().startswith(b"<"):
            found = "an HTML or XML page"
        raise OperatorError(
            "the bundle is not a gzip file",
            where=self._where,
            found=found,
            wanted="a .tar.gz",
            remedy="check where it was fetched from: a login or error page is often stored in the place of a file",
        )

    def _read_packed(self) -> bool:
        """One more piece of the file, appended to the input; False at its end."""
        try:
            data = self._source.read(_PACKED_CHUNK)
        except OSError as error:  # a failing disk, a lost network file system
            raise OperatorError(
                "the bundle cannot be read",
                where=self._where,
                found=error.strerror or "",
                remedy="check the disk or network file system that it lies on",
            ) from error
        self._digest.update(data)
        self._packed += len(data)
        if self._packed > self._most + self._most // 64 + _MAX_PADDING:  # packing adds next to nothing, at worst
            self._refuse("the gzip file is too large", f"more than {self._packed} bytes", self._wanted())
        self._input += data
        return bool(data)

    def _refill(self) -> bool:
        """Unpack some more into the (used up) output; False at the end of the file."""
        while not self._is_at_end:
            if self._inflater.eof:
                self._next_member()
                continue
            try:
                data = self._inflater.decompress(self._input, _UNPACKED_CHUNK)
            except zlib.error as error:
                self._refuse("the gzip file is damaged", str(error))
            self._input = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            if data:
                self._count(len(data))
                self._output, self._at = data, 0
                return True
            if not self._inflater.eof and not self._input and not self._read_packed():
                self._refuse("the gzip file is truncated", f"it ends after {self._packed} bytes")
        return False

    def _next_member(self) -> None:
        """A gzip file may be several in a row; zeros may fill it up."""
        start = self._packed
        self._input = self._input.lstrip(b"\0")
        while len(self._input) < len(_MAGIC):
            if self._packed - start > _MAX_PADDING:
                self._refuse("there is something else behind the end of the gzip file", "zeros without end")
            if not self._read_packed():
                break
            self._input = self._input.lstrip(b"\0")
        if not self._input:
            self._is_at_end = True
            return
        self._members += 1
        if self._input[:2] != _MAGIC or self._members > _MAX_MEMBERS:
            self._refuse("there is something else behind the end of the gzip file", repr(self._input[:16]))
        self._inflater = zlib.decompressobj(_WITH_GZIP_HEADER)

    def _count(self, size: int) -> None:
        self._unpacked += size
        if self._unpacked > self._most or (
            self._unpacked > self._ratio_from and self._unpacked > self._packed * self._ratio
        ):
            self._refuse_size()

    def _refuse_size(self) -> NoReturn:
        self._refuse(
            "the bundle would unpack to too large a size",
            f"more than {self._unpacked} bytes out of {self._packed}",
            self._wanted(),
        )

    def _wanted(self) -> str:
        return f"at most {self._most} bytes, and at most {self._ratio} times the packed size"

    def _refuse(self, problem: str, found: str, wanted: str = "") -> NoReturn:
        raise OperatorError(problem, where=self._where, found=found, wanted=wanted, remedy=FETCH_AGAIN)
