# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines for cmd.exe, the one shell that every Windows has, run directly or through PowerShell.

A line goes to cmd.exe as it is where the host's shell is cmd.exe. Elsewhere PowerShell hands it to cmd.exe: encoded, so
that no shell in between can interpret a quote or a percent sign.
"""

from __future__ import annotations

import base64
import codecs
import re
import zlib
from typing import Dict, Iterable, List, Sequence, Tuple

# Characters with a meaning in cmd.exe, the caret first, which removes the meaning of others.
_MEANING = '^()%!"<>&|'
_PLAIN = re.compile(r"[\w:./\\-]*[\w:./-]", re.ASCII)
# The directory that a line stands in may be anybody's: no program is looked for there.
_PRELUDE = 'set "NoDefaultCurrentDirectoryInExePath=1"'
_NAME = "[a-z][a-z0-9-]*"
# How Ansible starts PowerShell: the connection plugins recognize it and do not wrap it once more.
_POWERSHELL = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
_HAND_OVER = """\
$ErrorActionPreference = 'Stop'
$start = New-Object System.Diagnostics.ProcessStartInfo
$start.FileName = 'cmd.exe'
$packed = New-Object IO.MemoryStream(,[Convert]::FromBase64String('{line}'))
$stream = New-Object IO.Compression.DeflateStream($packed, [IO.Compression.CompressionMode]::Decompress)
$start.Arguments = '/d /s /c "' + (New-Object IO.StreamReader($stream, [Text.Encoding]::UTF8)).ReadToEnd() + '"'
$start.UseShellExecute = $false
$start.RedirectStandardOutput = $true
$process = [System.Diagnostics.Process]::Start($start)
$bytes = New-Object System.IO.MemoryStream
$process.StandardOutput.BaseStream.CopyTo($bytes)
$process.WaitForExit()
[Convert]::ToBase64String($bytes.ToArray())
exit $process.ExitCode
"""


def word(text: str) -> str:
    """One argument of a program on a line of cmd.exe, with any content.

    Two readers stand between: cmd.exe, from whom carets hide every character that has a meaning, quotes included, and
    the program's run-time, which wants quotes around and backslashes doubled before a quote.
    """
    if _PLAIN.fullmatch(text):
        return text
    quoted = re.sub(r'(?<!\\)(\\*)"', r'\1\1\\"', text)
    quoted = re.sub(r"(?<!\\)(\\+)\Z", r"\1\1", quoted)
    return re.sub(f"([{re.escape(_MEANING)}])", r"^\1", f'"{quoted}"')


def literal(text: str) -> str:
    """A path for cmd.exe itself, as the program to start or for ``if exist``: in quotes, and variables are expanded.

    cmd.exe would end the name of a program at a blank between quotes that carets hide. A path has no quote in it.
    """
    return f'"{text}"'


def shown(text: str) -> str:
    """The same for people, without carets."""
    return text if _PLAIN.fullmatch(text) else f'"{text}"'


def command(program: str, *arguments: str) -> str:
    """A program and its arguments, its error messages among its output."""
    name = program if _PLAIN.fullmatch(program) else literal(program)
    return " ".join([name, *map(word, arguments), "2>&1"])


def if_exists(path: str, answer: str = "yes") -> str:
    """A line that prints the answer where something has this path; in brackets, so that ``if`` ends there."""
    return f"(if exist {literal(path)} echo {answer})"


class BadAnswer(ValueError):
    """An answer whose parts are not the requested ones."""


def sections(parts: Iterable[Tuple[str, str]], mark: str) -> str:
    """One line that runs several lines, the output of each under a name.

    :param parts: name -> line of cmd.exe
    :param mark: random, so that nobody could know it before: it sets the names apart from what programs print
    """
    steps = [_PRELUDE, "chcp 65001 >nul 2>&1", f"echo {mark}-page:& chcp"]
    for name, line in parts:
        steps.append(f"echo {mark}-{name}:& {line}")
    steps.append(f"echo {mark}-end:")
    return "& ".join(steps)


def read_sections(output: bytes, mark: str, names: Sequence[str]) -> Dict[str, str]:
    """What each part of :func:`sections` printed.

    The mark may be nowhere but in the names, and each of these is there once and in order: what a stranger makes a
    program print can spoil an answer, but never replace another part of it.

    :returns: nothing where no cmd.exe has begun with the line
    :raises BadAnswer: the parts are not the requested ones
    """
    pieces = re.split(re.escape(mark).encode() + f"-({_NAME}): ?\r?\n".encode(), output)
    found = [name.decode() for name in pieces[1::2]]
    if output.count(mark.encode()) != len(found):
        raise BadAnswer("what sets its parts apart is printed where no part begins")
    expected = ["page", *names, "end"]
    if not found:
        return {}
    if found != expected:
        raise BadAnswer(_difference(found, expected))
    codec = _codec(pieces[2])
    return {name: decoded(content, codec).strip() for name, content in zip(names, pieces[4::2])}


def _difference(found: Sequence[str], expected: Sequence[str]) -> str:
    twice = next((name for number, name in enumerate(found) if name in found[:number]), "")
    if twice:
        return f"the part {twice} appears twice"
    if list(found) == list(expected[: len(found)]):
        return f"it ends in the part {found[-1]}"
    wrong, wanted = next((pair for pair in zip(found, expected) if pair[0] != pair[1]), (found[-1], "nothing"))
    return f"the part {wrong} comes where {wanted} is expected"


def decoded(content: bytes, codec: str = "utf-8") -> str:
    """Text of a program: NSSM writes UTF-16 into a pipe, others the code page of the console."""
    if content.count(b"\x00") * 3 > len(content):
        return content.decode("utf-16-le", "replace").lstrip("\ufeff").replace("\r", "")
    return content.decode(codec, "replace").replace("\r", "")


def _codec(page: bytes) -> str:
    """The codec for the output of ``chcp``, whose text is in the host's language and whose number is not."""
    numbers = re.findall(rb"\b\d{1,5}\b", page[:1000])
    name = f"cp{numbers[-1].decode()}" if numbers else ""
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "utf-8"


def through_powershell(line: str) -> str:
    """A command for any shell: PowerShell that gives the line to cmd.exe and prints its output in base 64."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)  # WinRM takes no more than 8191 characters
    packed = deflate.compress(line.encode("utf-8")) + deflate.flush()
    script = _HAND_OVER.format(line=base64.b64encode(packed).decode())
    return _POWERSHELL + base64.b64encode(script.encode("utf-16-le")).decode()


def from_powershell(output: str) -> bytes:
    """The bytes that :func:`through_powershell` has printed; none if it failed."""
    lines: List[str] = [line.strip() for line in output.splitlines() if line.strip()]
    text = lines[-1] if lines else ""
    if not re.fullmatch("[A-Za-z0-9+/]*={0,2}", text) or len(text) % 4:
        return b""
    return base64.b64decode(text)
