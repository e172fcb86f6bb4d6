# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tar.gz read member by member, trusting nothing in it.

Not by the standard library's tarfile: it keeps extended headers of any length in memory, older versions of it loop or
take quadratic time on made-up headers, and it may be any version on a managed host. This reader knows what bundles
are made of (ustar, GNU long names, pax names and sizes; files and directories) and refuses everything else. Formats:
POSIX.1-2017 pax, https://www.gnu.org/software/tar/manual/html_node/Standard.html and RFC 1952.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO, Dict, Iterator, List, NoReturn, Optional, Tuple, Union

from .._core.errors import OperatorError
from .._core.text import shown_path
from .gzip_reader import FETCH_AGAIN, Gunzip

_BLOCK = 512
_CHUNK = 256 * 1024
_MAX_HEADER = 1024 * 1024  # of one extended header, as Go's reader
_MAX_NAME = 1024  # bytes of a path; its host path must stay below PATH_MAX
_MAX_PART = 255  # bytes of one name on every common file system
_SIZE_DIGITS = 19
_REFUSED_TYPES = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a fifo",
    b"7": "a contiguous file",
    b"S": "a sparse file",
}
_OCTAL = re.compile(b" *([0-7]*)[ \\0]*")
_SPARSE = b"GNU.sparse."
_WITHOUT_CONTENT = (b"1", b"2", b"3", b"4", b"6")
# Each header costs time, regardless of what follows it; writers make up to three for a member, and a dozen records.
_HEADERS_A_FILE, _RECORDS_A_FILE = 4, 20


@dataclass(frozen=True)
class Limits:
    """How much a bundle may unpack to. The largest published plugins have some 2 000 files and 600 MB.

    :param files: members, and directories that members imply
    :param unpacked_bytes: of the whole tar, headers and padding included
    :param ratio: unpacked to packed size; looked at from ``ratio_from`` bytes on, as small texts pack well
    :param ratio_from: bytes
    :param manifest_bytes: of one manifest
    """

    files: int = 20_000
    unpacked_bytes: int = 2 * 1024**3
    ratio: int = 200
    ratio_from: int = 64 * 1024**2
    manifest_bytes: int = 1024**2


@dataclass(frozen=True)
class Member:
    """A file or a directory of the archive.

    :param path: normalised: no ``./``, no doubled or trailing slash; undecodable bytes as lone surrogates
    :param size: bytes; 0 for a directory
    :param executable: by its owner, as the header has it
    """

    path: str
    is_directory: bool
    size: int
    executable: bool


class _Extended:
    """What the headers before a member's own specify for it."""

    def __init__(self) -> None:
        self.path: Optional[bytes] = None
        self.size: Optional[int] = None
        self.is_used = False


class _Plain:
    """A file that is not packed, read as :class:`Gunzip` reads one that is."""

    sha256 = ""

    def __init__(self, source: BinaryIO, where: str, most: int) -> None:
        self._source = source
        self._where = where
        self._left = most

    def read(self, size: int) -> bytes:
        pieces: List[bytes] = []
        while size:
            data = self._source.read(size)
            if not data:
                break
            pieces.append(data)
            size -= len(data)
            self._left -= len(data)
        return b"".join(pieces)

    def expect(self, size: int) -> None:
        if size > self._left:
            raise OperatorError("the archive is too large", where=self._where, remedy=FETCH_AGAIN)

    def finish(self) -> None:
        """What follows the archive's end is of no use."""


class Archive:
    """The members of a tar.gz, once from front to end.

    :param source: opened at its start
    :param where: what to call it in messages
    :param skips_links: leave out links, devices and fifos, as newer servers do, instead of refusing the archive
    :param packed: False for a tar that is not packed
    """

    def __init__(
        self, source: BinaryIO, limits: Limits, where: str, *, skips_links: bool = False, packed: bool = True
    ) -> None:
        self._stream: Union[Gunzip, _Plain] = (
            Gunzip(source, where, most=limits.unpacked_bytes, ratio=limits.ratio, ratio_from=limits.ratio_from)
            if packed
            else _Plain(source, where, limits.unpacked_bytes)
        )
        self._limits = limits
        self._where = where
        self._skips_links = skips_links
        self._kinds: Dict[str, str] = {}
        self._headers_left = _HEADERS_A_FILE * limits.files
        self._records_left = _RECORDS_A_FILE * limits.files

    @property
    def sha256(self) -> str:
        """Of the packed file; known when all members have been read."""
        return self._stream.sha256

    def members(self) -> Iterator[Tuple[Member, Iterator[bytes]]]:
        """Each member and its content, to be read before the next is taken (what is left is skipped).

        :raises OperatorError: this is not a whole and harmless archive of files and directories
        """
        extended = _Extended()
        while True:
            header = self._header()
            if header is None:
                break
            kind, size = header[156:157], self._number(header[124:136], "size")
            if kind in (b"L", b"K", b"x", b"g"):
                self._extend(extended, kind, size)
                continue
            if self._skips_links and kind in _WITHOUT_CONTENT:
                extended = _Extended()
                continue
            member = self._member(header, extended, size if extended.size is None else extended.size)
            extended = _Extended()
            content = self._content(member.size)
            if member.path:
                self._claim(member)
                yield member, content
            elif not member.is_directory:
                self._refuse("a file without a name in the archive")
            for _block in content:
                pass
            self._skip_padding(member.size)
        if extended.is_used:
            self._refuse("the archive ends inside a member")
        self._stream.finish()

    def _header(self) -> Optional[bytes]:
        """The next header block; None at the end, which two blocks of zeros mark (some writers leave them out)."""
        header = self._stream.read(_BLOCK)
        if not header:
            return None
        if len(header) < _BLOCK:
            self._refuse("the archive ends inside a header")
        if header.count(0) == _BLOCK:
            if self._stream.read(_BLOCK).strip(b"\0"):
                self._refuse("the archive is damaged: it goes on behind its end")
            return None
        self._headers_left -= 1
        if self._headers_left < 0:
            self._refuse("too many headers in the archive", wanted=f"at most {_HEADERS_A_FILE * self._limits.files}")
        found = self._number(header[148:156], "checksum")
        blank = header[:148] + b" " * 8 + header[156:]
        signed = sum(byte - 256 if byte > 127 else byte for byte in blank) if not blank.isascii() else -1
        if found not in (sum(blank), signed):
            self._refuse("this is no tar archive, or it is damaged: a header's checksum is wrong")
        for name, field in (("uid", header[108:116]), ("gid", header[116:124]), ("time", header[136:148])):
            if field[:1] != b"\xff":  # a negative number, in binary
                self._number(field, name)  # of no use here, but servers refuse what is none
        return header

    def _number(self, field: bytes, name: str) -> int:
        """A number in octal digits, or in binary where its first byte is 0x80.

        Readers differ about digits behind a zero byte, so these are no number.
        """
        if field[:1] == b"\x80":
            return int.from_bytes(field[1:], "big")
        digits = _OCTAL.fullmatch(field)
        if digits is None:
            self._refuse(f"this is no tar archive, or it is damaged: a header's {name} is no number")
        return int(digits.group(1) or b"0", 8)

    def _extend(self, extended: _Extended, kind: bytes, size: int) -> None:
        if size > _MAX_HEADER:
            self._refuse("a name or header that is too long", f"{size} bytes", f"at most {_MAX_HEADER} bytes")
        data = b"".join(self._content(size))
        self._skip_padding(size)
        extended.is_used = extended.is_used or kind != b"g"
        if kind == b"K":  # the target of a link; the link itself follows and is refused
            return
        if kind == b"L":
            if extended.path is not None:
                self._refuse("a member with two names in the archive")
            extended.path = data.split(b"\0", 1)[0]
            return
        records = self._pax_records(data)
        if any(key.startswith(_SPARSE) for key in records):
            self._refuse("the archive contains a sparse file", remedy="pack it again without --sparse")
        path, length = records.get(b"path"), records.get(b"size")
        if kind == b"g":
            # `git archive` writes one with the commit's id: harmless, and skipped by servers from 5.20 on (the older
            # ones refuse an upload with it, but take the unpacked plugin). Readers differ about a name or size in it.
            if path or length:
                self._refuse("a name or size for all members at once (pax global header)")
            return
        if path:
            if extended.path is not None:
                self._refuse("a member with two names in the archive")
            extended.path = path
        if length:
            if not re.fullmatch(b"[0-9]{1,%d}" % _SIZE_DIGITS, length):
                self._refuse("the archive is damaged: a member's size is no number")
            extended.size = int(length)

    def _pax_records(self, data: bytes) -> Dict[bytes, bytes]:
        """Records of the form ``<length> <key>=<value>\\n``; the length counts the whole record."""
        records: Dict[bytes, bytes] = {}
        at = 0
        while at < len(data):
            self._records_left -= 1
            if self._records_left < 0:
                most = _RECORDS_A_FILE * self._limits.files
                self._refuse("too many extended headers in the archive", wanted=f"at most {most}")
            space = data.find(b" ", at, at + 9)
            digits = data[at : max(space, at)]
            end = at + int(digits) if re.fullmatch(b"[0-9]+", digits) else 0
            key, _equals, value = data[space + 1 : end].partition(b"=")
            if end > len(data) or not value.endswith(b"\n"):
                self._refuse("the archive is damaged: an extended header cannot be read")
            records[key] = value[:-1]
            at = end
        return records

    def _member(self, header: bytes, extended: _Extended, size: int) -> Member:
        name = extended.path if extended.path is not None else _name(header)
        kind = header[156:157]
        is_directory = kind == b"5" or (kind == b"\0" and name.endswith(b"/"))
        if not is_directory and kind not in (b"0", b"\0"):
            what = _REFUSED_TYPES.get(kind, f"an entry of the unknown type {kind!r}")
            self._refuse(
                f"the archive contains {what}",
                shown_path(name.decode("utf-8", "surrogateescape")),
                "files and directories only: servers to 5.19 refuse such a bundle, newer ones leave the entry out",
                "ask the plugin's author, or pack it again with `tar --dereference --hard-dereference`",
            )
        path = self._safe_path(name)
        if not is_directory and name.endswith((b"/", b"/.")):
            self._refuse("a file with the name of a directory in the archive", shown_path(path))
        mode = self._number(header[100:108], "mode")
        return Member(path, is_directory, 0 if is_directory else size, bool(mode & 0o100))

    def _safe_path(self, name: bytes) -> str:
        shown = shown_path(name[:300].decode("utf-8", "surrogateescape"))
        if b"\0" in name or b"\\" in name:
            self._refuse("a zero byte or a backslash in a name in the archive", shown)
        parts = [part for part in name.split(b"/") if part not in (b"", b".")]
        if name.startswith(b"/") or b".." in parts:
            self._refuse("a name in the archive leads out of it", shown, "names below the plugin's directory")
        path = b"/".join(parts)
        if len(path) > _MAX_NAME or any(len(part) > _MAX_PART for part in parts):
            self._refuse("a name in the archive is too long", shown, f"{_MAX_PART} bytes a name, {_MAX_NAME} a path")
        return path.decode("utf-8", "surrogateescape")

    def _claim(self, member: Member) -> None:
        """One file a name. Directories may come twice, or only as part of other names."""
        known = self._kinds.get(member.path)
        if known is not None and not (known == "directory" and member.is_directory):
            self._refuse("the archive holds a name twice", shown_path(member.path))
        self._kinds[member.path] = "directory" if member.is_directory else "file"
        parent = member.path.rpartition("/")[0]
        while parent:
            known = self._kinds.get(parent)
            if known == "file":
                self._refuse("the archive holds a file and a directory of the same name", shown_path(parent))
            if known is not None:
                break
            self._kinds[parent] = "directory"
            parent = parent.rpartition("/")[0]
        if len(self._kinds) > self._limits.files:
            self._refuse("too many files in the archive", wanted=f"at most {self._limits.files}")

    def _content(self, size: int) -> Iterator[bytes]:
        self._stream.expect(size)
        while size:
            data = self._stream.read(min(size, _CHUNK))
            if not data:
                self._refuse("the archive ends inside a file")
            size -= len(data)
            yield data

    def _skip_padding(self, size: int) -> None:
        if len(self._stream.read(-size % _BLOCK)) < -size % _BLOCK:
            self._refuse("the archive ends inside a file")

    def _refuse(self, problem: str, found: str = "", wanted: str = "", remedy: str = "") -> NoReturn:
        raise OperatorError(problem, where=self._where, found=found, wanted=wanted, remedy=remedy or FETCH_AGAIN)


def _name(header: bytes) -> bytes:
    name = header[:100].split(b"\0", 1)[0]
    prefix = header[345:500].split(b"\0", 1)[0]
    # GNU's old format has times in the place of the prefix, the one before ustar has nothing.
    return prefix + b"/" + name if prefix and header[257:263] == b"ustar\0" else name
