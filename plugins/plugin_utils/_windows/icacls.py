# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of cmd.exe around icacls. What it prints is in the language of the host, what it saves is not."""

from __future__ import annotations

import re
from typing import Dict, List, Tuple

from . import sddl
from .cmd import literal, word

Part = Tuple[str, str]
_LONGEST_COMPLAINT = 500


class Icacls:
    """Lines that need temporary files on the host.

    :param token: makes the temporary files of this run its own
    """

    def __init__(self, token: str) -> None:
        self._saved = rf"%TEMP%\plugops-{token}.acl"
        self._probe = rf"%TEMP%\plugops-{token}.tmp"

    def save(self, name: str, path: str) -> List[Part]:
        """The rights of a path, or of several by a pattern; :func:`saved` reads what the second part prints."""
        # A backslash before the quote would take its meaning away, and a bare drive is another directory.
        place = path.rstrip("\\") + "\\." if path.endswith("\\") or re.fullmatch("%[^%]+%", path) else path
        return [
            (f"{name}-output", f"icacls {literal(place)} /save {literal(self._saved)} 2>&1"),
            (name, f"type {literal(self._saved)} 2>nul& del /q {literal(self._saved)} 2>nul"),
        ]

    def look_up(self, account: str) -> List[Part]:
        """The identifier of an account: it gets a right on a file of our own, whose list then shows it."""
        probe = literal(self._probe)
        # LookupAccountName, which icacls asks, does not know the dot.
        of_this_host = account.startswith(".\\")
        grant = f"%COMPUTERNAME%{word(account[1:] + ':(RA)')}" if of_this_host else word(f"{account}:(RA)")
        return [
            ("account-granted", f"type nul > {probe}& icacls {probe} /grant:r {grant} 2>&1"),
            *self.save("account", self._probe),
            ("account-end", f"del /q {probe} 2>nul"),
        ]


def grant(path: str, grantee: str) -> str:
    """A line that adds Modify for one account, inherited by all below that inherits.

    A link itself instead of what it leads to, and never ``/t``, which walks through junctions. By its whole path, since
    the line stands in a directory that others may write.
    """
    rest = [word("/grant"), word(f"{grantee}:(OI)(CI)M"), "/l", "/q", "2>&1"]
    return rf'"%SystemRoot%\System32\icacls.exe" {literal(path)} {" ".join(rest)}'


def grant_for_people(path: str, grantee: str) -> str:
    """The same command as people write it."""
    return f'icacls "{path}" /grant "{grantee}:(OI)(CI)M"'


def make_directory(path: str) -> str:
    """A line that makes a directory."""
    return f"mkdir {literal(path)} 2>&1"


def saved(text: str) -> Dict[str, sddl.Dacl]:
    """Name (without directories) -> rights, from a file that ``icacls /save`` has written."""
    lines = [line.lstrip("\ufeff") for line in text.split("\n")]
    found: Dict[str, sddl.Dacl] = {}
    for name, line in zip(lines, lines[1:]):
        dacl = sddl.parse(line) if line.startswith("D:") else None
        if dacl is not None and name.rpartition("\\")[2] not in ("", ".", ".."):
            found[name.rpartition("\\")[2]] = dacl
    return found


def looked_up(text: str) -> str:
    """The identifier that :meth:`Icacls.look_up` has found, empty where the host knows no such account."""
    for dacl in saved(text).values():
        own = [entry.sid for entry in dacl.entries or () if "ID" not in entry.flags]
        if len(own) == 1:
            return own[0]
    return ""


def complaint(text: str) -> str:
    """What icacls printed, without its count of files."""
    return next((line.strip()[:_LONGEST_COMPLAINT] for line in text.split("\n") if line.strip()), "nothing")
