# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""config.json as it stands in its file: read, change some values, write back all else byte for byte.

The text is kept in pieces (white space, keys, values) and only the pieces that change are replaced, so that order,
unknown keys, indent, line ends, byte order mark and the spelling of numbers survive by construction.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import time
from typing import Any, Dict, Iterator, Mapping, Tuple

from .._core.errors import OperatorError
from .._formats.json_source import (
    LEFT_AS_IT_IS,
    JsonObject,
    JsonParser,
    Leaf,
    Member,
    escape,
    find_member,
    kind_of,
    quote,
    text_of,
    value_of,
)
from .._host.writing import Edit, editing
from .types import refuse_wrong_types

Path = Tuple[str, ...]

_DEFAULT_INDENT = "    "
LARGEST = 2 * 1024 * 1024  # bytes; a server with every setting has some 60 KB
_SECONDS = 1.0  # for which reading is tried again while the file is being written
_BEING_WRITTEN = 0.5  # seconds since the last write within which a file may be incomplete
_PAUSE = 0.02


class _Absent:
    """Stands for no value where null is one."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


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
        """The key as it is spelled there, else as given."""
        return self._spelling.get(key.lower(), key)

    def below(self, key: str) -> FoldedMap:
        """The object under a key; empty if it is missing or null.

        :raises OperatorError: it is something else
        """
        value = self.get(key)
        where = f"{self.spelling(key)} in {self.where}"
        if value is not None and not isinstance(value, dict):
            raise OperatorError(
                "this is no JSON object",
                where=where,
                found=kind_of(value),
                wanted="an object",
                remedy=LEFT_AS_IT_IS,
            )
        return FoldedMap(value or {}, where)


def section_in(config: Mapping[str, Any], name: str, where: str) -> FoldedMap:
    """A section of a configuration, its name in any case; empty where it is missing.

    :param where: how messages name the configuration
    :raises OperatorError: it is no object, or a value has another type than its key
    """
    section = FoldedMap(config, where).below(name)
    refuse_wrong_types(name, section, section.where)
    return section


class ConfigDocument:
    """A parsed configuration file. Immutable: :meth:`set` returns a new one."""

    def __init__(self, text: str, where: str, bom: bytes = b"") -> None:
        self._where = where
        self._bom = bom
        self._head, self._root, self._foot = JsonParser(text, where).document()
        self._indent, self._newline = _style(self._root)

    @classmethod
    def read(cls, path: str, where: str) -> ConfigDocument:
        """Parse a file that its server may be writing at this moment: servers empty it and then fill it.

        :raises OSError: it cannot be read
        :raises OperatorError: as :meth:`parse` says
        """
        with cls.edited(path, where) as (document, _edit):
            return document

    @classmethod
    @contextlib.contextmanager
    def edited(cls, path: str, where: str) -> Iterator[Tuple[ConfigDocument, Edit]]:
        """As :meth:`read`, with what replaces the file where it was read.

        :raises OSError: it cannot be read
        :raises OperatorError: as :meth:`parse` says
        """
        end = time.monotonic() + _SECONDS
        while True:
            with editing(path, LARGEST) as edit:
                try:
                    document = cls.parse(edit.data, where)
                except OperatorError:
                    if time.monotonic() >= end or not 0 <= time.time() - edit.modified < _BEING_WRITTEN:
                        raise
                else:
                    yield document, edit
                    return
            time.sleep(_PAUSE)

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
        """The file's name for messages."""
        return self._where

    def section(self, name: str) -> FoldedMap:
        """A section such as ``PluginSettings``, its name in any case; empty where it is missing.

        :raises OperatorError: it is no object, or a value has another type than its key
        """
        return section_in(value_of(self._root), name, self._where)

    def set(self, values: Mapping[Path, Any]) -> ConfigDocument:
        """A document in which each path has its value, or is gone if it is :data:`ABSENT`; missing objects
        on a path are created.

        Keys of a path are matched in any case and keep their spelling; new ones go to the end of their object.
        A value that does not change keeps its text.

        :raises OperatorError: a part of a path is no object
        """
        changed = ConfigDocument(self._text(), self._where, self._bom)
        for path, value in values.items():
            if value is ABSENT:
                changed._remove(path)
            else:
                changed._set(path, value)
        return ConfigDocument(changed._text(), self._where, self._bom)

    def render(self) -> bytes:
        """The file's content."""
        return self._bom + self._text().encode("utf-8")

    def _text(self) -> str:
        return self._head + text_of(self._root) + self._foot

    def _set(self, path: Path, value: Any) -> None:
        owner = self._root
        for depth, key in enumerate(path[:-1], start=1):
            member = find_member(owner, key)
            if member is None:
                member = self._append(owner, key, depth)
            if isinstance(member.value, Leaf):
                if member.value.value is not None:
                    raise OperatorError(
                        f"{member.key} is no JSON object",
                        where=self._where,
                        found=kind_of(member.value.value),
                        wanted="an object",
                        remedy=LEFT_AS_IT_IS,
                    )
                member.value = JsonObject()
            owner = member.value
        member = find_member(owner, path[-1])
        if member is None:
            member = self._append(owner, path[-1], len(path))
        elif same_value(value_of(member.value), value):
            return
        member.value = Leaf(self._dump(value, len(path)), value)

    def _remove(self, path: Path) -> None:
        owner = self._root
        for key in path[:-1]:
            member = find_member(owner, key)
            if member is None or isinstance(member.value, Leaf):
                return
            owner = member.value
        owner.members = [member for member in owner.members if member is not find_member(owner, path[-1])]

    def _append(self, owner: JsonObject, key: str, depth: int) -> Member:
        before, colon = self._line(depth), ": " if self._newline else ":"
        if owner.members:
            last = owner.members[-1]
            before = last.before or (" " if last.colon.endswith(" ") else "")
            colon = last.colon
        else:
            owner.tail = self._line(depth - 1)
        member = Member(before, key, quote(key), colon, JsonObject())
        owner.members.append(member)
        return member

    def _line(self, depth: int) -> str:
        return self._newline + self._indent * depth if self._newline else ""

    def _dump(self, value: Any, depth: int) -> str:
        if not self._newline:
            return escape(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=self._indent)
        return escape(text.replace("\n", self._line(depth)))


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


def _style(root: JsonObject) -> Tuple[str, str]:
    """Indent and line end of a document; both empty where it stands on one line."""
    if not root.members:
        return _DEFAULT_INDENT, "\n"
    before = root.members[0].before
    if "\n" not in before:
        return "", ""
    return before.rpartition("\n")[2] or _DEFAULT_INDENT, "\r\n" if "\r\n" in before else "\n"
