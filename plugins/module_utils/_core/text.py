# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of strangers (names of files, lines of logs, answers of servers) made safe to show, in one place.

What a terminal obeys, and what shows text in another order than it has, becomes a visible escape: control characters
(C0, DEL, C1), bidirectional marks, line and paragraph separators, halves of surrogate pairs. Tabs and line ends are
kept in results, where an operator's own texts have them (:func:`printable`), and become escapes where a text is a line
of its own, so that nobody writes lines of somebody else (:func:`one_line`).
"""

from __future__ import annotations

import re
from typing import Any, Match

# Beside the ranges: ALM, LRM and RLM, LS and PS with the embeddings and overrides, the isolates.
_COMMANDS = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_UNSAFE = re.compile(f"[\\x00-\\x08\\x0b-\\x1f{_COMMANDS}]")
_UNSAFE_IN_A_LINE = re.compile(f"[\\x00-\\x1f{_COMMANDS}]")
# Python's own escape for bytes of file names that are no UTF-8.
_FIRST_BYTE, _LAST_BYTE = 0xDC80, 0xDCFF


def safe(text: str) -> str:
    """The text with escapes for what a terminal obeys; tabs and line ends stay."""
    return _UNSAFE.sub(_escape, text)


def one_line(text: str, longest: int = 0) -> str:
    """The text as one line, with escapes for what a terminal obeys, for tabs and for line ends.

    :param longest: in characters; what is longer is cut and ends in ``...``; 0: however long it is
    """
    if longest and len(text) > longest:
        text = text[: longest - 3] + "..."
    return _UNSAFE_IN_A_LINE.sub(_escape, text)


def printable(value: Any) -> Any:
    """A result as Ansible takes it and a terminal may show it: every text in it, names included, is :func:`safe`."""
    if isinstance(value, dict):
        return {printable(key): printable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [printable(item) for item in value]
    return safe(value) if isinstance(value, str) else value


def in_lines(value: Any) -> Any:
    """As :func:`printable`, with every text as :func:`one_line`."""
    if isinstance(value, dict):
        return {in_lines(key): in_lines(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [in_lines(item) for item in value]
    return one_line(value) if isinstance(value, str) else value


def _escape(match: Match[str]) -> str:
    code = ord(match.group())
    if _FIRST_BYTE <= code <= _LAST_BYTE:
        code -= 0xDC00
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def shown_path(path: str) -> str:
    """A path as it can be printed: bytes that are no UTF-8 and control characters as escapes."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
