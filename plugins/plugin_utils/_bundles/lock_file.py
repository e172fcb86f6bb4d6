# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock file: which plugins, at which version and hash, from where, signed by what. One file for a cluster."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Mapping

import yaml

from ...module_utils._core.errors import OperatorError
from ...module_utils._formats.plain_yaml import YamlError
from ...module_utils._formats.yaml import KeyTwice, read_strict_yaml
from ...module_utils._http.downloads import is_url
from ...module_utils._plugins.wanted import WantedPlugin
from .entry import Entry, parse_entry

FORMAT = 1
_HEADER = """\
# Pins the plugins of a Mattermost deployment. Generated: the lock playbook and the module
# plugops.mattermost.mattermost_plugin_lock write it again. Paths are relative to this file's directory.
---
"""
_KEYS = ("state", "version", "sha256", "tree", "src", "url", "signature", "enabled")
LOCK_LIMIT = 512 * 1024  # a plugin takes some 400 bytes; PyYAML reads less than 100 KB a second
_SHOWN = 300  # characters of what somebody else wrote
_REMEDY = "fix the file, or remove it and let the lock playbook write it again"


@dataclass(frozen=True)
class Lock:
    """What one lock file pins.

    :param path: of the file
    :param pins: plugin id -> its entry, sorted by id; paths as the file has them
    """

    path: str
    pins: Mapping[str, Entry] = field(default_factory=dict)

    def resolved(self, plugin_id: str) -> Entry:
        """A pin with its paths made absolute."""
        pin = self.pins[plugin_id]
        return replace(pin, src=self.absolute(pin.src), signature=self.absolute(pin.signature))

    def absolute(self, path: str) -> str:
        if not path or is_url(path):
            return path
        return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(self.path)), os.path.expanduser(path)))

    def relative(self, path: str) -> str:
        """As a new entry has a path: what lies below the lock's directory moves with it."""
        if not path or is_url(path):
            return path
        directory = os.path.dirname(os.path.abspath(self.path))
        below = os.path.relpath(os.path.abspath(path), directory)
        return os.path.abspath(path) if below.split(os.sep, maxsplit=1)[0] == os.pardir else below

    def refuse_contradiction(self, plugin: WantedPlugin, where: str) -> None:
        """Refuse a plugin that is not the pinned one.

        :param where: what wants the plugin
        :raises OperatorError: the lock file pins another one, or none
        """
        pin = self.pins.get(plugin.id)
        if pin is None:
            if plugin.present and not plugin.from_server:
                raise OperatorError(
                    f"the lock file does not pin {plugin.id}",
                    where=f"{where}, {self.path}",
                    remedy="run the lock playbook, and commit the lock file",
                )
            return
        given = _state(plugin.present, plugin.version, plugin.sha256, plugin.enabled)
        pinned = _state(pin.present, pin.version, pin.sha256, pin.enabled is not False)
        if given != pinned:
            differing = [key for key in pinned if given.get(key) != pinned[key]]
            raise OperatorError(
                f"the lock file contradicts what is wanted of {plugin.id}: another {', '.join(differing)}",
                where=f"{where}, {self.path}",
                found=", ".join(f"{key} {pinned[key]} in the lock file" for key in differing),
                wanted=", ".join(f"{key} {given.get(key)}" for key in differing),
                remedy="run the lock playbook if the lock file is out of date, else correct the list",
            )

    def text(self) -> str:
        """The file's content: the same for the same pins."""
        plugins = {plugin_id: written(self.pins[plugin_id]) for plugin_id in sorted(self.pins)}
        # Through JSON: what Ansible hands over are texts of types of its own.
        content = json.loads(json.dumps({"format": FORMAT, "plugins": plugins}))
        return _HEADER + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100_000)


def read_lock(path: str) -> Lock:
    """Read a lock file.

    :raises OperatorError: it cannot be read, or is no lock file
    """
    try:
        with open(path, "rb") as source:
            data = source.read(LOCK_LIMIT + 1)
        return parse_lock(data.decode("utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(
            "the lock file cannot be read",
            where=path,
            found=getattr(error, "strerror", None) or str(error),
            remedy="write it with the lock playbook, or correct mattermost_plugin_lock",
        ) from error


def parse_lock(text: str, path: str) -> Lock:
    """The lock file with this content.

    :raises OperatorError: this is no lock file
    """
    if len(text) > LOCK_LIMIT:
        raise OperatorError(
            "the lock file is too large", where=path, wanted=f"at most {LOCK_LIMIT} bytes", remedy=_REMEDY
        )
    try:
        content = read_strict_yaml(text)
    except KeyTwice as error:
        raise OperatorError(
            "the lock file holds a key twice", where=path, found=str(error)[:_SHOWN], remedy=_REMEDY
        ) from error
    except YamlError as error:
        raise OperatorError("the lock file is no YAML", where=path, found=str(error), remedy=_REMEDY) from error
    if not isinstance(content, dict) or set(content) != {"format", "plugins"}:
        found = ", ".join(sorted(content)) if isinstance(content, dict) else type(content).__name__
        raise OperatorError(
            "this is no lock file",
            where=path,
            found=found[:_SHOWN],
            wanted="the keys format and plugins",
            remedy=_REMEDY,
        )
    if content["format"] != str(FORMAT):
        raise OperatorError(
            "a lock file of another format",
            where=path,
            found=str(content["format"])[:_SHOWN],
            wanted=str(FORMAT),
            remedy="use the version of the collection that wrote it, or let the lock playbook write it again",
        )
    plugins = {} if content["plugins"] is None else content["plugins"]
    if not isinstance(plugins, dict):
        raise OperatorError("plugins must be a mapping of ids", where=path, remedy=_REMEDY)
    pins: Dict[str, Entry] = {}
    for plugin_id, value in plugins.items():
        pin = _pin(plugin_id, value, path)
        if pin.id in pins:
            raise OperatorError(f"the lock file holds the plugin {pin.id} twice", where=path, remedy=_REMEDY)
        pins[pin.id] = pin
    return Lock(path, {plugin_id: pins[plugin_id] for plugin_id in sorted(pins)})


def _pin(plugin_id: str, value: Any, path: str) -> Entry:
    where = f"{path}, {plugin_id[:_SHOWN]}"
    if not isinstance(value, dict):
        raise OperatorError("a pinned plugin must be a mapping", where=where, remedy=_REMEDY)
    unknown = sorted(set(value) - set(_KEYS))
    if unknown:
        raise OperatorError(
            "unknown key", where=where, found=", ".join(unknown)[:_SHOWN], wanted=", ".join(_KEYS), remedy=_REMEDY
        )
    given = {key: value[key] for key in value if key != "tree"}
    pin = parse_entry({**given, "id": plugin_id}, where)
    tree = value.get("tree") or ""
    if not isinstance(tree, str):
        raise OperatorError("tree must be a text", where=where, remedy=_REMEDY)
    if pin.present and not pin.is_pinned:
        raise OperatorError("a pinned plugin needs its version and sha256", where=where, remedy=_REMEDY)
    return replace(pin, tree=tree, enabled=pin.present if pin.enabled is None else pin.enabled and pin.present)


def _state(present: bool, version: str, sha256: str, enabled: bool) -> Dict[str, Any]:
    if not present:
        return {"state": "absent"}
    return {"state": "present", "version": version, "sha256": sha256, "enabled": enabled}


def written(pin: Entry) -> Dict[str, Any]:
    """A pin as the file has it."""
    if not pin.present:
        return {"state": "absent"}
    texts = {key: getattr(pin, key) for key in _KEYS if key not in ("state", "enabled")}
    return {**{key: text for key, text in texts.items() if text}, "enabled": pin.enabled is not False}


def _authority(url: str) -> str:
    """Between the slashes; urlsplit refuses some that hold brackets."""
    return re.split("[/?#]", url.partition("://")[2], maxsplit=1)[0]


def refuse_secret_urls(pins: Mapping[str, Entry]) -> None:
    """A lock file is shared; a password in a URL would be, too.

    :raises OperatorError: a URL has one
    """
    leaks: List[str] = [
        pin.where
        for pin in pins.values()
        for text in (pin.url, pin.signature)
        if is_url(text) and "@" in _authority(text)
    ]
    if leaks:
        raise OperatorError(
            "a URL with a password would be written to the lock file",
            where=", ".join(leaks),
            remedy="keep the password in ~/.netrc on the controller",
        )
