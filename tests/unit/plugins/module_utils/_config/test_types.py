# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings with values that no server takes: told with their key, wherever they are read."""

from __future__ import annotations

import json
from typing import Any, Dict

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._config.document import ConfigDocument, section_in
from ansible_collections.plugops.mattermost.plugins.module_utils._config.plugin_settings import KEYS, effective
from ansible_collections.plugops.mattermost.plugins.module_utils._config.types import (
    FLAG,
    OBJECTS,
    PATHS,
    TYPES,
    refuse_wrong_types,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
SECTIONS = {
    "PluginSettings": [key.name for key in KEYS],
    "FileSettings": ["DriverName", "Directory", "MaxFileSize"],
    "ServiceSettings": ["ListenAddress", "EnableLocalMode", "LocalModeSocketLocation", "ConnectionSecurity"],
    "LogSettings": ["EnableFile", "FileLocation"],
    "ImportSettings": ["Directory"],
}


def message_of(section: str, values: Dict[str, Any]) -> str:
    document = ConfigDocument.parse(json.dumps({section: values}).encode(), "config.json")
    with pytest.raises(OperatorError) as error:
        document.section(section)
    with pytest.raises(OperatorError) as again:
        section_in({section: values}, section, "config.json")
    assert str(again.value) == str(error.value)
    assert "config.json" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("section", "key", "value", "told"),
    [
        ("PluginSettings", "Directory", 5, "found: a number; wanted: a string"),
        ("PluginSettings", "directory", [], "found: a list; wanted: a string"),
        ("PluginSettings", "ClientDirectory", {}, "found: an object; wanted: a string"),
        ("PluginSettings", "Directory", "a\0b", "Directory holds a zero byte"),
        ("PluginSettings", "Directory", "a\ud800b", "Directory holds a lone surrogate"),
        ("PluginSettings", "Directory", "a/" * 4000, "Directory holds a path of more than 4095 bytes"),
        ("PluginSettings", "Plugins", 5, "found: a number; wanted: an object of objects"),
        ("PluginSettings", "Plugins", {"a": {}, "b": "S3CRET"}, "found: a string under 'b'"),
        ("PluginSettings", "PluginStates", [], "found: a list; wanted: an object of objects"),
        ("PluginSettings", "PluginStates", {"a": True}, "found: true or false under 'a'"),
        ("PluginSettings", "Enable", "yes", "found: a string; wanted: true or false"),
        ("PluginSettings", "SignaturePublicKeyFiles", "x", "found: a string; wanted: a list of strings"),
        ("PluginSettings", "SignaturePublicKeyFiles", ["x", 5], "found: a number in the list"),
        ("PluginSettings", "SignaturePublicKeyFiles", ["x", "\0"], "SignaturePublicKeyFiles holds a zero byte"),
        ("FileSettings", "Directory", "a\0b", "Directory holds a zero byte"),
        ("FileSettings", "DriverName", {}, "found: an object; wanted: a string"),
        ("ServiceSettings", "ListenAddress", {}, "found: an object; wanted: a string"),
        ("ServiceSettings", "ListenAddress", "\0:80", "ListenAddress holds a zero byte"),
        ("ServiceSettings", "LocalModeSocketLocation", "\0", "LocalModeSocketLocation holds a zero byte"),
        ("LogSettings", "FileLocation", "\0", "FileLocation holds a zero byte"),
        ("ImportSettings", "Directory", 1.5, "found: a number; wanted: a string"),
    ],
)
def test_what_no_server_takes(section: str, key: str, value: Any, told: str) -> None:
    message = message_of(section, {"Other": 5, key: value})
    assert told in message
    assert key in message
    assert "S3CRET" not in message


def test_the_types_of_all_keys_are_known() -> None:
    kinds = {"bool": (FLAG,), "list": (PATHS,), "map": (OBJECTS,), "str": ("text", "path")}
    known = TYPES["PluginSettings"]
    assert set(known) == {key.name.lower() for key in KEYS}
    assert all(known[key.name.lower()] in kinds[key.type] for key in KEYS)


@pytest.mark.parametrize("section", SECTIONS)
def test_null_is_the_default_and_what_is_not_read_is_not_looked_at(section: str) -> None:
    values = {**dict.fromkeys(SECTIONS[section]), "Unknown": {"x": [1]}}
    assert dict(section_in({section.lower(): values}, section, "x")) == values


@given(st.dictionaries(st.sampled_from(SECTIONS["PluginSettings"]), VALUES))
def test_what_is_not_refused_can_be_worked_with(values: Dict[str, Any]) -> None:
    try:
        section = section_in({"PluginSettings": values}, "PluginSettings", "x")
    except OperatorError:
        return
    settings = effective(section, {})
    for key in KEYS:
        assert isinstance(settings[key.name], {"bool": bool, "str": str, "list": list, "map": dict}[key.type])


@given(st.sampled_from(sorted(SECTIONS)), st.data())
def test_nothing_but_the_error_for_operators(section: str, data: st.DataObject) -> None:
    values = data.draw(st.dictionaries(st.sampled_from(SECTIONS[section]) | st.text(), VALUES))
    try:
        refuse_wrong_types(section, values, "x")
    except OperatorError:
        return
    for key, kind in TYPES[section].items():
        found = next((value for name, value in values.items() if name.lower() == key), None)
        if found is not None and kind in ("path", "text"):
            found.encode("utf-8")
