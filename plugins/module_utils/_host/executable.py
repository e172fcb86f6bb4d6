# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What machine an executable is made for, by its header: ELF (elf(5)), PE and Mach-O."""

from __future__ import annotations

import os
import platform
import struct
from dataclasses import dataclass
from typing import Optional

from .reading import open_file

# e_machine -> Go's name of the processor, by width of a word.
_MACHINES = {3: "386", 62: "amd64", 40: "arm", 183: "arm64", 243: "riscv64", 21: "ppc64le", 22: "s390x", 8: "mips"}
_PROCESSORS = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "i386": "386",
    "i686": "386",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv6l": "arm",
    "armv7l": "arm",
    "riscv64": "riscv64",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}
# What a processor runs besides its own.
_RUNS_TOO = {"amd64": ("386",), "arm64": ("arm",)}
_PT_INTERP = 3
_LONGEST_PATH = 4096


@dataclass(frozen=True)
class Header:
    """What an executable is made for, by its header.

    :param system: ``linux``, ``windows``, ``darwin``; ``script`` for a text with ``#!``; empty if it is none of these
    :param processor: Go's name; empty where it is not known
    :param loader: the program loader or interpreter that it names; empty if none
    """

    system: str
    processor: str = ""
    loader: str = ""


def this_processor() -> str:
    """Go's name of this machine's processor; empty where it is not known."""
    return _PROCESSORS.get(platform.machine().lower(), "")


def fits(header: Header, processor: str) -> bool:
    """Whether Linux on this processor can start it; what is not known is not refused."""
    if header.system == "script":
        return True
    if header.system != "linux":
        return False
    known = processor and header.processor
    return not known or header.processor == processor or header.processor in _RUNS_TOO.get(processor, ())


def read_header(real: str) -> Header:
    """The header of an executable.

    :raises OSError: it cannot be read
    """
    with open_file(real) as source:
        start = source.read(512)
        if start[:4] == b"\x7fELF":
            return Header("linux", _elf_processor(start), _elf_loader(start, source.fileno()))
    if start[:2] == b"#!":
        words = start[2:].split(b"\n", 1)[0].split(b"\0", 1)[0].split()
        return Header("script", "", os.fsdecode(words[0]) if words else "")
    if start[:2] == b"MZ":
        return Header("windows")
    if start[:4] in (
        b"\xfe\xed\xfa\xce",
        b"\xfe\xed\xfa\xcf",
        b"\xce\xfa\xed\xfe",
        b"\xcf\xfa\xed\xfe",
        b"\xca\xfe\xba\xbe",
    ):
        return Header("darwin")
    return Header("")


def _order(start: bytes) -> str:
    return ">" if start[5:6] == b"\x02" else "<"


def _elf_processor(start: bytes) -> str:
    if len(start) < 20:
        return ""
    (machine,) = struct.unpack(f"{_order(start)}H", start[18:20])
    return _MACHINES.get(machine, f"machine {machine}")


def _elf_loader(start: bytes, handle: int) -> str:
    """The path in the PT_INTERP header; empty for a static executable or a damaged header."""
    order, wide = _order(start), start[4:5] == b"\x02"
    try:
        table = struct.unpack(f"{order}Q", start[32:40])[0] if wide else struct.unpack(f"{order}I", start[28:32])[0]
        size, count = struct.unpack(f"{order}HH", start[54:58] if wide else start[42:46])
        headers = os.pread(handle, min(size * count, 65536), table)
        for number in range(count):
            place = _interp(headers[number * size : (number + 1) * size], order, wide)
            if place is not None:
                path = os.pread(handle, min(place[1], _LONGEST_PATH), place[0])
                return os.fsdecode(path.split(b"\0", 1)[0])
    except (struct.error, OSError, OverflowError):
        pass
    return ""


def _interp(header: bytes, order: str, wide: bool) -> Optional[tuple[int, int]]:
    if struct.unpack(f"{order}I", header[:4])[0] != _PT_INTERP:
        return None
    if wide:
        offset, length = struct.unpack(f"{order}Q", header[8:16])[0], struct.unpack(f"{order}Q", header[32:40])[0]
    else:
        offset, length = struct.unpack(f"{order}I", header[4:8])[0], struct.unpack(f"{order}I", header[16:20])[0]
    return offset, length
