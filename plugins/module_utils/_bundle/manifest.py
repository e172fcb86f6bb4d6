# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin's manifest, read as Mattermost servers read it.

Servers do not validate a manifest at installation: it must parse and have an id. Of the rest this module takes what
an installation needs (https://developers.mattermost.com/integrate/plugins/manifest-reference/).
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass
from typing import Any, Dict, List, NoReturn, Optional, Tuple

from .._core.errors import OperatorError
from .._core.server_version import ServerVersion
from .._formats.json_reader import check_depth
from .._server import features

MANIFEST_LIMIT = 1024 * 1024  # bytes; the largest public ones have some 20 KB
# In the order in which servers of all versions look; the first that exists is the manifest.
MANIFEST_NAMES = ("plugin.yml", "plugin.yaml", "plugin.json")

# PyYAML reads less than 100 KB a second.
_YAML_LIMIT = 256 * 1024
_MIN_ID = 3
_MAX_ID = 190
_ID_CHARACTERS = re.compile(r"[a-zA-Z0-9._-]+", re.ASCII)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Manifest:
    """What an installation needs of a manifest.

    :param id: lower-cased, as servers >= 5.2 read it; fit to be a directory's name
    :param version: as written; "" if none
    :param min_server_version: as written; "" if none. Servers >= 5.6 check it when they activate the plugin
    :param executables: paths, below the plugin's directory, of all server binaries it names, for any platform
    :param webapp_bundle: path of the web part's file below the plugin's directory; "" if none
    :param file_name: one of :data:`MANIFEST_NAMES`
    :param written_id: the id as written; what :func:`check_id` wants
    :param platforms: platform (``linux-amd64``; empty: any other) and its server binary, for each that is named
    """

    id: str
    version: str
    min_server_version: str
    executables: Tuple[str, ...]
    webapp_bundle: str
    file_name: str
    written_id: str
    platforms: Tuple[Tuple[str, str], ...] = ()

    def executable_for(self, platform: str) -> str:
        """The server binary that a server on this platform (``linux-amd64``) starts; empty if none is named for it."""
        by_platform = dict(self.platforms)
        return by_platform.get(platform) or by_platform.get("", "")


def parse_manifest(file_name: str, data: bytes) -> Manifest:
    """The manifest in ``data``; ``file_name`` tells the format.

    :raises OperatorError: it does not parse, a field has the wrong type, or the id is missing or no directory name
    """
    is_json = file_name.endswith(".json")
    limit = MANIFEST_LIMIT if is_json else _YAML_LIMIT
    if len(data) > limit:
        raise OperatorError(
            "the manifest is too large", where=file_name, found=f"{len(data)} bytes", wanted=f"at most {limit} bytes"
        )
    reader = _JsonFields(file_name, data) if is_json else _YamlFields(file_name, data)
    top = reader.top
    written_id = reader.text(top, "id")
    _check_directory_name(written_id, file_name)
    server = reader.mapping(top, "server")
    backend = reader.mapping(top, "backend")  # the name of `server` before 5.2, still read
    named: List[str] = []
    by_platform: Dict[str, str] = {}  # of `server` where there is one, else of `backend`
    for part, name in ((server, "server"), (backend, "backend")):
        listed = reader.mapping(part, "executables", name)
        found = {platform: reader.text(listed, platform, name + ".executables") for platform in listed}
        found[""] = reader.text(part, "executable", name)
        named.extend(found.values())
        by_platform = by_platform or {platform: path for platform, path in found.items() if path}
    bundle = reader.text(reader.mapping(top, "webapp"), "bundle_path", "webapp")
    return Manifest(
        id=written_id.lower(),
        version=reader.text(top, "version"),
        min_server_version=reader.text(top, "min_server_version"),
        executables=tuple(sorted({_inside(path, file_name) for path in named if path})),
        webapp_bundle=_inside(bundle, file_name) if bundle else "",
        file_name=file_name,
        written_id=written_id,
        platforms=tuple(sorted((platform, _inside(path, file_name)) for platform, path in by_platform.items())),
    )


def check_id(plugin_id: str, version: Optional[ServerVersion]) -> None:
    """Refuse an id that the server would refuse or, before 5.2, would not find again.

    :param plugin_id: as written (before 5.2 a capital letter matters)
    :param version: of the server; None if unknown, then the rules of current servers hold
    :raises OperatorError: with the rule that is broken
    """
    _check_directory_name(plugin_id, "")
    server = f"Mattermost {version}" if version else "Mattermost"
    if features.ID_AT_MOST_190.in_version(version) and len(plugin_id) > _MAX_ID:
        _refuse_id(plugin_id, f"at most {_MAX_ID} characters for {server}", "")
    if features.ID_AT_LEAST_3.in_version(version) and len(plugin_id) < _MIN_ID:
        _refuse_id(plugin_id, f"at least {_MIN_ID} characters for {server}", "")
    by_pattern = features.ID_PATTERN.in_version(version)
    if by_pattern and not _ID_CHARACTERS.fullmatch(plugin_id):
        _refuse_id(plugin_id, f"letters, digits, '.', '-' and '_' only, for {server}", "")
    if not by_pattern and plugin_id != plugin_id.lower():
        # Their configuration reader lower-cases the keys of PluginStates, so the plugin could never be enabled.
        _refuse_id(plugin_id, f"lower case for {server}", "")


def _check_directory_name(plugin_id: str, where: str) -> None:
    """An id becomes the name of a directory, regardless of the server's version."""
    if not plugin_id:
        raise OperatorError("the manifest has no id", where=where, remedy="ask the plugin's author for a whole bundle")
    if plugin_id.startswith("."):
        _refuse_id(plugin_id, "an id that does not begin with a dot: servers skip such directories", where)
    if re.search(r"[/\\\x00-\x1f\x7f]", plugin_id) or len(plugin_id.encode("utf-8", "replace")) > 255:
        _refuse_id(plugin_id, "an id that can be the name of a directory", where)


def _refuse_id(plugin_id: str, wanted: str, where: str) -> NoReturn:
    raise OperatorError("invalid plugin id", where=where, found=repr(plugin_id[:200]), wanted=wanted)


def _inside(path: str, where: str) -> str:
    """A path of the manifest as servers take it: below the plugin's directory, even where it begins with a slash."""
    if "\0" in path:
        raise OperatorError("a path in the manifest holds a zero byte", where=where, found=repr(path[:200]))
    cleaned = posixpath.normpath("./" + path)
    if cleaned == "." or cleaned == ".." or cleaned.startswith("../"):
        raise OperatorError("a path in the manifest leads out of the plugin", where=where, found=repr(path[:200]))
    return cleaned.lstrip("/")


class _Fields:
    """The fields of a parsed manifest, type-checked as the server's reader does."""

    def __init__(self, file_name: str, top: Any) -> None:
        self._file_name = file_name
        if not isinstance(top, dict):
            self._refuse("the manifest is no mapping", _kind(top), "a mapping with an id")
        self.top: Dict[str, Any] = top

    def find(self, fields: Dict[str, Any], key: str) -> Any:
        return fields.get(key)

    def text(self, fields: Dict[str, Any], key: str, parent: str = "") -> str:
        value = self.find(fields, key)
        if value is None:
            return ""
        if not isinstance(value, str):
            self._refuse(f"the field {_dotted(parent, key)} has the wrong type", _kind(value), "a text")
        return _LONE_SURROGATE.sub("\ufffd", value)

    def mapping(self, fields: Dict[str, Any], key: str, parent: str = "") -> Dict[str, Any]:
        value = self.find(fields, key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._refuse(f"the field {_dotted(parent, key)} has the wrong type", _kind(value), "a mapping")
        return value

    def _refuse(self, problem: str, found: str, wanted: str) -> NoReturn:
        raise OperatorError(problem, where=self._file_name, found=found, wanted=wanted)


class _YamlFields(_Fields):
    def __init__(self, file_name: str, data: bytes) -> None:
        from .._formats.plain_yaml import YamlError
        from .._formats.yaml import read_yaml

        try:
            top = read_yaml(data.decode("utf-8-sig"))
        except (YamlError, UnicodeDecodeError) as error:
            raise OperatorError(
                "the manifest cannot be read as YAML",
                where=file_name,
                found=str(error)[:300],
                remedy="if other tools read it, install PyYAML (python3-yaml) on this host",
            ) from error
        super().__init__(file_name, top)


class _JsonFields(_Fields):
    def __init__(self, file_name: str, data: bytes) -> None:
        # As Go's decoder does it: bytes that are no UTF-8 are replaced, what follows the first value is not read,
        # NaN is no number. Numbers are of no use here; as floats they cost nothing, however many digits they have.
        decoder = json.JSONDecoder(parse_constant=_no_number, parse_int=float)
        text = data.decode("utf-8", "replace").lstrip(" \t\r\n")
        try:
            check_depth(text)
            top = decoder.raw_decode(text)[0]
        except ValueError as error:
            raise OperatorError(
                "the manifest cannot be read as JSON", where=file_name, found=str(error)[:300]
            ) from error
        # Of each object, made once: one with many keys is searched for each of them.
        self._folded: Dict[int, Dict[str, Any]] = {}
        super().__init__(file_name, top)

    def find(self, fields: Dict[str, Any], key: str) -> Any:
        """Go's decoder takes keys in any case; the last one counts."""
        folded = self._folded.get(id(fields))
        if folded is None:
            folded = {name.lower(): value for name, value in fields.items() if value is not None}
            self._folded[id(fields)] = folded
        return folded.get(key.lower())


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _dotted(parent: str, key: str) -> str:
    return f"{parent}.{key}" if parent else key


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    kinds = {bool: "true or false", float: "a number", str: "a text", list: "a list", dict: "a mapping"}
    return kinds.get(type(value), type(value).__name__)
