# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: what servers take from them, and the ids that will do."""

from __future__ import annotations

import json
import time
from typing import Any, Optional

import pytest
import yaml
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.manifest import (
    MANIFEST_LIMIT,
    MANIFEST_NAMES,
    Manifest,
    check_id,
    parse_manifest,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.server_version import ServerVersion
from ansible_collections.plugops.mattermost.plugins.module_utils._formats import yaml as yaml_module
from hypothesis import given
from hypothesis import strategies as st

from plugops_tests.support.bundles import encode_manifest, make_manifest

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    ["id", "ID", "version", "server", "Server", "backend", "webapp", "executable", "executables", "bundle_path"]
)
# Of a manifest's own fields, in the wrong places and with the wrong types.
TEXTS_OF_MANIFESTS = st.dictionaries(
    FIELDS, VALUES | st.text(max_size=9) | st.dictionaries(FIELDS, VALUES | st.text(max_size=9), max_size=3)
).map(lambda fields: json.dumps({"id": "demo", **fields}).encode())

FULL = {
    "id": "Com.Example.Demo",
    "name": "Demo",
    "version": "1.2.3",
    "min_server_version": "5.36.0",
    "server": {
        "executable": "server/old",
        "executables": {"linux-amd64": "./server/dist/plugin-linux-amd64", "windows-amd64": "/server//plugin.exe"},
    },
    "backend": {"executable": "server/old"},
    "webapp": {"bundle_path": "webapp/dist/main.js"},
    "settings_schema": {"settings": [{"key": "A", "default": 7}]},
}


def as_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def refusal(file_name: str, data: bytes) -> str:
    with pytest.raises(OperatorError) as error:
        parse_manifest(file_name, data)
    return str(error.value)


@pytest.mark.parametrize("file_name", MANIFEST_NAMES)
def test_takes_what_an_installation_needs(file_name: str) -> None:
    assert parse_manifest(file_name, encode_manifest(FULL, file_name)) == Manifest(
        id="com.example.demo",
        version="1.2.3",
        min_server_version="5.36.0",
        executables=("server/dist/plugin-linux-amd64", "server/old", "server/plugin.exe"),
        webapp_bundle="webapp/dist/main.js",
        file_name=file_name,
        written_id="Com.Example.Demo",
        platforms=(
            ("", "server/old"),
            ("linux-amd64", "server/dist/plugin-linux-amd64"),
            ("windows-amd64", "server/plugin.exe"),
        ),
    )


def test_a_server_starts_the_binary_of_its_platform_else_the_general_one() -> None:
    found = parse_manifest("plugin.json", as_bytes(FULL))
    assert found.executable_for("linux-amd64") == "server/dist/plugin-linux-amd64"
    assert found.executable_for("linux-arm64") == "server/old"
    only = {"id": "demo", "server": {"executables": {"linux-arm64": "a"}}, "backend": {"executable": "b"}}
    assert parse_manifest("plugin.json", as_bytes(only)).executable_for("linux-amd64") == ""
    old = {"id": "demo", "backend": {"executable": "b"}}
    assert parse_manifest("plugin.json", as_bytes(old)).executable_for("linux-amd64") == "b"


def test_an_id_is_enough() -> None:
    found = parse_manifest("plugin.json", b'{"id": "demo"}')
    assert (found.version, found.min_server_version, found.executables, found.webapp_bundle) == ("", "", (), "")
    nulls = b'{"id": "demo", "version": null, "server": null, "webapp": {"bundle_path": null}}'
    assert parse_manifest("plugin.json", nulls) == found


def test_json_is_read_as_go_reads_it() -> None:
    found = parse_manifest(
        "plugin.json",
        b'  {"ID": "first", "Id": "demo", "id": null, "n": 1e999,'
        b' "Version": "1\xff", "Server": {"EXECUTABLE": "x"}} trailing',
    )
    assert (found.id, found.version, found.executables) == ("demo", "1\ufffd", ("x",))
    assert parse_manifest("plugin.json", b'{"id": "demo", "version": "\\ud800"}').version == "\ufffd"


@pytest.mark.parametrize("with_pyyaml", [True, False])
def test_yaml_keeps_a_version_as_it_was_written(with_pyyaml: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_pyyaml:
        monkeypatch.setattr(yaml_module, "yaml", None)
    found = parse_manifest("plugin.yml", b"\xef\xbb\xbfid: demo\nversion: 1.10\nmin_server_version: 5.20\nID: Other\n")
    assert (found.id, found.version, found.min_server_version) == ("demo", "1.10", "5.20")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "cannot be read as JSON"),
        (b"{", "cannot be read as JSON"),
        (b"\xef\xbb\xbf{}", "cannot be read as JSON"),
        (b'{"id": "demo", "x": NaN}', "cannot be read as JSON"),
        (b'{"id": "demo", "x": "\n"}', "cannot be read as JSON"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (b"[]", "no mapping"),
        (b"null", "no mapping"),
        (b"{}", "no id"),
        (b'{"id": ""}', "no id"),
        (b'{"id": 5}', "field id has the wrong type"),
        (b'{"id": "demo", "version": 1.0}', "field version has the wrong type"),
        (b'{"id": "demo", "server": "x"}', "field server has the wrong type"),
        (b'{"id": "demo", "server": {"executables": {"linux-amd64": true}}}', "server.executables.linux-amd64"),
        (b'{"id": "demo", "backend": {"executable": []}}', "backend.executable"),
        (b'{"id": "demo", "webapp": {"bundle_path": 1}}', "webapp.bundle_path"),
        (b'{"id": "demo", "server": {"executable": "server/../../x"}}', "leads out of the plugin"),
        (b'{"id": "demo", "webapp": {"bundle_path": ".."}}', "leads out of the plugin"),
        (b'{"id": "demo", "server": {"executable": "./"}}', "leads out of the plugin"),
        (b'{"id": "../demo"}', "invalid plugin id"),
        (b'{"id": "a/b"}', "invalid plugin id"),
        (b'{"id": ".hidden"}', "invalid plugin id"),
        (b'{"id": "a\\u0000b"}', "invalid plugin id"),
        (b'{"id": "a\\\\b"}', "invalid plugin id"),
    ],
)
def test_json_refused(data: bytes, told: str) -> None:
    assert told in refusal("plugin.json", data)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no mapping"),
        (b"- id", "no mapping"),
        (b"id: [demo]", "field id has the wrong type"),
        (b"id: ~", "no id"),
        (b"id: demo\n\xff: x", "cannot be read as YAML"),
        (b"id: 'demo", "cannot be read as YAML"),
    ],
)
def test_yaml_refused(data: bytes, told: str) -> None:
    message = refusal("plugin.yaml", data)
    assert told in message
    assert "plugin.yaml" in message


def test_many_digits_cost_nothing() -> None:
    data = b'{"id": "demo", "n": ' + b"9" * 1_000_000 + b"}"
    assert parse_manifest("plugin.json", data).id == "demo"


names = st.from_regex(r"[a-z0-9][a-z0-9._-]{2,20}", fullmatch=True)


@given(names, st.sampled_from(["1.2.3", "1.10", "0.1.0-rc1", "true"]), st.booleans(), st.booleans(), names)
def test_every_format_says_the_same(plugin_id: str, version: str, webapp: bool, server: bool, name: str) -> None:
    manifest = make_manifest(
        plugin_id, version, webapp=webapp, server=server, extra_manifest={"x": {name: [version, 7]}}
    )
    from_json = parse_manifest("plugin.json", encode_manifest(manifest, "plugin.json"))
    for data in (encode_manifest(manifest, "plugin.yml"), yaml.safe_dump(manifest).encode()):
        from_yaml = parse_manifest("plugin.yml", data)
        assert from_yaml == Manifest(**{**vars(from_json), "file_name": "plugin.yml"})
    assert (from_json.id, from_json.version, bool(from_json.executables)) == (plugin_id, version, server)


@given(st.sampled_from(MANIFEST_NAMES), st.binary(max_size=60))
def test_whatever_is_read_only_operator_errors_come(file_name: str, data: bytes) -> None:
    for content in (data, b'{"id": "demo", "version": ' + data, b"id: demo\nversion: " + data):
        try:
            assert parse_manifest(file_name, content).id
        except OperatorError:
            pass


@pytest.mark.parametrize(
    ("plugin_id", "version", "accepted"),
    [
        ("demo", None, True),
        ("com.Example_demo-2", None, True),
        ("de mo", None, False),
        ("démo", None, False),
        ("demo\n", None, False),
        ("ab", None, False),
        ("a" * 190, None, True),
        ("a" * 191, None, False),
        ("a" * 191, (4, 4), True),
        ("a" * 191, (4, 5), False),
        ("ab", (4, 9), True),
        ("ab", (4, 10), False),
        ("de mo", (5, 1), True),
        ("de mo", (5, 2), False),
        ("Demo", (5, 1), False),
        ("Demo", (5, 2), True),
        ("../x", (4, 4), False),
        (".hidden", (11, 0), False),
        ("", (4, 4), False),
    ],
)
def test_ids_by_version(plugin_id: str, version: Optional[tuple[int, int]], accepted: bool) -> None:
    server = ServerVersion(*version) if version else None
    if accepted:
        check_id(plugin_id, server)
        return
    with pytest.raises(OperatorError) as error:
        check_id(plugin_id, server)
    assert "id" in str(error.value)
    assert plugin_id == "" or error.value.wanted


# --- manifests made to exhaust or to confuse their reader


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("plugin.json", b'{"id": "demo"}' + b" " * MANIFEST_LIMIT, "too large"),
        ("plugin.yml", b"id: demo\n" + b"#" * 256 * 1024, "too large"),
        ("plugin.json", b'{"id": "demo", "a": ' + b"[" * 101 + b"]" * 101 + b"}", "levels deep"),
        ("plugin.json", b"[" * 900_000, "levels deep"),
        ("plugin.yml", b"id: demo\na: " + b"[" * 200_000, "YAML"),
        ("plugin.yml", b"id: demo\n? [a]\n: b\n", "YAML"),
        ("plugin.json", b'{"id": "demo", "server": {"executable": "a\\u0000b"}}', "zero byte"),
        ("plugin.json", b'{"id": "demo", "webapp": {"bundle_path": "\\u0000"}}', "zero byte"),
        ("plugin.yml", b'id: demo\nserver: {executable: "a\\0b"}\n', "zero byte"),
    ],
    ids=range(9),
)
def test_hostile_manifests(name: str, data: bytes, told: str) -> None:
    started = time.process_time()
    with pytest.raises(OperatorError, match=told):
        parse_manifest(name, data)
    assert time.process_time() - started < 5


def test_many_platforms_take_linear_time() -> None:
    listed = {f"platform-{number}": "server/plugin" for number in range(25_000)}
    data = json.dumps({"ID": "demo", "Server": {"Executables": listed}}).encode()
    started = time.process_time()
    assert len(parse_manifest("plugin.json", data).platforms) == 25_000
    assert time.process_time() - started < 5


def test_the_last_key_of_several_cases_counts_unless_it_is_null() -> None:
    data = b'{"id": "one", "ID": "two", "Id": null, "Server": {"executable": "a", "Executable": "b"}}'
    found = parse_manifest("plugin.json", data)
    assert (found.id, found.executables) == ("two", ("b",))


@given(st.sampled_from(MANIFEST_NAMES), st.binary() | TEXTS_OF_MANIFESTS)
def test_nothing_but_the_error_for_operators(name: str, data: bytes) -> None:
    try:
        found = parse_manifest(name, data)
    except OperatorError:
        return
    assert found.id
    assert "\0" not in "".join((found.id, found.webapp_bundle, *found.executables))
    assert not any(path.startswith(("/", "../")) for path in found.executables)
