# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON text in pieces: what is there is kept as it was spelled, what is read is what any JSON reader reads."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple, Union

from .._core.errors import OperatorError
from .json_reader import DEEPEST, parse_json

_SPACE = re.compile(r"[ \t\r\n]*")
_PLAIN = r'[^"\\\x00-\x1f]*'
_STRING = re.compile(rf'"{_PLAIN}(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{{4}}){_PLAIN})*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![0-9.eE+-])")
_WORDS = {"true": True, "false": False, "null": None}
_WORD = re.compile("|".join(_WORDS))
_SHORT = 18  # characters of a number that needs no look at its length
# Go's encoding/json, and so the server, writes these in strings as escapes; lone surrogates are no valid UTF-8.
_ESCAPED = re.compile("[<>&\u2028\u2029\ud800-\udfff]")
# Sections and their fields are Go structs, whose keys the server reads in any case. Deeper down, keys are a plugin's.
_STRUCT_DEPTH = 2
_DEEPEST = DEEPEST - 10  # what keeps values of it, a checkpoint, is read with that limit
LEFT_AS_IT_IS = "correct it by hand or restore a backup; the file was left as it is"


@dataclass
class Leaf:
    """A value that is only ever replaced as a whole: anything but an object."""

    raw: str
    value: Any


@dataclass
class Member:
    before: str  # white space before the key
    key: str
    raw_key: str
    colon: str  # the colon with the white space around it
    value: JsonNode
    after: str = ""  # white space between the value and a comma


@dataclass
class JsonObject:
    members: List[Member] = field(default_factory=list)
    tail: str = ""  # white space before the closing brace


JsonNode = Union[Leaf, JsonObject]


class JsonParser:
    """JSON as RFC 8259 has it, kept in pieces. Python's json takes more (NaN, a key twice) and forgets the spelling."""

    def __init__(self, text: str, where: str) -> None:
        self._source = text
        self._where = where
        self._at = 0

    def document(self) -> Tuple[str, JsonObject, str]:
        """What is before the object, the object, what is after it.

        :raises OperatorError: tells where the text is wrong, never what it is
        """
        head = self._space()
        if self._at == len(self._source):
            raise OperatorError(
                "the configuration file is empty", where=self._where, remedy="restore a backup; it was left as it is"
            )
        root = self._value(depth=0)
        if not isinstance(root, JsonObject):
            raise OperatorError(
                "the configuration file is no JSON object",
                where=self._where,
                found=kind_of(root.value),
                wanted="an object",
                remedy=LEFT_AS_IT_IS,
            )
        foot = self._space()
        if self._at != len(self._source):
            raise self._wrong("goes on after the end of the object")
        return head, root, foot

    def _value(self, depth: int) -> JsonNode:
        start = self._at
        sign = self._source[start : start + 1]
        if depth > _DEEPEST:
            raise self._wrong(f"is nested more than {_DEEPEST} levels deep")
        if sign == "{":
            return self._object(depth)
        if sign == "[":
            return self._array(depth)
        match = (_STRING if sign == '"' else _WORD if sign in ("t", "f", "n") else _NUMBER).match(self._source, start)
        if match:
            value = self._loads(match.group())
            self._at = match.end()
            return Leaf(match.group(), value)
        if sign == '"':
            raise self._wrong(
                "has a string that does not end or holds a wrong character", truncated=self._open_string()
            )
        raise self._wrong("has no valid value here", truncated=self._is_cut_word())

    def _object(self, depth: int) -> JsonObject:
        self._at += 1
        found = JsonObject()
        keys: Dict[str, Tuple[str, int]] = {}
        while True:
            before = self._space()
            if self._takes("}"):
                if found.members:
                    raise self._wrong("has a comma before a closing brace", back=1)
                found.tail = before
                return found
            start = self._at
            match = _STRING.match(self._source, start)
            if not match:
                raise self._wrong("has no valid key here", truncated=self._open_string())
            self._at = match.end()
            key = self._loads(match.group())
            self._refuse_twin(keys, key, start, depth)
            colon_start = self._at
            self._space()
            if not self._takes(":"):
                raise self._wrong("has no colon after a key")
            self._space()
            colon = self._source[colon_start : self._at]
            value = self._value(depth + 1)
            member = Member(before, key, match.group(), colon, value)
            found.members.append(member)
            after = self._space()
            if self._takes("}"):
                found.tail = after
                return found
            if not self._takes(","):
                raise self._wrong("has neither comma nor closing brace after a value")
            member.after = after

    def _array(self, depth: int) -> Leaf:
        start = self._at
        self._at += 1
        values: List[Any] = []
        self._space()
        if not self._takes("]"):
            while True:
                values.append(value_of(self._value(depth + 1)))
                self._space()
                if self._takes("]"):
                    break
                if not self._takes(","):
                    raise self._wrong("has neither comma nor closing bracket after a value")
                self._space()
        return Leaf(self._source[start : self._at], values)

    def _refuse_twin(self, keys: Dict[str, Tuple[str, int]], key: str, start: int, depth: int) -> None:
        folded = key.lower() if depth < _STRUCT_DEPTH else key
        twin, at = keys.setdefault(folded, (key, start))
        if at != start:
            raise OperatorError(
                f"the keys {json.dumps(twin)} (line {self._line(at)}) and {json.dumps(key)} (line {self._line(start)}) "
                "are one and the same key to the server",
                where=self._where,
                remedy="remove one of them; the file was left as it is",
            )

    def _space(self) -> str:
        match = _SPACE.match(self._source, self._at)
        space = match.group() if match else ""
        self._at += len(space)
        return space

    def _takes(self, sign: str) -> bool:
        if self._source.startswith(sign, self._at):
            self._at += 1
            return True
        return False

    def _open_string(self) -> bool:
        return self._source.startswith('"', self._at) and '"' not in self._source[self._at + 1 :]

    def _is_cut_word(self) -> bool:
        rest = self._source[self._at :]
        return any(word.startswith(rest) for word in ("true", "false", "null")) or not rest.strip("-+.eE0123456789")

    def _loads(self, raw: str) -> Any:
        if raw[0] == '"' and "\\" not in raw:
            return raw[1:-1]
        if raw in _WORDS:
            return _WORDS[raw]
        if len(raw) <= _SHORT and raw.isdigit():
            return int(raw)
        try:
            return parse_json(raw)
        except ValueError as error:
            raise self._wrong("has a number that is too long") from error

    def _wrong(self, what: str, truncated: bool = False, back: int = 0) -> OperatorError:
        # Tells where, never what is there: it may be a secret.
        at = self._at - back
        if truncated or at >= len(self._source):
            what = "ends in the middle (truncated)"
        column = at - self._source.rfind("\n", 0, at)
        return OperatorError(
            f"the configuration file {what}",
            where=f"{self._where}, line {self._line(at)}, column {column}",
            remedy=LEFT_AS_IT_IS,
        )

    def _line(self, at: int) -> int:
        return self._source.count("\n", 0, at) + 1


def value_of(node: JsonNode) -> Any:
    """What Python's json would read."""
    if isinstance(node, Leaf):
        return node.value
    return {member.key: value_of(member.value) for member in node.members}


def text_of(node: JsonNode) -> str:
    """The text, as it was where nothing was changed."""
    if isinstance(node, Leaf):
        return node.raw
    parts = [f"{m.before}{m.raw_key}{m.colon}{text_of(m.value)}{m.after}" for m in node.members]
    return "{" + ",".join(parts) + node.tail + "}"


def find_member(owner: JsonObject, key: str) -> Optional[Member]:
    """The member of that name, in any case."""
    found = [member for member in owner.members if member.key.lower() == key.lower()]
    # A plugin may have keys of its own that differ in case only: then the exact one is meant.
    return next((member for member in found if member.key == key), found[0] if found else None)


def quote(text: str) -> str:
    """A JSON string as the server would write it."""
    return escape(json.dumps(text, ensure_ascii=False))


def escape(text: str) -> str:
    """JSON text with the escapes that the server would write."""
    return _ESCAPED.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def kind_of(value: Any) -> str:
    """The JSON type of a value, in words."""
    if isinstance(value, bool):
        return "true or false"
    kinds = ((str, "a string"), ((int, float), "a number"), (list, "a list"), (dict, "an object"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")
