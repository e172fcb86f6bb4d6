# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How systemd writes things: lines, words and quotes, specifiers, environment files.

After systemd.syntax(7), systemd.unit(5), systemd.exec(5) and systemd.service(5). What systemd ignores with a warning is
left out here too.
"""

from __future__ import annotations

import re
from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

_WHITESPACE = " \t\n\r"
_LINE_END = re.compile("\r\n|\n\r|\n|\r|\0")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", '"': '"', "'": "'", "s": " ",
}  # fmt: skip
_NUMERIC_ESCAPES = re.compile(
    r"x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|(?P<octal>[0-3][0-7]{2})"
)


class Line(NamedTuple):
    """One ``key=value`` of a unit file; ``number`` is where it starts, from 1."""

    section: str
    key: str
    value: str
    number: int


def unit_lines(data: bytes) -> Iterator[Line]:
    """The assignments of a unit file or drop-in, continuation lines joined, comments left out."""
    section = ""
    for number, line in _logical_lines(data):
        text = line.strip(_WHITESPACE)
        if text.startswith("["):
            section = text[1:-1] if text.endswith("]") else ""
        elif "=" in text and _is_text(text):
            key, value = text.split("=", 1)
            yield Line(section, key.rstrip(_WHITESPACE), value.lstrip(_WHITESPACE), number)


def _logical_lines(data: bytes) -> Iterator[Tuple[int, str]]:
    text = data.decode("utf-8", "surrogateescape")
    if text.startswith("\ufeff"):
        text = text[1:]
    pending, start = "", 0
    for number, line in enumerate(_LINE_END.split(text), 1):
        if line.lstrip(_WHITESPACE)[:1] in ("#", ";"):
            continue  # also between continued lines
        start = start if pending else number
        pending += line
        if _ends_in_backslash(line):
            pending = pending[:-1] + " "
            continue
        yield start, pending
        pending = ""
    if pending:
        yield start, pending


def _ends_in_backslash(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # the file is not UTF-8 here
        return False
    return True


class _SyntaxFault(Exception):
    pass


def split_words(text: str, *, keep_unknown_escapes: bool = False) -> List[str]:
    r"""The words of a value, quotes and C escapes taken off; from a fault in the syntax on, nothing.

    :param keep_unknown_escapes: as in command lines: ``\d`` stays ``\d`` where elsewhere it is a fault
    """
    return [word for word, _source in _words_and_source(text, keep_unknown_escapes)]


def _words_and_source(text: str, keep_unknown_escapes: bool) -> Iterator[Tuple[str, str]]:
    """Each word, and how it is written."""
    at = 0
    while True:
        while text[at : at + 1] and text[at] in _WHITESPACE:
            at += 1
        if at == len(text):
            return
        start = at
        try:
            word, at = _word(text, at, keep_unknown_escapes)
        except _SyntaxFault:
            return
        yield word, text[start:at]


def _word(text: str, at: int, keep_unknown_escapes: bool) -> Tuple[str, int]:
    word, quote = "", ""
    while at < len(text):
        char = text[at]
        if char == "\\":
            piece, at = _escape(text, at + 1, keep_unknown_escapes)
            word += piece
            continue
        if char == quote:
            quote = ""
        elif quote:
            word += char
        elif char in "\"'":
            quote = char
        elif char in _WHITESPACE:
            break
        else:
            word += char
        at += 1
    if quote:
        raise _SyntaxFault
    return word, at


def _escape(text: str, at: int, keep_unknown: bool) -> Tuple[str, int]:
    char = text[at : at + 1]
    if char in _ESCAPES:
        return _ESCAPES[char], at + 1
    match = _NUMERIC_ESCAPES.match(text, at)
    if match:
        base = 8 if match.group("octal") else 16
        code = int(next(group for group in match.groups() if group), base)
        if 0 < code <= 0x10FFFF:
            return chr(code), match.end()
    if not keep_unknown:
        raise _SyntaxFault
    return "\\" + char, at + len(char)


def command_words(value: str) -> Tuple[List[str], bool]:
    """The first command of an ``Exec…=`` value, and whether its variables are to be expanded."""
    words: List[str] = []
    for word, source in _words_and_source(value, keep_unknown_escapes=True):
        if source == ";":
            break  # another command follows
        words.append(";" if source == "\\;" else word)
    if not words:
        return [], False
    bare = words[0].lstrip("@-:+!|")
    prefix = words[0][: len(words[0]) - len(bare)]
    words[0] = bare
    if "@" in prefix:
        del words[1:2]  # the name that the process is shown under
    return words, ":" not in prefix


def expand_variables(words: List[str], environment: Mapping[str, str]) -> List[str]:
    """A command with ``$NAME`` (alone: split at blanks) and ``${NAME}`` filled in; unset ones are empty."""
    result = words[:1]
    for word in words[1:]:
        if re.match(r"\$[^{$]", word):
            result += split_words(environment.get(word[1:], ""), keep_unknown_escapes=True)
        else:
            result.append(re.sub(r"\$\$|\$\{(\w+)\}", lambda match: _variable(match, environment), word))
    return result


def _variable(match: re.Match[str], environment: Mapping[str, str]) -> str:
    return "$" if match.group() == "$$" else environment.get(match.group(1), "")


def expand_specifiers(value: str, unit: str) -> Optional[str]:
    """``%n``, ``%i`` and their like filled in for a unit of the system manager.

    Specifiers that depend on the running machine (host name, kernel …) are left as they are.
    None where systemd refuses the value: a specifier that it does not know.
    """
    unknown: List[str] = []
    values = _specifiers(unit)

    def fill(match: re.Match[str]) -> str:
        letter = match.group(1)
        if letter in values:
            return values[letter]
        if letter not in _MACHINE_SPECIFIERS:
            unknown.append(letter)
        return match.group()

    expanded = re.sub(r"%([a-zA-Z%])", fill, value)
    return None if unknown else expanded


_MACHINE_SPECIFIERS = "abABdHlmMoqsvwWyY"
_MANAGER_SPECIFIERS = {
    "%": "%", "t": "/run", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "E": "/etc", "h": "/root",
    "T": "/tmp", "V": "/var/tmp",  # noqa: S108 - what systemd fills in
    "u": "root", "U": "0", "g": "root", "G": "0",
}  # fmt: skip


def _specifiers(unit: str) -> Dict[str, str]:
    stem = unit.rsplit(".", 1)[0]
    prefix, _separator, instance = stem.partition("@")
    last = prefix.rsplit("-", 1)[-1]
    return dict(
        _MANAGER_SPECIFIERS,
        n=unit, N=stem, p=prefix, P=_unescape(prefix), i=instance, I=_unescape(instance),
        j=last, J=_unescape(last), f="/" + _unescape(instance or prefix).lstrip("/"),
    )  # fmt: skip


def _unescape(name: str) -> str:
    """``systemd-escape --unescape``"""
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda match: chr(int(match.group(1), 16)), name.replace("-", "/"))


def is_variable(name: str, value: str) -> bool:
    """Whether systemd hands this on as an environment variable."""
    return bool(_VARIABLE_NAME.match(name)) and not re.search("[\x00-\x08\x0b-\x1f\x7f]", value) and _is_text(value)


class _EnvironmentFile:
    """The reader of one environment file: a state for each kind of place in the text, as systemd's own reader has."""

    def __init__(self) -> None:
        self.found: Dict[str, str] = {}
        self.key = ""
        self.value = ""
        self.kept = 0  # so much of the value is always kept: quoted or escaped, not blanks at the end
        self.state: Callable[[str], None] = self._before_key

    def read(self, text: str) -> Dict[str, str]:
        for char in text:
            self.state(char)
        if self.state == self._in_value:
            self._end_bare_value()
        elif self.state not in (self._before_key, self._in_key, self._in_comment, self._in_comment_escape):
            self._end_value()
        return self.found

    def _before_key(self, char: str) -> None:
        if char in "#;":
            self.state = self._in_comment
        elif char not in _WHITESPACE:
            self.key, self.state = char, self._in_key

    def _in_comment(self, char: str) -> None:
        if char == "\\":
            self.state = self._in_comment_escape
        elif char in "\n\r":
            self.state = self._before_key

    def _in_comment_escape(self, char: str) -> None:
        # Before systemd 255 the comment went on in the next line; nobody means it so.
        self.state = self._before_key if char in "\n\r" else self._in_comment

    def _in_key(self, char: str) -> None:
        if char in "\n\r":
            self.state = self._before_key
        elif char == "=":
            self.value, self.kept, self.state = "", 0, self._before_value
        else:
            self.key += char

    def _before_value(self, char: str) -> None:
        if char in "\n\r":
            self._end_value()
        elif char == "'":
            self.state = self._in_single_quotes
        elif char == '"':
            self.state = self._in_double_quotes
        elif char == "\\":
            self.state = self._in_escape
        elif char not in _WHITESPACE:
            self.value += char
            self.state = self._in_value

    def _in_value(self, char: str) -> None:
        if char in "\n\r":
            self._end_bare_value()
        elif char == "\\":
            self.kept, self.state = len(self.value), self._in_escape
        else:
            self.value += char

    def _in_escape(self, char: str) -> None:
        if char not in "\n\r":
            self.value += char
            self.kept = len(self.value)
        self.state = self._in_value

    def _in_single_quotes(self, char: str) -> None:
        if char == "'":
            self.kept, self.state = len(self.value), self._before_value
        else:
            self.value += char

    def _in_double_quotes(self, char: str) -> None:
        if char == '"':
            self.kept, self.state = len(self.value), self._before_value
        elif char == "\\":
            self.state = self._in_double_quotes_escape
        else:
            self.value += char

    def _in_double_quotes_escape(self, char: str) -> None:
        if char in '"\\`$':
            self.value += char
        elif char != "\n":
            self.value += "\\" + char
        self.state = self._in_double_quotes

    def _end_bare_value(self) -> None:
        self.value = self.value[: self.kept] + self.value[self.kept :].rstrip(_WHITESPACE)
        self._end_value()

    def _end_value(self) -> None:
        name = self.key.rstrip(_WHITESPACE)
        if is_variable(name, self.value):
            self.found[name] = self.value
        self.state = self._before_key


def parse_environment_file(data: bytes) -> Dict[str, str]:
    """The variables that an ``EnvironmentFile=`` sets."""
    return _EnvironmentFile().read(data.decode("utf-8", "surrogateescape"))
