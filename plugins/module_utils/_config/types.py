# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of the settings that are read: checked once, when a section is read.

A server refuses to start with most of what is refused here, so no server wrote it.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping

from .._core.errors import OperatorError
from .._formats.json_source import LEFT_AS_IT_IS, kind_of

FLAG, TEXT, PATH, PATHS, OBJECTS = "flag", "text", "path", "paths", "objects"
_WANTED = {
    FLAG: "true or false",
    TEXT: "a string",
    PATH: "a string",
    PATHS: "a list of strings",
    OBJECTS: "an object of objects",
}
# Section -> key, in lower case -> type. Servers read both in any case.
TYPES: Dict[str, Dict[str, str]] = {
    "PluginSettings": {
        "enable": FLAG,
        "enableuploads": FLAG,
        "allowinsecuredownloadurl": FLAG,
        "enablehealthcheck": FLAG,
        "directory": PATH,
        "clientdirectory": PATH,
        "plugins": OBJECTS,
        "pluginstates": OBJECTS,
        "enablemarketplace": FLAG,
        "enableremotemarketplace": FLAG,
        "automaticprepackagedplugins": FLAG,
        "requirepluginsignature": FLAG,
        "marketplaceurl": TEXT,
        "signaturepublickeyfiles": PATHS,
        "chimeraoauthproxyurl": TEXT,
    },
    "FileSettings": {"drivername": TEXT, "directory": PATH},
    "ImportSettings": {"directory": PATH},
    "LogSettings": {"enablefile": FLAG, "filelocation": PATH},
    "ServiceSettings": {
        "connectionsecurity": TEXT,
        "enablelocalmode": FLAG,
        "listenaddress": TEXT,
        "localmodesocketlocation": PATH,
    },
}
_TYPES = {section.lower(): types for section, types in TYPES.items()}
_LONGEST_PATH = 4095  # bytes, of what Linux takes
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")  # no text on disk or in a network holds one


def refuse_wrong_types(section: str, values: Mapping[str, Any], where: str) -> None:
    """Refuse what no server takes for a value of its key; null stands for the default.

    :param where: how messages name the section
    :raises OperatorError: names the key, never a value: it may be a secret
    """
    types = _TYPES.get(section.lower(), {})
    for key, value in values.items():
        kind = types.get(key.lower(), "")
        if not kind or value is None:
            continue
        if not _has_type(value, kind):
            raise OperatorError(
                f"{key} has a value of the wrong type",
                where=where,
                found=_shown_kind(value, kind),
                wanted=_WANTED[kind],
                remedy=LEFT_AS_IT_IS,
            )
        for text in value if kind == PATHS else [value] if kind in (TEXT, PATH) else []:
            wrong = _wrong_in(text, is_path=kind != TEXT)
            if wrong:
                raise OperatorError(
                    f"{key} holds {wrong}", where=where, wanted="a text without it", remedy=LEFT_AS_IT_IS
                )


def _has_type(value: Any, kind: str) -> bool:
    if kind == FLAG:
        return isinstance(value, bool)
    if kind == PATHS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind == OBJECTS:
        return isinstance(value, dict) and all(item is None or isinstance(item, dict) for item in value.values())
    return isinstance(value, str)


def _shown_kind(value: Any, kind: str) -> str:
    """Of what is inside, where the outside is right."""
    if kind == PATHS and isinstance(value, list):
        return f"{kind_of(next(item for item in value if not isinstance(item, str)))} in the list"
    if kind == OBJECTS and isinstance(value, dict):
        key, item = next((key, item) for key, item in value.items() if item is not None and not isinstance(item, dict))
        return f"{kind_of(item)} under {key[:100]!r}"
    return kind_of(value)


def _wrong_in(text: str, is_path: bool) -> str:
    if "\0" in text:
        return "a zero byte"
    if _HALF_CHARACTER.search(text):
        return "a lone surrogate (\\ud800 to \\udfff)"
    if is_path and len(text.encode("utf-8")) > _LONGEST_PATH:
        return f"a path of more than {_LONGEST_PATH} bytes"
    return ""
