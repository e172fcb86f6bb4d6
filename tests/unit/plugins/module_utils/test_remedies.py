# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command in a remedy is pasted into a root shell: what the text of a node puts into it is one word of it each."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

from plugops_tests.support.playbooks import REPOSITORY

# What an operator is told to run. systemctl show is what was run.
COMMAND = re.compile(
    r"\b(?:chown|chgrp|chmod|setfacl|chattr|restorecon|semanage|mv|rm|rmdir|umount|useradd|groupadd|systemd-analyze|kill"
    r"|mkdir -p|ln -s|mount -o|install -d|systemctl (?!show)[a-z-]{1,20}) "
)
_END = re.compile(r"[),;] |[)]$|, | as its owner| [(]")
# Of the program's own making, and never text of a node.
OWN = {"octal(mode)", "letter", "option", "who", "why", "reread", "verb"}
SOURCES = sorted((REPOSITORY / "plugins/module_utils").rglob("*.py"))


def _in_commands(source: Path) -> Iterator[Tuple[int, str]]:
    """Line and text of each placeholder behind the word of a command, in one text."""
    for text in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if not isinstance(text, ast.JoinedStr):
            continue
        inside = False
        for part in text.values:
            if isinstance(part, ast.Constant):
                inside = _is_inside(inside, part.value)
            elif inside and isinstance(part, ast.FormattedValue):
                yield text.lineno, ast.unparse(part.value)


def _is_inside(inside: bool, text: str) -> bool:
    """Whether a command goes on behind the text."""
    commands = list(COMMAND.finditer(text))
    if commands:
        return _END.search(text, commands[-1].end()) is None
    return inside and _END.search(text) is None


@pytest.mark.parametrize("source", SOURCES, ids=[path.name for path in SOURCES])
def test_every_placeholder_of_a_command_is_quoted(source: Path) -> None:
    bare = [(line, text) for line, text in _in_commands(source) if text not in OWN]
    assert [found for found in bare if not found[1].startswith("shlex.quote(")] == []


def test_commands_are_found() -> None:
    """A look that finds none is no test."""
    found: List[str] = [text for source in SOURCES for _, text in _in_commands(source)]
    assert sum(text.startswith("shlex.quote(") for text in found) > 15
