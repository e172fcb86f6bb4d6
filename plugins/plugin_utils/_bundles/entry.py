# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One entry of the operator's list of plugins, as written and found well-formed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

from ansible.module_utils.parsing.convert_bool import boolean

from ...module_utils._bundle.manifest import check_id
from ...module_utils._core.errors import OperatorError
from ...module_utils._plugins.strategy import STRATEGIES

KEYS = frozenset({"id", "src", "url", "version", "sha256", "signature", "enabled", "state", "strategy"})
_TEXTS = ("id", "src", "url", "version", "sha256", "signature", "state", "strategy")
_SHA256 = re.compile("[0-9a-f]{64}")
_SHOWN = 300  # characters of what somebody wrote
_EXAMPLE = "write for example: - {src: files/com.example.plugin-1.2.0.tar.gz}"


@dataclass(frozen=True)
class Entry:
    """What the operator says of one plugin. Empty texts were not said.

    :param where: how messages name the entry
    :param src: bundle on the controller
    :param url: of the bundle; its ``sha256`` is said, too
    :param signature: path or URL of the bundle's detached signature
    :param enabled: None: not said
    :param tree: digest of the files that the bundle unpacks to; only a lock file says it
    :param strategy: the way of this bundle alone
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
        """Whether the nodes' stores can be asked for the bundle."""
        return bool(self.id and self.version and self.sha256)

    @property
    def is_bare(self) -> bool:
        """Whether nothing is said of the bundle at all."""
        return not (self.has_source or self.version or self.sha256 or self.signature)

    def said(self) -> Dict[str, str]:
        """What the bundle must agree with."""
        return {key: getattr(self, key) for key in ("id", "version", "sha256") if getattr(self, key)}


def parse_entry(entry: Any, where: str) -> Entry:
    """
    :param entry: as documented for the option ``plugins`` of the module mattermost_plugin
    :raises OperatorError: it is wrong in itself
    """
    if not isinstance(entry, Mapping):
        raise OperatorError("an entry must be a mapping", where=where, found=repr(entry)[:_SHOWN], remedy=_EXAMPLE)
    unknown = sorted(str(key) for key in set(entry) - KEYS)
    if unknown:
        raise OperatorError(
            "unknown key",
            where=where,
            found=", ".join(unknown)[:_SHOWN],
            wanted=", ".join(sorted(KEYS)),
            remedy=_EXAMPLE,
        )
    for key in _TEXTS:
        if entry.get(key) is not None and not isinstance(entry[key], str):
            raise OperatorError(
                f"{key} must be a text",
                where=where,
                found=repr(entry[key])[:_SHOWN],
                remedy='quote it: YAML reads "1.10" as 1.1',
            )
        if "\0" in (entry.get(key) or ""):
            raise OperatorError(f"{key} holds a zero byte", where=where, remedy="take it out")
    texts = {key: str(entry.get(key) or "") for key in _TEXTS}
    state = texts.pop("state") or "present"
    for key in ("id", "sha256"):
        texts[key] = texts[key].lower()
    found = Entry(where=where, enabled=_enabled(entry.get("enabled"), where), present=state == "present", **texts)
    _check(found, state)
    return found


def _check(entry: Entry, state: str) -> None:
    where = entry.where
    if state not in ("present", "absent"):
        raise OperatorError("unknown state", where=where, found=state[:_SHOWN], wanted="present or absent")
    if entry.strategy and entry.strategy not in STRATEGIES:
        raise OperatorError(
            "unknown strategy", where=where, found=entry.strategy[:_SHOWN], wanted=", ".join(STRATEGIES)
        )
    if not entry.present and not entry.id:
        raise OperatorError("state absent needs the plugin's id", where=where)
    if entry.src and entry.url:
        raise OperatorError("an entry has src or url, not both", where=where, remedy="take one of them out")
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


def _enabled(value: Any, where: str) -> Optional[bool]:
    if value is None:
        return None
    try:
        return bool(boolean(value))
    except TypeError as error:
        raise OperatorError("enabled must be true or false", where=where, found=repr(value)[:_SHOWN]) from error
