# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What forbids a change of the plugin directories of a Windows host, each with its remedy."""

from __future__ import annotations

from typing import Iterable, Mapping, Sequence

from ...module_utils._core.errors import OperatorError
from . import links, sddl, winpath
from .nssm import NssmService
from .service_account import ServiceAccount

_MOST_ENTRIES = 10_000  # no server has that many plugins


def refuse_links(levels: Sequence[str], seen: Mapping[str, str]) -> None:
    """Refuse links among the directories and all above them: who has made one is not known."""
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
    """Refuse more entries than plugins can have made."""
    if entries > _MOST_ENTRIES:
        raise OperatorError(
            f"{setting} has more entries than plugins can have made",
            where=target,
            found=f"{entries} entries",
            wanted=f"at most {_MOST_ENTRIES}",
            remedy="find out what fills it, and remove that",
        )


def refuse_names(setting: str, target: str, names: Iterable[str]) -> None:
    """Refuse names that cmd.exe could misread: whoever may write there chose them, and variables expand in quotes."""
    bad = next((name for name in names if not winpath.is_plain_name(name)), None)
    if bad is not None:
        raise OperatorError(
            f"an entry in {setting} that the account may not change has a name that no command can take safely",
            where=target,
            found=ascii(bad[:260]),
            wanted="letters, digits and such signs as . - _ ( )",
            remedy="remove it in the Explorer, or with PowerShell's Remove-Item -LiteralPath",
        )


def refuse_denials(setting: str, target: str, rights: sddl.Dacl, account: ServiceAccount) -> None:
    """Refuse entries that deny: they win over every grant."""
    for entry in rights.denials(sddl.MODIFY):
        if entry.sid in account.identities:
            raise OperatorError(
                f"the account {account.name} is denied write access to {setting}, and no grant changes that",
                where=target,
                found=f"an entry that denies {sddl.letters(entry.mask)} to {entry.sid}"
                + (", inherited from a directory above" if "ID" in entry.flags else ""),
                remedy=f'remove it where it was made: icacls "{target}" /remove:d *{entry.sid}',
            )


def refuse_without_rights(service: NssmService) -> None:
    """Refuse to change rights without those of an administrator."""
    if not service.elevated:
        raise OperatorError(
            f"access denied: this account may not give rights to the account of the service {service.name}",
            found="an account without administrator rights, or not elevated",
            remedy="connect as an account of the host's Administrators (over ssh and WinRM these are elevated)",
        )
