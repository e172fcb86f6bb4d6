# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""config.json: what is not managed survives byte for byte, what is wrong is refused by name.

Oracle: Python's own json for the values, the original bytes for the text.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._config.document import (
    ConfigDocument,
    FoldedMap,
    same_value,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from hypothesis import given
from hypothesis import strategies as st

WHERE = "/opt/mattermost/config/config.json"

# As a server writes it: Go's field order, four spaces, no newline at the end, <, >, & and U+2028 escaped.
SERVER_WRITTEN = (
    "{\n"
    '    "ServiceSettings": {\n'
    '        "SiteURL": "http://localhost:8065?a=1\\u0026b=\\u003c2\\u003e",\n'
    '        "MaximumLoginAttempts": 10,\n'
    '        "TrustedProxyIPHeader": [],\n'
    '        "Separator": "a\\u2028b"\n'
    "    },\n"
    '    "PluginSettings": {\n'
    '        "Enable": true,\n'
    '        "EnableUploads": false,\n'
    '        "Directory": "./plugins",\n'
    '        "Plugins": {\n'
    '            "com.example.a": {\n'
    '                "Token": "s3cret",\n'
    '                "limit": 1e3,\n'
    '                "ratio": 10.0\n'
    "            }\n"
    "        },\n"
    '        "PluginStates": {\n'
    '            "com.mattermost.nps": {\n'
    '                "Enable": true\n'
    "            }\n"
    "        },\n"
    '        "SignaturePublicKeyFiles": []\n'
    "    },\n"
    '    "ZetaSettings": {\n'
    '        "Unknown": null\n'
    "    }\n"
    "}"
)


def parse(text: str) -> ConfigDocument:
    return ConfigDocument.parse(text.encode("utf-8"), WHERE)


def go_marshal(value: Any) -> str:
    """As Go's json.MarshalIndent(value, "", "    ") writes it (HTML escaping on, which is its default)."""
    text = json.dumps(value, ensure_ascii=False, indent=4)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def loads_strict(data: bytes) -> Dict[str, Any]:
    return json.loads(data.decode("utf-8-sig"))


# --- reading ---------------------------------------------------------------------------------------------------------


def test_section_is_found_in_any_case_and_keeps_its_spelling() -> None:
    section = parse('{"pluginsettings": {"enableUPLOADS": true}}').section("PluginSettings")
    assert section["EnableUploads"] is True
    assert "ENABLEUPLOADS" in section
    assert section.spelling("EnableUploads") == "enableUPLOADS"
    assert list(section) == ["enableUPLOADS"]
    assert dict(section) == {"enableUPLOADS": True}


def test_missing_and_null_sections_are_empty() -> None:
    assert len(parse('{"a": {}}').section("PluginSettings")) == 0
    assert len(parse('{"PluginSettings": null}').section("PluginSettings")) == 0


def test_section_of_another_type_is_refused() -> None:
    with pytest.raises(OperatorError, match=r"PluginSettings.*a list.*an object"):
        parse('{"PluginSettings": []}').section("PluginSettings")


def test_values_are_those_that_json_reads() -> None:
    section = parse(SERVER_WRITTEN).section("PluginSettings")
    assert dict(section) == json.loads(SERVER_WRITTEN)["PluginSettings"]
    assert parse(SERVER_WRITTEN).section("ServiceSettings")["SiteURL"] == "http://localhost:8065?a=1&b=<2>"


def test_folded_map_refuses_keys_that_differ_in_case() -> None:
    with pytest.raises(OperatorError, match='"Token" and "token"'):
        FoldedMap({"Token": 1, "token": 2}, "here")


# --- refusing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b" \r\n\t", "is empty"),
        (b"{", "truncated"),
        (b'{"a": ', "truncated"),
        (b'{"a": tr', "truncated"),
        (b'{"a": 1.', "truncated"),
        (b'{"a": "x', "truncated"),
        (b'{"a', "truncated"),
        (b'{"a": [1, 2', "truncated"),
        (b'{"a": {"b": 1}', "truncated"),
        (b"[1]", "no JSON object.*a list"),
        (b"null", "no JSON object.*null"),
        (b'"x"', "no JSON object.*a string"),
        (b'{"a": 1} {}', "line 1, column 10"),
        (b'{\n  "a": 1,\n}', "comma before a closing brace.*line 3"),
        (b'{"a": [1,]}', "no valid value"),
        (b"{'a': 1}", "no valid key"),
        (b'{"a": NaN}', "no valid value"),
        (b'{"a": 01}', "no valid value"),
        (b'{"a" 1}', "no colon"),
        (b'{"a": 1 "b": 2}', "neither comma"),
        (b'{"a": "x\ny"}', "wrong character"),
        (b'{"a": "\\x"}', "wrong character"),
        (b'{"a": "\xff"}', "not UTF-8.*0xff at offset 7"),
        (b'\xef\xbb\xbf{"a": "\xff"}', "0xff at offset 10"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested"),
        (b'{"a": ' + b"9" * 5000 + b"}", "number that is too long"),
    ],
)
def test_what_is_no_configuration_is_refused_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(OperatorError, match=message) as caught:
        ConfigDocument.parse(data, WHERE)
    assert WHERE in str(caught.value)


def test_an_error_never_shows_what_stands_in_the_file() -> None:
    with pytest.raises(OperatorError) as caught:
        parse('{"PluginSettings": {"Plugins": {"x": {"token": "hunter2" "b": 1}}}}')
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ('{"PluginSettings": {},\n "pluginsettings": {}}', '"PluginSettings" (line 1)', '"pluginsettings" (line 2)'),
        ('{"A": 1,\n\n "A": 1}', '"A" (line 1)', '"A" (line 3)'),
        ('{"S": {"Enable": 1,\n "enable": 2}}', '"Enable" (line 1)', '"enable" (line 2)'),
        ('{"S": {"a": {"b": {"c": 1, "c": 2}}}}', '"c" (line 1)', '"c" (line 1)'),
        ('{"S": {"l": [{"c": 1, "c": 2}]}}', '"c" (line 1)', '"c" (line 1)'),
        ('{"S": {"\\u0041": 1, "A": 2}}', '"A" (line 1)', '"A" (line 1)'),
    ],
)
def test_a_key_that_stands_twice_is_refused_and_both_are_named(text: str, first: str, second: str) -> None:
    with pytest.raises(OperatorError) as caught:
        parse(text)
    assert f"{first} and {second}" in str(caught.value)


def test_keys_of_a_plugin_that_differ_in_case_are_the_plugins_own_business() -> None:
    text = '{"PluginSettings": {"Plugins": {"x": {"Token": 1, "token": 2}}}}'
    assert parse(text).render() == text.encode()


@pytest.mark.parametrize("name", ["PluginStates", "Plugins"])
def test_plugin_ids_that_differ_in_case_are_refused_and_both_named(name: str) -> None:
    section = parse(f'{{"PluginSettings": {{"{name}": {{"Jira": {{}}, "jira": {{}}}}}}}}').section("PluginSettings")
    with pytest.raises(OperatorError, match='"Jira" and "jira"'):
        section.below(name)


# --- writing ---------------------------------------------------------------------------------------------------------


def test_what_a_server_wrote_comes_back_byte_for_byte() -> None:
    assert parse(SERVER_WRITTEN).render() == SERVER_WRITTEN.encode("utf-8")


def test_only_the_piece_that_changes_changes() -> None:
    changed = parse(SERVER_WRITTEN).set({("PluginSettings", "EnableUploads"): True})
    expected = SERVER_WRITTEN.replace('"EnableUploads": false', '"EnableUploads": true')
    assert changed.render().decode("utf-8") == expected


def test_new_entries_stand_as_the_server_would_write_them() -> None:
    changed = parse(SERVER_WRITTEN).set(
        {
            ("PluginSettings", "PluginStates", "com.example.b", "Enable"): True,
            ("PluginSettings", "Plugins", "com.example.b", "List"): [{"a": "<&>\u2028"}, []],
            ("PluginSettings", "Plugins", "com.example.a", "token"): "other",
            ("NewSettings", "Map", "x"): {},
        }
    )
    values = json.loads(SERVER_WRITTEN)
    values["PluginSettings"]["PluginStates"]["com.example.b"] = {"Enable": True}
    values["PluginSettings"]["Plugins"]["com.example.b"] = {"List": [{"a": "<&>\u2028"}, []]}
    values["PluginSettings"]["Plugins"]["com.example.a"]["Token"] = "other"
    values["NewSettings"] = {"Map": {"x": {}}}
    expected = go_marshal(values).replace('"limit": 1000.0', '"limit": 1e3')
    assert changed.render().decode("utf-8") == expected


def test_a_number_that_is_the_same_keeps_its_spelling() -> None:
    path = ("PluginSettings", "Plugins", "com.example.a")
    document = parse(SERVER_WRITTEN)
    assert document.set({(*path, "limit"): 1000, (*path, "ratio"): 10}).render() == document.render()
    assert b'"limit": 1001' in document.set({(*path, "limit"): 1001}).render()


def test_true_is_not_one() -> None:
    changed = parse('{"PluginSettings": {"Enable": 1}}').set({("PluginSettings", "Enable"): True})
    assert changed.render() == b'{"PluginSettings": {"Enable": true}}'


def test_bom_crlf_indent_and_final_newline_stay() -> None:
    text = '\ufeff{\r\n\t"PluginSettings": {\r\n\t\t"Enable": true\r\n\t}\r\n}\r\n'
    changed = ConfigDocument.parse(text.encode("utf-8"), WHERE).set(
        {("PluginSettings", "PluginStates", "a", "Enable"): False}
    )
    assert changed.render().decode("utf-8") == (
        '\ufeff{\r\n\t"PluginSettings": {\r\n\t\t"Enable": true,\r\n\t\t"PluginStates": {\r\n\t\t\t"a": {\r\n'
        '\t\t\t\t"Enable": false\r\n\t\t\t}\r\n\t\t}\r\n\t}\r\n}\r\n'
    )


def test_a_document_on_one_line_stays_on_one_line() -> None:
    assert parse('{"a":1}').set({("PluginSettings", "Enable"): True}).render() == (
        b'{"a":1,"PluginSettings":{"Enable":true}}'
    )
    assert parse('{"P": {}}').set({("P", "a"): 1, ("P", "b"): [1]}).render() == b'{"P": {"a":1,"b":[1]}}'


@pytest.mark.parametrize("empty", ["{}", "{ }", "{\n}"])
def test_an_empty_object_gets_the_servers_shape(empty: str) -> None:
    assert parse(empty).set({("P", "a"): 1}).render() == b'{\n    "P": {\n        "a": 1\n    }\n}'


def test_null_on_the_way_becomes_an_object_and_anything_else_is_refused() -> None:
    assert json.loads(parse('{"P": null}').set({("P", "a"): 1}).render()) == {"P": {"a": 1}}
    with pytest.raises(OperatorError, match=r"P is no JSON object.*a string"):
        parse('{"P": "x"}').set({("P", "a"): 1})


def test_the_document_itself_does_not_change() -> None:
    document = parse(SERVER_WRITTEN)
    document.set({("PluginSettings", "Enable"): False})
    assert document.render() == SERVER_WRITTEN.encode("utf-8")


# --- properties ------------------------------------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)


def one_case(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return strategy.filter(lambda text: text.lower() == text and text.upper().lower() == text)


def objects(depth: int) -> st.SearchStrategy[Dict[str, Any]]:
    inner = values if depth == 0 else st.one_of(scalars, objects(depth - 1))
    return st.dictionaries(one_case(keys), inner, max_size=4)


documents = objects(3)
paths = st.lists(one_case(keys), min_size=1, max_size=4).map(tuple)


def _put(tree: Dict[str, Any], path: Tuple[str, ...], value: Any) -> bool:
    """The oracle: the same on plain values; False where a part of the path is no object."""
    for key in path[:-1]:
        if tree.get(key) is None:
            tree[key] = {}
        tree = tree[key]
        if not isinstance(tree, dict):
            return False
    tree[path[-1]] = value
    return True


@given(documents, st.sampled_from(["\n", "\r\n"]), st.sampled_from([None, 2, 4, "\t"]), st.booleans(), st.booleans())
def test_any_document_comes_back_byte_for_byte(
    tree: Dict[str, Any], newline: str, indent: Any, bom: bool, final: bool
) -> None:
    text = json.dumps(tree, ensure_ascii=False, indent=indent).replace("\n", newline) + (newline if final else "")
    data = (b"\xef\xbb\xbf" if bom else b"") + text.encode("utf-8")
    assert ConfigDocument.parse(data, WHERE).render() == data


@given(documents, paths, values, st.sampled_from([None, 4]))
def test_set_is_what_it_is_on_plain_values_and_leaves_the_rest_in_order(
    tree: Dict[str, Any], path: Tuple[str, ...], value: Any, indent: Any
) -> None:
    document = parse(json.dumps(tree, ensure_ascii=False, indent=indent))
    expected = json.loads(json.dumps(tree))
    if not _put(expected, path, value):
        with pytest.raises(OperatorError):
            document.set({path: value})
        return
    once = document.set({path: value})
    found = loads_strict(once.render())
    assert found == expected
    assert _order(found) == _order(expected)
    assert once.set({path: value}).render() == once.render()


def _order(value: Any) -> List[Any]:
    if isinstance(value, dict):
        return [(key, _order(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [_order(item) for item in value]
    return []


@given(values)
def test_a_server_sized_indent_equals_gos_own(value: Any) -> None:
    made = parse("{}").set({("S", "k"): value}).render().decode("utf-8")
    assert made == go_marshal({"S": {"k": value}})


@given(values, values)
def test_same_value_is_an_equality_that_tells_true_from_one(one: Any, other: Any) -> None:
    assert same_value(one, one)
    assert same_value(one, other) == same_value(other, one)
    if same_value(one, other):
        assert one == other


@pytest.mark.parametrize("meanwhile", ["", SERVER_WRITTEN[:100]])
def test_what_a_server_is_writing_is_read_when_it_is_written(tmp_path: Path, meanwhile: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(meanwhile)
    rest = threading.Timer(0.1, path.write_text, [SERVER_WRITTEN])
    rest.start()
    try:
        assert ConfigDocument.read(str(path), WHERE).render() == SERVER_WRITTEN.encode()
    finally:
        rest.join()


def test_what_nobody_is_writing_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("")
    os.utime(path, (0, 0))
    started = time.monotonic()
    with pytest.raises(OperatorError, match="is empty"):
        ConfigDocument.read(str(path), WHERE)
    assert time.monotonic() - started < 0.4


def test_what_was_written_wrong_just_now_is_refused_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{")
    with pytest.raises(OperatorError):
        ConfigDocument.read(str(path), WHERE)
