# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One entry of the operator's list of plugins, as written and found well-formed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ...module_utils._bundle.manifest import check_id
from ...module_utils._core.errors import OperatorError
from ...module_utils._plugins.arguments import PLUGIN_ARGUMENTS

_TEXTS = tuple(key for key, argument in PLUGIN_ARGUMENTS.items() if argument["type"] == "str")
_SHA256 = re.compile("[0-9a-f]{64}")
_SHOWN = 300  # characters of what somebody wrote
_EXAMPLE = "write for example: - {src: files/com.example.plugin-1.2.0.tar.gz}"


@dataclass(frozen=True)
class Entry:
    """What the operator specifies of one plugin. Empty texts were not specified.

    :param where: how messages name the entry
    :param src: bundle on the controller
    :param url: of the bundle; its ``sha256`` is specified, too
    :param signature: path or URL of the bundle's detached signature
    :param enabled: None: not specified
    :param tree: digest of the files that the bundle unpacks to; only a lock file has it
    :param strategy: of this bundle alone
    """

    where: str
    id: str = ""
    src: str = ""
    url: str = ""
    version: str = ""
    sha256: str = ""
    signature: str = ""
    enabled: Optional[bool] = None
    present: bool = True
    tree: str = ""
    strategy: str = ""

    @property
    def has_source(self) -> bool:
        return bool(self.src or self.url)

    @property
    def is_pinned(self) -> bool:
        """Whether the nodes' stores can be searched for the bundle."""
        return bool(self.id and self.version and self.sha256)

    @property
    def is_bare(self) -> bool:
        """Whether nothing is specified of the bundle at all."""
        return not (self.has_source or self.version or self.sha256 or self.signature)

    def specified(self) -> Dict[str, str]:
        """What the bundle must agree with."""
        return {key: getattr(self, key) for key in ("id", "version", "sha256") if getattr(self, key)}


def parse_entry(entry: Any, where: str) -> Entry:
    """Check one entry of the list, and turn it into an :class:`Entry`.

    :param entry: as documented for the option ``plugins`` of the module mattermost_plugin
    :raises OperatorError: it is wrong in itself
    """
    if not isinstance(entry, Mapping):
        raise OperatorError("an entry must be a mapping", where=where, found=repr(entry)[:_SHOWN], remedy=_EXAMPLE)
    specified = {
        str(key): value for key, value in entry.items() if value is not None and (value != "" or key not in _TEXTS)
    }
    _refuse_converted_texts(specified, where)
    checked = _validated(specified, where)
    texts = {key: str(checked[key] or "") for key in _TEXTS if key != "state"}
    for key in ("id", "sha256"):
        texts[key] = texts[key].lower()
    found = Entry(where=where, enabled=checked["enabled"], present=checked["state"] == "present", **texts)
    _refuse_contradictions(found)
    return found


def _refuse_converted_texts(specified: Mapping[str, Any], where: str) -> None:
    """Refuse what an argument spec would silently make a text of: the version 1.10 is the number 1.1 to YAML."""
    for key in _TEXTS:
        value = specified.get(key, "")
        if not isinstance(value, str):
            raise OperatorError(
                f"{key} must be a text",
                where=where,
                found=repr(value)[:_SHOWN],
                remedy='quote it: YAML reads "1.10" as 1.1',
            )
        if "\0" in value:
            raise OperatorError(f"{key} holds a zero byte", where=where, remedy="remove it")


def _validated(specified: Dict[str, Any], where: str) -> Dict[str, Any]:
    """The entry with the types and defaults of the argument spec."""
    result = ArgumentSpecValidator(PLUGIN_ARGUMENTS).validate(specified)
    if result.unsupported_parameters:
        unknown = sorted(".".join(key) if isinstance(key, tuple) else key for key in result.unsupported_parameters)
        raise OperatorError(
            "unknown key",
            where=where,
            found=", ".join(unknown)[:_SHOWN],
            wanted=", ".join(sorted(PLUGIN_ARGUMENTS)),
            remedy=_EXAMPLE,
        )
    if result.error_messages:
        raise _wrong_value(specified, where)
    return dict(result.validated_parameters)


def _wrong_value(specified: Mapping[str, Any], where: str) -> OperatorError:
    """What is wrong by the argument spec; its own message names no entry, and not every key."""
    key = next(key for key in specified if _is_wrong(key, specified[key]))
    choices = PLUGIN_ARGUMENTS[key].get("choices")
    if choices:
        found = str(specified[key])[:_SHOWN]
        return OperatorError(f"unknown {key}", where=where, found=found, wanted=" or ".join(choices))
    return OperatorError(f"{key} must be true or false", where=where, found=repr(specified[key])[:_SHOWN])


def _is_wrong(key: str, value: Any) -> bool:
    return bool(ArgumentSpecValidator({key: PLUGIN_ARGUMENTS[key]}).validate({key: value}).error_messages)


def _refuse_contradictions(entry: Entry) -> None:
    """Rules between keys, which no argument spec of a role can express."""
    where = entry.where
    if not entry.present and not entry.id:
        raise OperatorError("state absent needs the plugin's id", where=where, remedy="add its id")
    if entry.src and entry.url:
        raise OperatorError("an entry has src or url, not both", where=where, remedy="remove one of them")
    if not (entry.has_source or entry.id):
        raise OperatorError(
            "an entry needs src or url, or the id of a plugin that the server brings along, or that a bundle "
            "directory, a lock file or (with its version and sha256) the nodes' stores have",
            where=where,
            remedy=_EXAMPLE,
        )
    if entry.sha256 and not _SHA256.fullmatch(entry.sha256):
        raise OperatorError("sha256 is no SHA-256", where=where, found=entry.sha256[:_SHOWN], wanted="64 hex digits")
    if entry.present and entry.url and not entry.sha256:
        raise OperatorError(
            "a bundle from a url needs its sha256",
            where=where,
            remedy="add the sha256 that the publisher names, or that sha256sum prints for a copy that you trust",
        )
    if entry.id:
        check_id(entry.id, None)  # it becomes the name of a directory
