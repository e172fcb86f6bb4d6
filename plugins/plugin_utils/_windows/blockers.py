# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps the plugin directories of a Windows host from being changed, each with what to do about it."""

from __future__ import annotations

from typing import Iterable, Mapping, Sequence

from ...module_utils._core.errors import OperatorError
from . import links, sddl, winpath
from .nssm import NssmService
from .service_account import ServiceAccount

_MOST_ENTRIES = 10_000  # a server with that many plugins is none


def refuse_links(levels: Sequence[str], seen: Mapping[str, str]) -> None:
    """Of the directories and all above them: who has made a link there cannot be told."""
    for level in levels:
        if links.is_link(seen[level]):
            raise OperatorError(
                "a link or junction is in the path of a plugin directory; whoever made it decides what would be "
                "changed, so nothing is",
                where=level,
                remedy="where you made it, name the directory that it leads to (path, directory, client_directory); "
                "else remove it: rmdir removes a link alone, not what it leads to",
            )


def refuse_flood(setting: str, target: str, entries: int) -> None:
    if entries > _MOST_ENTRIES:
        raise OperatorError(
            f"{setting} is full of what can be no plugins",
            where=target,
            found=f"{entries} entries",
            wanted=f"at most {_MOST_ENTRIES}",
            remedy="see what fills it, and remove that",
        )


def refuse_names(setting: str, target: str, names: Iterable[str]) -> None:
    """Whoever may write there chose them, and cmd.exe expands variables between quotes, too."""
    bad = next((name for name in names if not winpath.is_plain_name(name)), None)
    if bad is not None:
        raise OperatorError(
            f"an entry in {setting} that the account may not change has a name that is given to no command",
            where=target,
            found=ascii(bad[:260]),
            wanted="letters, digits and such signs as . - _ ( )",
            remedy="remove it in the Explorer, or with PowerShell's Remove-Item -LiteralPath",
        )


def refuse_denials(setting: str, target: str, rights: sddl.Dacl, account: ServiceAccount) -> None:
    """An entry that denies wins over every grant."""
    for entry in rights.denials(sddl.MODIFY):
        if entry.sid in account.identities:
            raise OperatorError(
                f"the account {account.name} is denied to write in {setting}, and no grant changes that",
                where=target,
                found=f"an entry that denies {sddl.letters(entry.mask)} to {entry.sid}"
                + (", inherited from a directory above" if "ID" in entry.flags else ""),
                remedy=f'take it away where it was made: icacls "{target}" /remove:d *{entry.sid}',
            )


def refuse_without_rights(service: NssmService) -> None:
    if not service.elevated:
        raise OperatorError(
            f"access denied: this account may not give rights to the account of the service {service.name}",
            found="an account without administrator rights, or not elevated",
            remedy="connect as an account of the host's Administrators (over ssh and WinRM these are elevated)",
        )
