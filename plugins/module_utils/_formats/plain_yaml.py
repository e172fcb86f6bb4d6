# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain subset of YAML, read with the standard library alone: a stock host has no PyYAML.

Block mappings and sequences, quoted and plain scalars of one line, block scalars, flow collections of one line.
What is beyond it is refused, never guessed. Each line is looked at a few times at most.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, NoReturn, Optional, Tuple

MAX_DEPTH = 50
_NULLS = ("", "~", "null", "Null", "NULL")
# Not printable, or a line break only for some readers (NEL, LS, PS).
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLOCK_HEADER = re.compile(r"([|>])(?:([-+])([1-9])?|([1-9])([-+])?)?(?: +#.*| *)")
_PLAIN_KEY_END = re.compile(r"(?<=[^ ]) *:(?= |$)")
_FLOW_PLAIN_END = re.compile(r"[,\[\]{}]|:(?=[ ,\[\]{}]|$)| #|$")
_ESCAPE = re.compile(r'\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(["\\/ 0abtnvfreN_LP])|(.?))')
_ESCAPED = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip


class YamlError(ValueError):
    """The text is no YAML, or beyond what the reader at hand understands; with the line where it is known."""


def without_halves(text: str) -> str:
    """The text, if it holds no lone surrogate."""
    if _SURROGATE.search(text):  # "\ud83d" escapes: the server's reader refuses them too
        raise YamlError("a lone surrogate (\\ud800 to \\udfff)")
    return text


def read_plain_yaml(text: str) -> Any:
    """As :func:`.yaml.read_yaml`, the plain subset."""
    if _UNREADABLE.search(text):
        raise YamlError("a character that is not printable")
    return _PlainReader(text).document()


class _PlainReader:
    """Line by line; ``_at`` is the line to be read next."""

    def __init__(self, text: str) -> None:
        self._lines: List[str] = re.split("\r\n|\r|\n", text)
        self._at = 0
        self._depth = 0

    def document(self) -> Any:
        marked = self._next() is not None and re.fullmatch(r"---( +#.*| *)", self._lines[self._at]) is not None
        self._at += 1 if marked else 0
        if self._next() is None or (marked and self._at_document_end()):
            return None
        if self._at_document_end() or self._lines[self._at].startswith("%"):
            self._refuse("a directive, or a document marker in an unusual place")
        value = self._block(-1)
        if self._next() is not None and not self._at_document_end():
            self._refuse("a line that is indented otherwise than the lines before it")
        return value

    def _refuse(self, what: str) -> NoReturn:
        raise YamlError(f"line {min(self._at, len(self._lines) - 1) + 1}: {what}")

    def _next(self) -> Optional[int]:
        """Go to the next line that is neither blank nor a comment; its indentation, None at the end."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            content = line.lstrip(" ")
            if content and not content.startswith("#"):
                if "\t" in line:
                    self._refuse("a tab")
                return len(line) - len(content)
            self._at += 1
        return None

    def _at_document_end(self) -> bool:
        return re.match(r"(---|\.\.\.)( |$)", self._lines[self._at]) is not None

    def _block(self, parent: int, *, sequence_beside: bool = False) -> Any:
        """The block that is indented more than ``parent`` (a sequence below a key may be at the same column)."""
        indent = self._next()
        if indent is None or self._at_document_end():
            return None
        content = self._lines[self._at][indent:]
        is_sequence = _is_item(content)
        if indent <= parent and not (is_sequence and sequence_beside and indent == parent):
            return None
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse("nested too deeply")
        if is_sequence:
            value: Any = self._sequence(indent)
        elif self._split_key(content) is not None:
            value = self._mapping(indent)
        else:
            value = self._scalar(content.rstrip(" "), parent)
        self._depth -= 1
        return value

    def _mapping(self, indent: int) -> Dict[str, Any]:
        found: Dict[str, Any] = {}
        while self._next() == indent and not self._at_document_end():
            pair = self._split_key(self._lines[self._at][indent:])
            if pair is None:
                self._refuse("neither `key: value` nor a comment")
            key, rest = pair
            found[key] = self._value(rest, indent, sequence_beside=True)
        return found

    def _sequence(self, indent: int) -> List[Any]:
        found: List[Any] = []
        while self._next() == indent and not self._at_document_end():
            content = self._lines[self._at][indent:]
            if not _is_item(content):
                break
            rest = content[1:].lstrip(" ")
            if _is_item(rest) or (rest and self._split_key(rest) is not None):  # "- key: value", "- - item"
                self._lines[self._at] = " " * (indent + len(content) - len(rest)) + rest
                found.append(self._block(indent))
            else:
                found.append(self._value(rest, indent))
        return found

    def _value(self, rest: str, indent: int, *, sequence_beside: bool = False) -> Any:
        """What follows a key or a dash, on the same line or as a block below."""
        rest = rest.rstrip(" ")
        if rest and not rest.startswith("#"):
            return self._scalar(rest, indent)
        self._at += 1
        return self._block(indent, sequence_beside=sequence_beside)

    def _scalar(self, text: str, indent: int) -> Any:
        """A scalar or a flow collection that fills the rest of its line; ``indent`` is its parent's."""
        if text[0] in "|>":
            if indent < 0:
                self._refuse("a document that is one block of text")
            return self._block_scalar(text, indent)
        if text[0] in "[{\"'":
            value, end = self._flow(text, 0, 0)
            if not re.fullmatch(" *| +#.*", text[end:]):
                self._refuse("text after the value")
        else:
            text = text.split(" #", 1)[0].rstrip(" ")
            self._check_plain(text)
            if text.endswith(":") or ": " in text:
                self._refuse("a colon in an unquoted text")
            value = None if text in _NULLS else text
        self._at += 1
        follower = self._next()
        if follower is not None and follower > indent:
            self._refuse("a value that goes on in the next line")
        return value

    def _check_plain(self, text: str) -> None:
        if text[:1] in ("#", "&", "*", "!", "%", "@", "`", '"', "'", "|", ">", ",", "[", "]", "{", "}"):
            self._refuse("an anchor, alias, tag or reserved character at the start of an unquoted text")
        if re.match(r"[-?:]( |$)", text):
            self._refuse("an indicator (- ? :) in the place of a value")

    def _split_key(self, content: str) -> Optional[Tuple[str, str]]:
        """``key: rest`` as key and rest, None if this is no key."""
        if content[0] in "\"'":
            key, end = self._quoted(content, 0)
            colon = re.compile(" *:(?= |$)").match(content, end)
        elif content[0] in "[{":
            return None
        else:
            colon = _PLAIN_KEY_END.search(content)
            key = content[: colon.start()] if colon else ""
            if colon is None or " #" in key:
                return None
            self._check_plain(key)
            if key == "<<":
                self._refuse("a merge key")
        if colon is None:
            return None
        return key, content[colon.end() :].lstrip(" ")

    def _quoted(self, text: str, start: int) -> Tuple[str, int]:
        """The quoted text at ``start`` and where it ends."""
        if text[start] == "'":
            match = re.compile(r"'((?:[^']|'')*)'").match(text, start)
            value = match.group(1).replace("''", "'") if match else ""
        else:
            match = re.compile(r'"((?:[^"\\]|\\.)*)"').match(text, start)
            value = _ESCAPE.sub(self._unescape, match.group(1)) if match else ""
        if match is None:
            self._refuse("a quoted text that does not end in its line")
        return without_halves(value), match.end()

    def _unescape(self, match: re.Match[str]) -> str:
        code = match.group(1) or match.group(2) or match.group(3)
        if code:
            if int(code, 16) > 0x10FFFF:
                self._refuse("an escape beyond Unicode")
            return chr(int(code, 16))
        if match.group(4) is None:
            self._refuse(f"the unknown escape {match.group(0)}")
        return _ESCAPED.get(match.group(4), match.group(4))

    def _flow(self, text: str, at: int, depth: int) -> Tuple[Any, int]:
        """The flow value at ``at`` and where it ends; all of it is in this line."""
        if depth > MAX_DEPTH:
            self._refuse("nested too deeply")
        if text[at : at + 1] == "[":
            return self._flow_sequence(text, at + 1, depth)
        if text[at : at + 1] == "{":
            return self._flow_mapping(text, at + 1, depth)
        if text[at : at + 1] in ('"', "'"):
            return self._quoted(text, at)
        match = _FLOW_PLAIN_END.search(text, at)
        end = match.start() if match else len(text)
        plain = text[at:end].rstrip(" ")
        self._check_plain(plain)
        if plain[:1] == ":" or "?" in plain:
            self._refuse("a question mark or colon in an unquoted text inside brackets")
        return (None if plain in _NULLS else plain), end

    def _flow_sequence(self, text: str, at: int, depth: int) -> Tuple[List[Any], int]:
        found: List[Any] = []
        while True:
            at = _skip(text, at)
            if text[at : at + 1] == "]":
                return found, at + 1
            if text[at : at + 1] in (",", ""):
                self._refuse("an empty item, or a list that does not end in its line")
            value, at = self._flow(text, at, depth + 1)
            found.append(value)
            at = self._flow_separator(text, at, "]")

    def _flow_mapping(self, text: str, at: int, depth: int) -> Tuple[Dict[str, Any], int]:
        found: Dict[str, Any] = {}
        while True:
            at = _skip(text, at)
            if text[at : at + 1] == "}":
                return found, at + 1
            start = at
            key, at = self._flow(text, at, MAX_DEPTH if text[at : at + 1] in "[{" else depth + 1)
            at = _skip(text, at)
            if key is None:
                key = text[start:at].rstrip(" ")
            if not isinstance(key, str) or not key or key == "<<" or text[at : at + 1] != ":":
                self._refuse("a mapping of another form than {key: value, …} in one line")
            at = _skip(text, at + 1)
            if text[at : at + 1] in (",", "}"):
                found[key] = None
            else:
                found[key], at = self._flow(text, at, depth + 1)
            at = self._flow_separator(text, at, "}")

    def _flow_separator(self, text: str, at: int, closing: str) -> int:
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            return at + 1
        if text[at : at + 1] != closing:
            self._refuse(f"`,` or `{closing}` is missing")
        return at

    def _block_scalar(self, header: str, parent: int) -> str:
        match = _BLOCK_HEADER.fullmatch(header)
        if match is None:
            self._refuse("an unknown block scalar header")
        chomp = match.group(2) or match.group(5) or ""
        digit = match.group(3) or match.group(4)
        self._at += 1
        first = self._at
        indent = max(parent, 0) + int(digit) if digit else self._indent_of_text(first)
        if indent <= parent:
            return "\n" * self._blank_lines() if chomp == "+" else ""
        lines: List[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.strip(" ") and len(line) - len(line.lstrip(" ")) < indent:
                break
            lines.append(line[indent:])
            self._at += 1
        at_end = self._at == len(self._lines)
        return _joined(lines, folded=match.group(1) == ">", chomp=chomp, at_end=at_end)

    def _indent_of_text(self, at: int) -> int:
        """The indentation of the first line with text; blank lines before it must not be longer."""
        blank = 0
        for number in range(at, len(self._lines)):
            line = self._lines[number]
            indent = len(line) - len(line.lstrip(" "))
            if line.strip(" "):
                if blank > indent:
                    self._refuse("a block scalar that starts with an over-long blank line")
                return indent
            blank = max(blank, indent)
        if blank:
            self._refuse("a block scalar of spaces")
        return -1

    def _blank_lines(self) -> int:
        start = self._at
        while self._at < len(self._lines) and not self._lines[self._at].strip(" "):
            self._at += 1
        return self._at - start - (1 if self._at == len(self._lines) else 0)


def _is_item(content: str) -> bool:
    return content == "-" or content.startswith("- ")


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] == " ":
        at += 1
    return at


def _joined(lines: List[str], *, folded: bool, chomp: str, at_end: bool) -> str:
    """A block scalar's text. In folded style one break between two unindented lines is a space."""
    ends_without_break = at_end and bool(lines) and lines[-1] != ""
    if at_end and not ends_without_break and lines:
        lines = lines[:-1]  # behind the last line break of the file
    trailing = 0
    while lines and not lines[-1]:
        lines.pop()
        trailing += 1
    text = ""
    breaks = 0
    previous = ""
    for number, line in enumerate(lines):
        if not line:
            breaks += 1
            continue
        if number > breaks:  # not the first line with text
            fold = folded and previous[0] not in " \t" and line[0] not in " \t"
            text += (" " if breaks == 0 else "\n" * breaks) if fold else "\n" * (breaks + 1)
        else:
            text += "\n" * breaks
        text += line
        previous, breaks = line, 0
    if not lines:
        return "\n" * trailing if chomp == "+" else ""
    if chomp != "-" and not ends_without_break:
        text += "\n"
    return text + ("\n" * trailing if chomp == "+" else "")
