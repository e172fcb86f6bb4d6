# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""config.json as it stands in its file: read, change some values, write back all else byte for byte.

The text is kept in pieces (white space, keys, values) and only the pieces that change are replaced, so that order,
unknown keys, indent, line ends, byte order mark and the spelling of numbers survive by construction.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple, Union

from ._errors import OperatorError

Path = Tuple[str, ...]

_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![0-9.eE+-])")
_WORD = re.compile(r"true|false|null")
# Go's encoding/json, and so the server, writes these in strings as escapes; lone surrogates are no valid UTF-8.
_ESCAPED = re.compile("[<>&\u2028\u2029\ud800-\udfff]")
_DEFAULT_INDENT = "    "
# Sections and their fields are Go structs, whose keys the server reads in any case. Deeper down, keys are a plugin's.
_STRUCT_DEPTH = 2
_DEEPEST = 100  # far above what any server or plugin writes, far below Python's own limit
_UNTOUCHED = "correct it by hand or restore a backup; the file was left as it is"


class FoldedMap(Mapping[str, Any]):
    """A JSON object whose keys are looked up in any case, as the server does; it iterates in their own spelling.

    :param where: how messages name the object, e.g. ``PluginSettings in /opt/mattermost/config/config.json``
    :raises OperatorError: two keys differ in case only
    """

    def __init__(self, data: Mapping[str, Any], where: str) -> None:
        self._data = data
        self.where = where
        self._spelling: Dict[str, str] = {}
        for key in data:
            twin = self._spelling.setdefault(key.lower(), key)
            if twin != key:
                raise OperatorError(
                    f"the keys {json.dumps(twin)} and {json.dumps(key)} are one and the same key to the server",
                    where=where,
                    remedy="remove one of them",
                )

    def __getitem__(self, key: str) -> Any:
        return self._data[self._spelling[key.lower()]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self._spelling

    def spelling(self, key: str) -> str:
        """The key as it stands there; as given if it does not."""
        return self._spelling.get(key.lower(), key)

    def below(self, key: str) -> FoldedMap:
        """The object under a key; empty where there is none or null.

        :raises OperatorError: there is something else
        """
        value = self.get(key)
        where = f"{self.spelling(key)} in {self.where}"
        if value is not None and not isinstance(value, dict):
            raise OperatorError(
                "this is no JSON object",
                where=where,
                found=_kind(value),
                wanted="an object",
                remedy=_UNTOUCHED,
            )
        return FoldedMap(value or {}, where)


@dataclass
class _Leaf:
    """A value that is only ever replaced as a whole: anything but an object."""

    raw: str
    value: Any


@dataclass
class _Member:
    before: str  # white space before the key
    key: str
    raw_key: str
    colon: str  # the colon with the white space around it
    value: _Node
    after: str = ""  # white space between the value and a comma


@dataclass
class _Object:
    members: List[_Member] = field(default_factory=list)
    tail: str = ""  # white space before the closing brace


_Node = Union[_Leaf, _Object]


class ConfigDocument:
    """A parsed configuration file. Unchangeable: :meth:`set` gives a new one."""

    def __init__(self, text: str, where: str, bom: bytes = b"") -> None:
        self._where = where
        self._bom = bom
        self._head, self._root, self._foot = _Parser(text, where).document()
        self._indent, self._newline = _style(self._root)

    @classmethod
    def parse(cls, data: bytes, where: str) -> ConfigDocument:
        """Parse a file's content.

        :param where: the file's name for messages
        :raises OperatorError: empty, truncated, not UTF-8, not a JSON object, or with a key twice
        """
        bom = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        try:
            text = data[len(bom) :].decode("utf-8")
        except UnicodeDecodeError as error:
            raise OperatorError(
                "the configuration file is not UTF-8",
                where=where,
                found=f"byte 0x{data[len(bom) + error.start]:02x} at offset {len(bom) + error.start}",
                remedy="save it as UTF-8 and run again; the file was left as it is",
            ) from error
        return cls(text, where, bom)

    @property
    def where(self) -> str:
        return self._where

    def section(self, name: str) -> FoldedMap:
        """A section such as ``PluginSettings``, its name in any case; empty where it is missing.

        :raises OperatorError: it is no object
        """
        return FoldedMap(_value(self._root), self._where).below(name)

    def set(self, values: Mapping[Path, Any]) -> ConfigDocument:
        """A document in which each path has its value; objects that are missing on the way are made.

        Keys of a path are matched in any case and keep their spelling; new ones go to the end of their object.
        A value that is there already keeps its text.

        :raises OperatorError: what lies on the way is no object
        """
        changed = ConfigDocument(self._text(), self._where, self._bom)
        for path, value in values.items():
            changed._set(path, value)
        return ConfigDocument(changed._text(), self._where, self._bom)

    def render(self) -> bytes:
        """The file's content."""
        return self._bom + self._text().encode("utf-8")

    def _text(self) -> str:
        return self._head + _text(self._root) + self._foot

    def _set(self, path: Path, value: Any) -> None:
        owner = self._root
        for depth, key in enumerate(path[:-1], start=1):
            member = _find(owner, key)
            if member is None:
                member = self._append(owner, key, depth)
            if isinstance(member.value, _Leaf):
                if member.value.value is not None:
                    raise OperatorError(
                        f"{member.key} is no JSON object",
                        where=self._where,
                        found=_kind(member.value.value),
                        wanted="an object",
                        remedy=_UNTOUCHED,
                    )
                member.value = _Object()
            owner = member.value
        member = _find(owner, path[-1])
        if member is None:
            member = self._append(owner, path[-1], len(path))
        elif same_value(_value(member.value), value):
            return
        member.value = _Leaf(self._dump(value, len(path)), value)

    def _append(self, owner: _Object, key: str, depth: int) -> _Member:
        before, colon = self._line(depth), ": " if self._newline else ":"
        if owner.members:
            last = owner.members[-1]
            before = last.before or (" " if last.colon.endswith(" ") else "")
            colon = last.colon
        else:
            owner.tail = self._line(depth - 1)
        member = _Member(before, key, _quote(key), colon, _Object())
        owner.members.append(member)
        return member

    def _line(self, depth: int) -> str:
        return self._newline + self._indent * depth if self._newline else ""

    def _dump(self, value: Any, depth: int) -> str:
        if not self._newline:
            return _escape(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=self._indent)
        return _escape(text.replace("\n", self._line(depth)))


def same_value(one: Any, other: Any) -> bool:
    """Whether two parsed JSON values are the same to the server: 1, 1.0 and 1e0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    return type(one) is type(other) and one == other


class _Parser:
    """JSON as RFC 8259 has it, kept in pieces. Python's json takes more (NaN, a key twice) and forgets the spelling."""

    def __init__(self, text: str, where: str) -> None:
        self._source = text
        self._where = where
        self._at = 0

    def document(self) -> Tuple[str, _Object, str]:
        head = self._space()
        if self._at == len(self._source):
            raise OperatorError(
                "the configuration file is empty", where=self._where, remedy="restore a backup; it was left as it is"
            )
        root = self._value(depth=0)
        if not isinstance(root, _Object):
            raise OperatorError(
                "the configuration file is no JSON object",
                where=self._where,
                found=_kind(root.value),
                wanted="an object",
                remedy=_UNTOUCHED,
            )
        foot = self._space()
        if self._at != len(self._source):
            raise self._wrong("goes on after the end of the object")
        return head, root, foot

    def _value(self, depth: int) -> _Node:
        start = self._at
        sign = self._source[start : start + 1]
        if depth > _DEEPEST:
            raise self._wrong(f"is nested more than {_DEEPEST} levels deep")
        if sign == "{":
            return self._object(depth)
        if sign == "[":
            return self._array(depth)
        for token in (_STRING, _NUMBER, _WORD):
            match = token.match(self._source, start)
            if match:
                value = self._loads(match.group())
                self._at = match.end()
                return _Leaf(match.group(), value)
        if sign == '"':
            raise self._wrong(
                "has a string that does not end or holds a wrong character", truncated=self._open_string()
            )
        raise self._wrong("has no valid value here", truncated=self._is_cut_word())

    def _object(self, depth: int) -> _Object:
        self._at += 1
        found = _Object()
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
            key = json.loads(match.group())
            self._refuse_twin(keys, key, start, depth)
            colon_start = self._at
            self._space()
            if not self._takes(":"):
                raise self._wrong("has no colon after a key")
            self._space()
            colon = self._source[colon_start : self._at]
            value = self._value(depth + 1)
            member = _Member(before, key, match.group(), colon, value)
            found.members.append(member)
            after = self._space()
            if self._takes("}"):
                found.tail = after
                return found
            if not self._takes(","):
                raise self._wrong("has neither comma nor closing brace after a value")
            member.after = after

    def _array(self, depth: int) -> _Leaf:
        start = self._at
        self._at += 1
        values: List[Any] = []
        self._space()
        if not self._takes("]"):
            while True:
                values.append(_value(self._value(depth + 1)))
                self._space()
                if self._takes("]"):
                    break
                if not self._takes(","):
                    raise self._wrong("has neither comma nor closing bracket after a value")
                self._space()
        return _Leaf(self._source[start : self._at], values)

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
        assert match is not None  # noqa: S101 - the pattern matches nothing, too
        self._at = match.end()
        return match.group()

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
        try:
            return json.loads(raw)
        except ValueError as error:  # Python reads integers of up to 4300 digits
            raise self._wrong("has a number that is too long") from error

    def _wrong(self, what: str, truncated: bool = False, back: int = 0) -> OperatorError:
        # Says where, never what stands there: it may be a secret.
        at = self._at - back
        if truncated or at >= len(self._source):
            what = "ends in the middle (truncated)"
        column = at - self._source.rfind("\n", 0, at)
        return OperatorError(
            f"the configuration file {what}",
            where=f"{self._where}, line {self._line(at)}, column {column}",
            remedy=_UNTOUCHED,
        )

    def _line(self, at: int) -> int:
        return self._source.count("\n", 0, at) + 1


def _value(node: _Node) -> Any:
    if isinstance(node, _Leaf):
        return node.value
    return {member.key: _value(member.value) for member in node.members}


def _text(node: _Node) -> str:
    if isinstance(node, _Leaf):
        return node.raw
    parts = [f"{m.before}{m.raw_key}{m.colon}{_text(m.value)}{m.after}" for m in node.members]
    return "{" + ",".join(parts) + node.tail + "}"


def _find(owner: _Object, key: str) -> Optional[_Member]:
    found = [member for member in owner.members if member.key.lower() == key.lower()]
    # A plugin may have keys of its own that differ in case only: then the exact one is meant.
    return next((member for member in found if member.key == key), found[0] if found else None)


def _style(root: _Object) -> Tuple[str, str]:
    """Indent and line end of a document; both empty where it stands on one line."""
    if not root.members:
        return _DEFAULT_INDENT, "\n"
    before = root.members[0].before
    if "\n" not in before:
        return "", ""
    return before.rpartition("\n")[2] or _DEFAULT_INDENT, "\r\n" if "\r\n" in before else "\n"


def _quote(text: str) -> str:
    return _escape(json.dumps(text, ensure_ascii=False))


def _escape(text: str) -> str:
    return _ESCAPED.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    kinds = ((str, "a string"), ((int, float), "a number"), (list, "a list"), (dict, "an object"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")
