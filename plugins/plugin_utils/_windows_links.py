# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""Junctions and links in the directories of a service account: whoever may write there can lead a change elsewhere.

Windows lets every account make a junction. So a change by name is made only while a line of cmd.exe stands in the
directory, which keeps it and all above it from being moved away, and after that line has seen that none of them is a
link. What is in the directory is never walked.
"""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Sequence, Tuple

from ..module_utils._errors import OperatorError
from . import _winpath as winpath
from ._cmd import literal

Part = Tuple[str, str]
IN_THE_WAY = "plugops: not the directory that was looked at, or a link is in its path"
_ATTRIBUTES = re.compile('"([a-z-]{0,20})"')
_AT_ONCE = 20


def questions(name: str, paths: Sequence[str]) -> List[Part]:
    """For the attributes of the paths; they are letters, whatever the paths are called.

    :param name: of the parts, with the number of each behind it
    """
    parts = [paths[start : start + _AT_ONCE] for start in range(0, len(paths), _AT_ONCE)]
    return [(f"{name}-{number}", _each(some, '@echo "%~ai"')) for number, some in enumerate(parts)]


def attributes(name: str, paths: Sequence[str], answers: Mapping[str, str]) -> Dict[str, str]:
    """Path -> its attributes as cmd.exe writes them, empty where nothing has this path.

    :raises OperatorError: the host says something else
    """
    if not paths:
        return {}
    lines = [line for part, _ in questions(name, paths) for line in answers[part].split("\n")]
    matches = [_ATTRIBUTES.fullmatch(line.strip()) for line in lines]
    found = {path: match[1] for path, match in zip(paths, matches) if match is not None}
    if len(lines) != len(paths) or len(found) != len(paths):
        raise OperatorError(
            "the host does not tell which directories are links",
            found=" ".join(answers[questions(name, paths)[0][0]].split())[:200] or "nothing",
            wanted=f"attributes such as d--------, {len(paths)} times",
            remedy="see that the command extensions of cmd.exe are on: reg query "
            r'"HKCU\Software\Microsoft\Command Processor" /v EnableExtensions',
        )
    return found


def is_link(letters: str) -> bool:
    return "l" in letters


def is_directory(letters: str) -> bool:
    return letters.startswith("d")


def guarded(directory: str, seen: Mapping[str, str], line: str) -> str:
    """A line that is run only while the directory and all above it are what they were when they were looked at.

    :param seen: attributes of the directory and of what lies above it
    """
    checks = [
        _each([path for path in winpath.levels(directory) if seen.get(path) == letters], _unless(letters))
        for letters in sorted({seen.get(path, "") for path in winpath.levels(directory)})
    ]
    steps = [
        f'set "L=1"& pushd {literal(_inside(directory))} 2>nul&& set "L="',
        *checks,
        f"(if defined L (echo {IN_THE_WAY}) else {line})",
        "popd",
    ]
    return "& ".join(steps)


def _unless(letters: str) -> str:
    """Nothing is done in a link, and in nothing that was not seen."""
    return '@set "L=1"' if is_link(letters) or not letters else f'@if not "%~ai"=="{letters}" set "L=1"'


def _each(paths: Sequence[str], what: str) -> str:
    return f"(for %i in ({' '.join(map(literal, paths))}) do {what})"


def _inside(directory: str) -> str:
    return directory + "\\." if directory.endswith("\\") else directory
