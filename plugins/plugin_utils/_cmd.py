# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""Command lines for cmd.exe, the one language that every Windows understands, and the way there through PowerShell.

A line goes to cmd.exe as it is where the host's shell is cmd.exe. Elsewhere PowerShell hands it to cmd.exe: encoded, so
that no shell on the way can take a quote or a percent sign for its own.
"""

from __future__ import annotations

import base64
import codecs
import re
import zlib
from typing import Iterable, List, Tuple

# What cmd.exe gives a meaning to, the caret first: it is also what takes the meaning away.
_MEANING = '^()%!"<>&|'
_PLAIN = re.compile(r"[\w:./\\-]*[\w:./-]", re.ASCII)
_MARK = "plugops-"
# Ansible's own way of starting PowerShell: the connection plugins recognize it and do not wrap it once more.
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
    """One argument of a program on a line of cmd.exe, whatever it contains.

    Two readers stand between: cmd.exe, from whom carets hide every character that has a meaning, quotes included, and
    the program's run-time, which wants quotes around and backslashes doubled before a quote.
    """
    if _PLAIN.fullmatch(text):
        return text
    quoted = re.sub(r'(\\*)"', r'\1\1\\"', text)
    quoted = re.sub(r"(\\+)\Z", r"\1\1", quoted)
    return re.sub(f"([{re.escape(_MEANING)}])", r"^\1", f'"{quoted}"')


def literal(text: str) -> str:
    """A path for cmd.exe itself, as the program to start or for ``if exist``: in quotes, and variables are expanded.

    cmd.exe would end the name of a program at a blank between quotes that carets hide. A path has no quote in it.
    """
    return f'"{text}"'


def command(program: str, *arguments: str) -> str:
    """A program and its arguments, its complaints among its output."""
    name = program if _PLAIN.fullmatch(program) else literal(program)
    return " ".join([name, *map(word, arguments), "2>&1"])


def if_exists(path: str, answer: str = "yes") -> str:
    """A line that prints the answer where something has this path; in brackets, or it would take in what follows."""
    return f"(if exist {literal(path)} echo {answer})"


def sections(parts: Iterable[Tuple[str, str]]) -> str:
    """One line that does several things, each one's output under a name.

    :param parts: name -> line of cmd.exe
    """
    steps = ["chcp 65001 >nul 2>&1", f"echo {_MARK}page:& chcp"]
    for name, line in parts:
        steps.append(f"echo {_MARK}{name}:& {line}")
    steps.append(f"echo {_MARK}end:")
    return "& ".join(steps)


def read_sections(output: bytes) -> dict[str, str]:
    """What each part of :func:`sections` printed. Empty where the line did not run to its end in a cmd.exe."""
    pieces = re.split(_MARK.encode() + rb"([a-z-]+): ?\r?\n", output)
    found = {name.decode(): content for name, content in zip(pieces[1::2], pieces[2::2])}
    if not {"page", "end"} <= set(found):
        return {}
    codec = _codec(found.pop("page"))
    return {name: decoded(content, codec).strip() for name, content in found.items()}


def decoded(content: bytes, codec: str = "utf-8") -> str:
    """Text of a program: NSSM writes UTF-16 into a pipe, others the code page of the console."""
    if content.count(b"\x00") * 3 > len(content):
        return content.decode("utf-16-le", "replace").lstrip("\ufeff").replace("\r", "")
    return content.decode(codec, "replace").replace("\r", "")


def _codec(page: bytes) -> str:
    """Of what ``chcp`` says in the host's language; the number is the same in all of them."""
    numbers = re.findall(rb"\d+", page)
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
    """The bytes that :func:`through_powershell` has printed; none where it has not."""
    lines: List[str] = [line.strip() for line in output.splitlines() if line.strip()]
    text = lines[-1] if lines else ""
    if not re.fullmatch("[A-Za-z0-9+/]*={0,2}", text) or len(text) % 4:
        return b""
    return base64.b64decode(text)
