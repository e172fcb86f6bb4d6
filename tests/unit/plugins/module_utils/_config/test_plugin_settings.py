# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vocabulary of PluginSettings, and what changes when some of it is wanted."""

from __future__ import annotations

import json
from typing import Any, Dict

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._config.document import ConfigDocument, FoldedMap
from ansible_collections.plugops.mattermost.plugins.module_utils._config.plugin_settings import (
    KEYS,
    Wanted,
    changes,
    check_known,
    effective,
    enabled_ids,
    find_key,
    option_types,
    parse_wanted,
    settings_of,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.server_version import ServerVersion
from hypothesis import given
from hypothesis import strategies as st

# The section that Mattermost 9.10 writes on its own, without ids.
DEFAULTS_9_10 = {
    "Enable": True,
    "EnableUploads": False,
    "AllowInsecureDownloadURL": False,
    "EnableHealthCheck": True,
    "Directory": "./plugins",
    "ClientDirectory": "./client/plugins",
    "Plugins": {},
    "PluginStates": {},
    "EnableMarketplace": True,
    "EnableRemoteMarketplace": True,
    "AutomaticPrepackagedPlugins": True,
    "RequirePluginSignature": False,
    "MarketplaceURL": "https://api.integrations.mattermost.com",
    "SignaturePublicKeyFiles": [],
    "ChimeraOAuthProxyURL": "",
}


def section(data: Dict[str, Any]) -> FoldedMap:
    return FoldedMap(data, "PluginSettings in config.json")


def want(**parts: Any) -> Wanted:
    return parse_wanted(parts.get("settings", {}), parts.get("states", {}), parts.get("plugins", {}))


# --- the table -------------------------------------------------------------------------------------------------------


def test_the_table_is_the_servers_section_in_its_order_with_its_defaults() -> None:
    assert [(key.name, key.default) for key in KEYS] == list(DEFAULTS_9_10.items())


def test_types_are_those_of_the_defaults() -> None:
    kinds = {"bool": bool, "str": str, "list": list, "map": dict}
    assert all(type(key.default) is kinds[key.type] for key in KEYS)


def test_options_are_the_keys_in_snake_case() -> None:
    assert all(key.option.replace("_", "") == key.name.lower() for key in KEYS if key.type != "map")
    assert set(option_types()) == {key.option for key in KEYS} - {"states", "plugins"}
    assert option_types()["signature_public_key_files"] == {"type": "list", "elements": "str", "no_log": False}


def test_options_that_are_not_set_say_nothing_and_false_says_false() -> None:
    options = dict.fromkeys(option_types())
    assert settings_of({**options, "enable_uploads": False, "marketplace_url": ""}) == {
        "EnableUploads": False,
        "MarketplaceURL": "",
    }


@pytest.mark.parametrize("name", ["MarketplaceUrl", "marketplaceurl", "MarketplaceURL"])
def test_keys_are_found_in_any_spelling(name: str) -> None:
    key = find_key(name)
    assert key is not None
    assert key.name == "MarketplaceURL"


# --- refusing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"settings": {"EnableUpload": True}}, r"no key 'EnableUpload'.*EnableUploads"),
        ({"settings": {"EnableUploads": "true"}}, r"EnableUploads.*'true' \(str\).*true or false"),
        ({"settings": {"Enable": 1}}, r"Enable .*1 \(int\).*true or false"),
        ({"settings": {"Directory": None}}, r"Directory.*None.*a text"),
        ({"settings": {"SignaturePublicKeyFiles": "a.asc"}}, "a list of texts"),
        ({"settings": {"SignaturePublicKeyFiles": ["a", 1]}}, "a list of texts"),
        ({"settings": {"PluginStates": {}}}, "give it as states"),
        ({"settings": {"plugins": {}}}, "give it as plugins"),
        ({"settings": {"Enable": True, "enable": True}}, "Enable is given twice"),
        ({"states": {"jira": "yes"}}, r"jira.*'yes'"),
        ({"states": {"jira": {"Enable": True}}}, "neither true nor false"),
        ({"states": {"": True}}, "no plugin id"),
        ({"states": {"a b": True}}, "no plugin id"),
        ({"states": {"Jira": True, "jira": True}}, "twice"),
        ({"plugins": {"jira": True}}, "no dictionary"),
        ({"plugins": {"Jira": {}, "jira": {}}}, "twice"),
        ({"plugins": {"jira": {"Token": 1, "token": 1}}}, '"Token" and "token"'),
        ({"plugins": {"jira": {"n": float("nan")}}}, r"jira\.n"),
        ({"plugins": {"jira": {"n": {1, 2}}}}, r"jira\.n"),
    ],
)
def test_what_the_server_would_not_take_is_refused(parts: Dict[str, Any], message: str) -> None:
    with pytest.raises(OperatorError, match=message):
        want(**parts)


def test_no_value_of_a_plugin_stands_in_a_message() -> None:
    with pytest.raises(OperatorError) as caught:
        want(plugins={"jira": {"token": ["hunter2", object()]}})
    assert "hunter2" not in str(caught.value)


def test_a_key_that_the_server_does_not_know_yet_is_refused_with_both_versions() -> None:
    wanted = want(settings={"EnableMarketplace": False})
    with pytest.raises(OperatorError, match=r"EnableMarketplace.*5\.15\.3.*5\.16\.0.*enable_marketplace"):
        check_known(wanted, ServerVersion(5, 15, 3))
    check_known(wanted, ServerVersion(5, 16))
    check_known(wanted, None)


def test_client_directory_is_known_from_4_4_4() -> None:
    with pytest.raises(OperatorError, match="ClientDirectory"):
        check_known(want(settings={"ClientDirectory": "x"}), ServerVersion(4, 4, 3))
    check_known(want(settings={"Directory": "x"}, states={"a": True}, plugins={"a": {"b": 1}}), ServerVersion(4, 4))


# --- what changes ----------------------------------------------------------------------------------------------------


def test_changes_name_what_differs_and_nothing_else() -> None:
    found = changes(
        section(
            {
                "enable": True,
                "EnableUploads": False,
                "PluginStates": {"Com.Example.A": {"Enable": True}, "b": {"enable": True}, "other": {"Enable": True}},
                "Plugins": {"Com.Example.A": {"token": "old", "kept": 1, "Limit": 10.0}},
            }
        ),
        want(
            settings={"Enable": True, "EnableUploads": True, "RequirePluginSignature": False},
            states={"com.example.a": True, "B": False, "c": False},
            plugins={"com.example.a": {"Token": "new", "limit": 10, "New": True}},
        ),
    )
    assert [(change.name, change.path[1:], change.found, change.wanted, change.secret) for change in found] == [
        ("settings.EnableUploads", ("EnableUploads",), False, True, False),
        ("settings.RequirePluginSignature", ("RequirePluginSignature",), None, False, False),
        ("settings.PluginStates.b", ("PluginStates", "b", "enable"), True, False, False),
        ("settings.PluginStates.c", ("PluginStates", "c", "Enable"), None, False, False),
        ("settings.Plugins.com.example.a.Token", ("Plugins", "Com.Example.A", "token"), "old", "new", True),
        ("settings.Plugins.com.example.a.New", ("Plugins", "Com.Example.A", "New"), None, True, True),
    ]


@pytest.mark.parametrize(
    ("there", "wanted"), [("", "./plugins"), ("./plugins", ""), ("", ""), ("./plugins", "./plugins")]
)
def test_an_empty_directory_is_the_default_one(there: str, wanted: str) -> None:
    assert changes(section({"Directory": there}), want(settings={"Directory": wanted})) == []


def test_an_empty_text_is_a_value_where_the_server_takes_it_for_one() -> None:
    found = changes(section({"ChimeraOAuthProxyURL": "https://x"}), want(settings={"ChimeraOAuthProxyURL": ""}))
    assert [change.wanted for change in found] == [""]


@pytest.mark.parametrize("broken", [[], "x", True])
def test_a_map_that_is_none_is_refused(broken: Any) -> None:
    with pytest.raises(OperatorError, match="PluginStates in PluginSettings"):
        changes(section({"PluginStates": broken}), want(states={"a": True}))
    with pytest.raises(OperatorError, match="a in PluginStates"):
        changes(section({"PluginStates": {"a": broken}}), want(states={"a": True}))


def test_null_maps_and_entries_are_empty() -> None:
    assert len(changes(section({"PluginStates": None}), want(states={"a": True}))) == 1
    assert len(changes(section({"PluginStates": {"a": None}}), want(states={"a": True}))) == 1


# --- the merge, by property ------------------------------------------------------------------------------------------

ids = st.sampled_from(["jira", "Jira", "com.mattermost.nps", "COM.mattermost.NPS", "a-b_c"])
names = st.sampled_from(["token", "Token", "URL", "url", "Enable", "list"])
values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    | st.lists(st.booleans() | st.integers(0, 1), max_size=2)
)


def once(strategy: st.SearchStrategy[Dict[str, Any]]) -> st.SearchStrategy[Dict[str, Any]]:
    return strategy.filter(lambda data: len({key.lower() for key in data}) == len(data))


states = once(st.dictionaries(ids, st.booleans()))
plugins = once(st.dictionaries(ids, once(st.dictionaries(names, values))))
settings = st.fixed_dictionaries(
    {}, optional={"EnableUploads": st.booleans(), "Directory": st.text("/ab.", max_size=4)}
)
stored = st.fixed_dictionaries(
    {},
    optional={
        "enableuploads": st.booleans() | st.none(),
        "Unknown": values,
        "Directory": st.text("/ab.", max_size=4),
        "PluginStates": once(st.dictionaries(ids, st.fixed_dictionaries({"Enable": st.booleans(), "More": values}))),
        "Plugins": plugins,
    },
)


@given(stored, settings, states, plugins)
def test_merging_is_idempotent_additive_and_reaches_what_is_wanted(
    data: Dict[str, Any], settings: Dict[str, Any], states: Dict[str, Any], plugins: Dict[str, Any]
) -> None:
    wanted = want(settings=settings, states=states, plugins=plugins)
    document = ConfigDocument.parse(json.dumps({"PluginSettings": data}, indent=4).encode("utf-8"), "config.json")
    merged = document.set({change.path: change.wanted for change in changes(section(data), wanted)})
    after = json.loads(merged.render())["PluginSettings"]
    assert changes(merged.section("PluginSettings"), wanted) == []
    touched = {change.path[1:] for change in changes(section(data), wanted)}
    for path, value in _leaves(data):
        assert path in touched or _at(after, path) == value
    assert after.get("Unknown") == data.get("Unknown")


def _leaves(data: Dict[str, Any]) -> Any:
    for key, value in data.items():
        if key in ("PluginStates", "Plugins"):
            for plugin_id, entry in value.items():
                for name, setting in entry.items():
                    yield (key, plugin_id, name), setting
        elif key != "enableuploads":
            yield (key,), value


def _at(data: Dict[str, Any], path: Any) -> Any:
    for key in path:
        data = data[key]
    return data


# --- what is effective -----------------------------------------------------------------------------------------------


def test_effective_is_environment_then_section_then_default() -> None:
    settings = effective(
        section({"enableuploads": False, "Directory": "", "Plugins": None, "PluginStates": {"Jira": {"Enable": True}}}),
        {"EnableUploads": True, "MarketplaceURL": ""},
    )
    assert settings == {**DEFAULTS_9_10, "EnableUploads": True, "PluginStates": {"jira": {"Enable": True}}}


def test_effective_leaves_out_what_the_version_does_not_know_and_shares_no_default() -> None:
    first = effective(section({}), {}, ServerVersion(4, 6))
    assert list(first) == ["Enable", "EnableUploads", "Directory", "ClientDirectory", "Plugins", "PluginStates"]
    first["Plugins"]["x"] = 1
    assert effective(section({}), {})["Plugins"] == {}


def test_enabled_ids_takes_only_true_for_enabled() -> None:
    states = {"A": {"enable": True}, "b": {"Enable": False}, "c": None, "d": {"Enable": "true"}, "e": {}}
    assert enabled_ids(states) == {"a": True, "b": False, "c": False, "d": False, "e": False}
