# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Directories of Windows' own, in which no service account gets any right, even if an operator names them.

========================================  =====================================================
Never, nor anything below                 ``\Windows``, ``\System Volume Information``,
                                          ``\$Recycle.Bin``, ``\Boot``, ``\EFI``, ``\Recovery``,
                                          ``\ProgramData\Microsoft``, ``\Program Files\Common Files``
Never, but what is below                  the root of a drive or share, ``\Program Files``,
                                          ``\Program Files (x86)``, ``\ProgramData``, ``\Users``,
                                          ``\Documents and Settings``, each account's own directory
========================================  =====================================================

On every drive, and where the host's own variables point to.
"""

from __future__ import annotations

import re
from typing import List

from ...module_utils._core.errors import OperatorError
from . import winpath
from .cmd import literal

_WHOLE = ("SystemRoot", "ProgramData\\Microsoft", "ProgramFiles\\Common Files", "ProgramFiles(x86)\\Common Files")
_ITSELF = ("ProgramFiles", "ProgramFiles(x86)", "ProgramData", "PUBLIC", "USERPROFILE")
_WHOLE_NAMES = (
    "windows", "winnt", "system volume information", "$recycle.bin", "boot", "efi", "recovery",
    "programdata\\microsoft", "program files\\common files", "program files (x86)\\common files",
)  # fmt: skip
_ITSELF_NAMES = ("program files", "program files (x86)", "programdata", "users", "documents and settings")
_OF_ACCOUNTS = ("users", "documents and settings")
_SHARE_OF_A_DRIVE = re.compile(r"\\\\[^\\]+\\([A-Za-z])\$(?=\\|\Z)")
_SHARE = re.compile(r"\\\\[^\\]+\\[^\\]+")
_SHORT_NAME = re.compile(r"~[0-9]")


def question() -> str:
    """A line that prints where the host has its own directories."""
    names = (f"%{name}%" + (f"\\{below}" if below else "") for name, _separator, below in _split())
    return "& ".join(f"echo {literal(name)}" for name in names)


def refuse(target: str, setting: str, option: str, answer: str) -> None:
    """Refuse a directory of Windows' own.

    :param target: path, variables replaced
    :param option: that names it
    :param answer: what :func:`question` has printed
    :raises OperatorError: a directory of Windows' own
    """
    found = _why(winpath.tidy(_SHARE_OF_A_DRIVE.sub(r"\1:", winpath.tidy(target))), _known(answer))
    if found:
        raise OperatorError(
            f"{setting} would be {found}, where no service account may get any right",
            where=target,
            wanted="a directory of the server's own",
            remedy=f"name another one in {option} and in the server's configuration",
        )


def _why(path: str, known: List[str]) -> str:
    whole, itself = known[: len(_WHOLE)], known[len(_WHOLE) :]
    if not winpath.levels(path) or _SHARE.fullmatch(path):
        return "the root of a drive or share"
    below = path.partition("\\")[2].lower()
    on_a_drive = path[1:2] == ":"
    if any(winpath.same(path, place) or winpath.is_below(path, place) for place in whole if place) or (
        on_a_drive and any(f"{below}\\".startswith(f"{name}\\") for name in _WHOLE_NAMES)
    ):
        return "in a directory of Windows itself"
    if any(winpath.same(path, place) or winpath.is_below(place, path) for place in [*itself, *whole] if place):
        return "a directory that holds those of Windows, of all programs or of an account"
    if on_a_drive and (below in _ITSELF_NAMES or below.rpartition("\\")[0] in _OF_ACCOUNTS):
        return "a directory of all programs or accounts, or that of one account"
    if on_a_drive and _SHORT_NAME.search(below.partition("\\")[0]):
        return "in a directory that is named by its short name"
    return ""


def _known(answer: str) -> List[str]:
    """The paths in the order of :func:`question`, empty where the host has no such variable."""
    lines = [winpath.tidy(line) for line in answer.split("\n")]
    lines += [""] * (len(_WHOLE) + len(_ITSELF) - len(lines))
    return ["" if "%" in line else line for line in lines[: len(_WHOLE) + len(_ITSELF)]]


def _split() -> List[tuple[str, str, str]]:
    return [name.partition("\\") for name in (*_WHOLE, *_ITSELF)]
