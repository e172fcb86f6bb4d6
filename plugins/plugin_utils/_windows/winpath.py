# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths as Windows understands them: when two spellings are the same directory."""

from __future__ import annotations

import re
import unicodedata
from typing import Callable, List, Optional

from ...module_utils._core.errors import OperatorError

_VARIABLE = re.compile("%([^%]+)%")
_ROOT = re.compile(r"([A-Za-z]:)\\|(\\\\[^\\]+\\[^\\]+)(?:\\|\Z)")
_NOT_IN_A_PATH = re.compile(r'[\x00-\x1f<>"|?*]')
# What cmd.exe or another program in between interprets even between quotes, or a person misreads.
_NOT_IN_A_NAME = re.compile(r'[\x00-\x1f\x7f-\x9f<>"|?*%!^&`/\\:\ufffd]')
_VARIABLES_OF_WINDOWS = (
    "SystemDrive", "SystemRoot", "windir", "ProgramFiles", "ProgramFiles(x86)", "ProgramW6432", "ProgramData",
    "ALLUSERSPROFILE",
)  # fmt: skip
_LONGEST = 32767
_WANTED = r"an absolute path such as C:\mattermost or \\server\share\mattermost"


def variables_in(path: str) -> List[str]:
    """Names between percent signs, as written; only the host knows whether there are such variables."""
    return _VARIABLE.findall(path)


def expanded(path: str, value_of: Callable[[str], Optional[str]]) -> str:
    """The path with its variables replaced; one that does not exist stays as it is written, as on Windows."""
    out, rest = "", path
    while True:
        match = _VARIABLE.search(rest)
        if match is None:
            return out + rest
        value = value_of(match[1])
        # The second percent sign of a name that is none may be the first of another one.
        end = match.start() + 1 if value is None else match.end()
        out += rest[: match.start()] + ("%" if value is None else value)
        rest = rest[end:]


def tidy(path: str) -> str:
    """One spelling of the path: no quotes, backslashes alone, neither doubled nor at the end, no ``.`` and ``..``.

    Case and variables stay as they are written.
    """
    text = path.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].strip()
    text = text.replace("/", "\\")
    for prefix, instead in (("\\\\?\\unc\\", "\\\\"), ("\\\\?\\", ""), ("\\\\.\\", "")):
        if text.lower().startswith(prefix):
            text = instead + text[len(prefix) :]
            break
    unc = "\\\\" if text.startswith("\\\\") else ""
    parts = [part for part in text.split("\\") if part]
    fixed = 2 if unc else 1  # the share, or the drive, is never left by ..
    kept: List[str] = []
    for number, part in enumerate(parts):
        if number >= fixed and part == "..":
            if len(kept) > fixed:
                kept.pop()
            continue
        if number >= fixed:
            part = part.rstrip(". ") if not part.endswith("%") else part
        if part:
            kept.append(part)
    text = unc + "\\".join(kept)
    return text + "\\" if re.fullmatch("[A-Za-z]:", text) else text


def same(one: str, other: str) -> bool:
    """Whether two expanded paths name the same directory. Short 8.3 names and links are not followed."""
    return _folded(tidy(one)) == _folded(tidy(other))


def check_wanted(path: str, option: str, may_have_variables: bool = True) -> str:
    """The tidy path that an option names.

    :raises OperatorError: it is relative, or no path at all
    """
    text = tidy(path)
    starts_with_variable = may_have_variables and re.match("%[^%]+%", text) is not None
    # The one variable of cmd.exe that holds quotes: what it is replaced by would end those around the path.
    misread = _NOT_IN_A_PATH.search(text) or "%cmdcmdline" in text.lower()
    if misread or not (_ROOT.match(text) or starts_with_variable) or ":" in text[2:]:
        raise OperatorError(f"{option} is not the path of a directory on Windows", found=repr(path), wanted=_WANTED)
    return text


def check_program(path: str, where: str, remedy: str) -> str:
    """The path of a program that an account with all rights is about to start.

    :param where: who names it
    :raises OperatorError: cmd.exe could read it in more than one way
    """
    plain = path
    for name in _VARIABLES_OF_WINDOWS:
        plain = re.sub(f"^%{re.escape(name)}%", "C:" if name == "SystemDrive" else r"C:\\x", plain, flags=re.IGNORECASE)
    bad = "%" in plain or "!" in plain or ":" in plain[2:] or len(path) > _LONGEST or not path.isprintable()
    if bad or not _ROOT.match(plain) or _NOT_IN_A_PATH.search(plain) or not path.lower().endswith(".exe"):
        raise OperatorError(
            "this program is not started: its path is not a plain one",
            where=where,
            found=repr(path[:300]),
            wanted=r"an absolute path that ends in .exe, such as C:\Program Files\nssm\nssm.exe; it may begin with a "
            "variable of Windows' own",
            remedy=remedy,
        )
    return path


def is_plain_name(name: str) -> bool:
    """Whether the name of an entry that anybody may have made can stand between quotes on a line of cmd.exe.

    Letters that a code page turns into one with a meaning (wide quotes, wide percent signs) count as what they become.
    """
    both = name + unicodedata.normalize("NFKC", name)
    return 0 < len(name) <= 255 and both.isprintable() and not _NOT_IN_A_NAME.search(both) and name.strip(" .") != ""


def levels(path: str) -> List[str]:
    """The directories of a tidy path from the top down, itself the last, without the drive or share."""
    found: List[str] = []
    while True:
        above = parent(path)
        if _ROOT.fullmatch(path) or not path or above == path:
            return found[::-1]
        found.append(path)
        if "\\" not in path:  # a variable
            return found[::-1]
        path = above


def is_on_network(path: str) -> bool:
    """Whether it is a path on a share."""
    return tidy(path).startswith("\\\\")


def executable_of(command_line: str) -> str:
    """The program of a service's ImagePath, which may lack quotes around a path with blanks."""
    text = command_line.strip()
    if text.startswith('"'):
        return text[1:].partition('"')[0]
    match = re.search(r"\.exe(?=\s|\Z)", text, re.IGNORECASE)
    return text[: match.end()] if match else text.partition(" ")[0]


def base_name(path: str) -> str:
    """The last name of the path."""
    return tidy(path).rpartition("\\")[2]


def parent(path: str) -> str:
    """The directory that holds the path."""
    return tidy(tidy(path).rpartition("\\")[0])


def is_below(path: str, directory: str) -> bool:
    """Whether the path lies in the directory, at any depth."""
    return _folded(tidy(path)).startswith(_folded(tidy(directory)).rstrip("\\") + "\\")


def join(directory: str, path: str) -> str:
    """``path`` as seen from ``directory``, unless it is absolute itself."""
    text = path.strip().replace("/", "\\")
    if _ROOT.match(text) or re.match("%[^%]+%", text):
        return tidy(text)
    return tidy(f"{directory}\\{text}")


def _folded(text: str) -> str:
    """Upper case letter by letter, as NTFS does; one that would become two letters stays."""
    return "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in text)
