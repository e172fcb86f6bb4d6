# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Junctions and links in the directories of a service account: whoever may write there can lead a change elsewhere.

Windows lets every account make a junction. So a change by name is made only while a line of cmd.exe stands in the
directory, which keeps it and all above it from being moved away, and after that line has seen that none of them is a
link. What is in the directory is never walked.
"""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Sequence, Tuple

from ...module_utils._core.errors import OperatorError
from . import winpath
from .cmd import literal

Part = Tuple[str, str]
NOT_RUN = "plugops: not the directory that was looked at, or a link is in its path"
_ATTRIBUTES = re.compile('"([a-z-]{0,20})"')


def questions(name: str, paths: Sequence[str]) -> List[Part]:
    """Lines that print the attributes of directories; they are letters and never contain a name.

    :param name: of the parts, with the number of each behind it
    """
    return [
        (
            f"{name}-{number}",
            f"(if exist {literal(path + chr(92) + '*')} pushd {literal(path)} 2>nul&& "
            f'((for %i in (.) do @echo "%~ai")& popd))',
        )
        for number, path in enumerate(paths)
    ]


def attributes(name: str, paths: Sequence[str], answers: Mapping[str, str]) -> Dict[str, str]:
    """Path -> its attributes as cmd.exe writes them, empty where there is no directory.

    :raises OperatorError: the host printed something else
    """
    found: Dict[str, str] = {}
    for (part, _line), path in zip(questions(name, paths), paths):
        match = _ATTRIBUTES.fullmatch(answers[part] or '""')
        if match is None:
            raise OperatorError(
                "the host does not tell whether a directory is a link",
                where=path,
                found=" ".join(answers[part].split())[:200],
                wanted="attributes such as d--------",
                remedy="check that the command extensions of cmd.exe are on: reg query "
                r'"HKCU\Software\Microsoft\Command Processor" /v EnableExtensions',
            )
        found[path] = match[1]
    return found


def is_link(letters: str) -> bool:
    """Whether these attributes are those of a link or junction."""
    return "l" in letters


def guarded(directory: str, seen: Mapping[str, str], line: str) -> str:
    """A line that is run only while the directory and all above it are what they were when they were looked at.

    :param seen: attributes of the directory and of what lies above it
    """
    levels = [seen.get(path, "") for path in reversed(winpath.levels(directory))]
    checks = [
        f"(for %i in ({' '.join(_up(height) for height, found in enumerate(levels) if found == letters)}) do "
        f"{_unless(letters)})"
        for letters in sorted(set(levels))
    ]
    steps = [
        f'set "L=1"& pushd {literal(_inside(directory))} 2>nul&& set "L="',
        *checks,
        f"(if defined L (echo {NOT_RUN}) else {line})",
        "popd",
    ]
    return "& ".join(steps)


def _up(height: int) -> str:
    r""". .. ..\.. and so on, from where the line stands."""
    return "\\".join([".."] * height) or "."


def _unless(letters: str) -> str:
    """Nothing is done in a link, and in nothing that was not seen."""
    return '@set "L=1"' if is_link(letters) or not letters else f'@if not "%~ai"=="{letters}" set "L=1"'


def _inside(directory: str) -> str:
    return directory + "." if directory.endswith("\\") else directory
