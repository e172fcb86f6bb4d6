# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access rights of Windows in the spelling that no language of the host changes: SDDL, as ``icacls /save`` has it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Collection, Iterable, List, Optional, Tuple

FULL, MODIFY, READ_AND_EXECUTE = 0x1F01FF, 0x1301BF, 0x1200A9
# icacls' letters, from the widest.
_LETTERS = ((FULL, "F"), (MODIFY, "M"), (READ_AND_EXECUTE, "RX"), (0x120089, "R"))
_RIGHTS = {
    "GA": FULL, "GR": 0x120089, "GW": 0x120116, "GX": 0x1200A0,
    "FA": FULL, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0,
    "RC": 0x20000, "SD": 0x10000, "WD": 0x40000, "WO": 0x80000,
    "CC": 0x1, "DC": 0x2, "LC": 0x4, "SW": 0x8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100,
}  # fmt: skip
_GENERIC = ((0x10000000, FULL), (0x80000000, 0x120089), (0x40000000, 0x120116), (0x20000000, 0x1200A0))
# Those that mean the same account on every host; others, such as LA, stay as they are written.
_SIDS = {
    "SY": "S-1-5-18", "LS": "S-1-5-19", "NS": "S-1-5-20", "BA": "S-1-5-32-544", "BU": "S-1-5-32-545",
    "BG": "S-1-5-32-546", "WD": "S-1-1-0", "AN": "S-1-5-7", "AU": "S-1-5-11", "SU": "S-1-5-6", "NU": "S-1-5-2",
    "IU": "S-1-5-4", "CO": "S-1-3-0", "CG": "S-1-3-1", "OW": "S-1-3-4", "RC": "S-1-5-12", "AC": "S-1-15-2-1",
}  # fmt: skip
_LONGEST = 1 << 17  # Windows keeps no list of more than 64 KB
_ALLOW, _DENY = ("A", "XA"), ("D", "XD")
_DACL = re.compile(r"D:([A-Z_]*)((?:\((?:[^()\"]|\"[^\"]*\"|\([^()]*\))*\))*)")
SELF, FILES, DIRECTORIES = "self", "files", "directories"


@dataclass(frozen=True)
class Ace:
    """One entry.

    :param conditional: it counts under a condition that only Windows can judge
    :param flags: OI, CI, NP, IO, ID ...
    """

    denies: bool
    conditional: bool
    flags: Tuple[str, ...]
    mask: int
    sid: str

    def counts_for(self, what: str) -> bool:
        """Whether it counts for the directory itself, or for what is made anywhere below it."""
        if what == SELF:
            return "IO" not in self.flags
        return ("OI" if what == FILES else "CI") in self.flags and "NP" not in self.flags


@dataclass(frozen=True)
class Dacl:
    """The list of access rights of one file or directory.

    :param entries: None if there is no list, which lets everybody do everything
    """

    entries: Optional[Tuple[Ace, ...]]

    def mask(self, sids: Collection[str], what: str = SELF) -> int:
        """What an account with these identities may do, by the entries in their order, as Windows reads them."""
        if self.entries is None:
            return FULL
        allowed = denied = 0
        for entry in self.entries:
            if entry.sid not in sids or not entry.counts_for(what):
                continue
            if entry.denies:
                denied |= entry.mask
            elif not entry.conditional:
                allowed |= entry.mask & ~denied
        return allowed

    def gives(self, sids: Collection[str], mask: int) -> bool:
        """Whether they have these rights here, and in everything that is made below."""
        return mask & ~self.mask(sids) == 0 and self.gives_below(sids, mask)

    def gives_below(self, sids: Collection[str], mask: int) -> bool:
        """Whether they get these rights in everything that is made below."""
        return all(mask & ~self.mask(sids, what) == 0 for what in (FILES, DIRECTORIES))

    def denials(self, mask: int) -> List[Ace]:
        """The entries that deny one of these rights."""
        return [entry for entry in self.entries or () if entry.denies and entry.mask & mask]


def letters(mask: int) -> str:
    """As icacls shows it: F, M, RX, R, N for none, else the number."""
    named = next((letter for value, letter in _LETTERS if value & ~mask == 0), "")
    exact = next((letter for value, letter in _LETTERS if value == mask), "")
    return exact or (f"{named}+" if named else hex(mask) if mask else "N")


def parse(text: str) -> Optional[Dacl]:
    """The list of access rights in a security descriptor; None where the text is none."""
    match = _DACL.match(text.strip()) if len(text) <= _LONGEST else None
    if match is None:
        return None
    if match[1] == "NO_ACCESS_CONTROL":
        return Dacl(None)
    entries = [_entry(part) for part in re.findall(r"\(((?:[^()\"]|\"[^\"]*\"|\([^()]*\))*)\)", match[2])]
    return Dacl(tuple(entry for entry in entries if entry is not None))


def normal_sid(text: str) -> str:
    """One spelling of an identifier: short forms that mean the same on every host are written out."""
    return _SIDS.get(text.upper(), text.upper())


def _entry(text: str) -> Optional[Ace]:
    """None for kinds that are not about access, or not about files."""
    fields = text.split(";", 6)
    if len(fields) < 6 or fields[0] not in (*_ALLOW, *_DENY):
        return None
    kind, flags, rights, _object, _inherited, sid = fields[:6]
    pairs = tuple(re.findall("..", flags))
    return Ace(kind in _DENY, kind.startswith("X"), pairs, _mask(rights), normal_sid(sid))


def _mask(text: str) -> int:
    if re.fullmatch("0[xX][0-9A-Fa-f]{1,16}|0[0-7]{0,16}|[1-9][0-9]{0,16}", text):
        mask = int(text, 16 if text[:2].lower() == "0x" else 8 if text.startswith("0") else 10)
        return (mask & FULL) | _or(value for bit, value in _GENERIC if mask & bit)
    return _or(_RIGHTS.get(pair, 0) for pair in re.findall("..", text))


def _or(values: Iterable[int]) -> int:
    found = 0
    for value in values:
        found |= value
    return found
