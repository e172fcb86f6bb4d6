# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that answers without end, byte by byte or with nonsense ends no run of root's with more than an error."""

from __future__ import annotations

import json
import os
import re
import time
from typing import Any, Dict, Iterator

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._server import client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugops_tests.modules.place import CONFIG, SOCKET, Place, broken_place
from plugops_tests.sandbox.app_server import PLUGIN_ID
from plugops_tests.servers.raw_server import HEAD, RawServer, Script, body, raw_server, repeats

pytestmark = pytest.mark.slow

MEGABYTE = 1024 * 1024
INFO, PLUGIN = "mattermost_plugin_info", "mattermost_plugin"
SETTINGS, CHECKPOINT = "mattermost_plugin_settings", "mattermost_plugin_checkpoint"
CASES = {
    "plan": (INFO, lambda place: {"plugins": [{"src": place.bundle()}]}),
    "audit": (INFO, lambda place: {"findings": True}),
    "plugin": (PLUGIN, lambda place: {"plugins": [{"src": place.bundle()}], "strategy": "upload"}),
    "settings": (SETTINGS, lambda place: {"enable_uploads": True, "via": "socket"}),
    "checkpoint": (CHECKPOINT, lambda place: {"name": "before", "plugins": [{"src": place.bundle()}]}),
}
ODD_CONFIG = {"PluginSettings": [], "ServiceSettings": 3, "FileSettings": "x", "ClusterSettings": [1]}
ODD_PLUGINS = {"PluginSettings": {"PluginStates": {PLUGIN_ID: 3}, "Plugins": [3], "Directory": 5}}
ANSWERS: Dict[str, Script] = {
    "endless": repeats(HEAD + b"\r\n", b" " * MEGABYTE),
    "byte by byte": repeats(HEAD + b"\r\n", b" ", pause=0.05),
    "deep": body(b"[" * 200_000),
    "truncated": body(b'{"active": [{"id": "a"'),
    "list": body(b"[1, null, {}]"),
    "null": body(b"null"),
    "odd configuration": body(json.dumps(ODD_CONFIG).encode()),
    "odd settings": body(json.dumps(ODD_PLUGINS).encode()),
    "odd error": body(json.dumps({"id": [1], "message": {"a": 1}, "detailed_error": 3}).encode(), b"500 No"),
}


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(client, "_QUICK", 0.5)
    monkeypatch.setattr(client, "_SLOW", 1.0)
    with broken_place("9.10.0") as made:
        yield made


@pytest.fixture
def hostile(place: Place) -> Iterator[RawServer]:
    directory = place.real(os.path.dirname(SOCKET))
    directory.mkdir(parents=True)
    with raw_server(str(place.real(SOCKET))) as server:
        yield server


ODD_LISTS: Dict[str, Any] = {
    "numbers": {"active": [1, 2], "inactive": None},
    "a number": {"active": 7, "inactive": []},
    "a text": {"active": "com.x", "inactive": []},
    "no ids": {"active": [{"version": "1"}], "inactive": [{"id": None}]},
    "odd ids": {"active": [{"id": [], "version": {}}], "inactive": []},
    "a list": [],
}


@pytest.mark.parametrize("answer", sorted(ANSWERS))
def test_every_module_ends_soon_with_an_answer(place: Place, hostile: RawServer, answer: str) -> None:
    hostile.script = lambda connection, request: (
        body(b"{}") if b" /api/v4/system/ping " in request else ANSWERS[answer]
    )(connection, request)
    for name in CASES:
        result = call(place, hostile, name)
        if name in ("plugin", "settings"):
            assert result.get("failed"), name


@pytest.mark.parametrize("plugins", sorted(ODD_LISTS))
def test_lists_of_plugins_that_no_server_gives(place: Place, hostile: RawServer, plugins: str) -> None:
    """The configuration is as it is to be."""
    config = json.loads(place.real(CONFIG).read_text(encoding="utf-8"))
    config["PluginSettings"].update({"Enable": True, "EnableUploads": True, "RequirePluginSignature": False})
    answers = {b"/system/ping": {}, b"/config": config, b"/plugins": ODD_LISTS[plugins]}

    def script(connection: Any, request: bytes) -> None:
        path = request.split(b" ")[1].partition(b"/api/v4")[2]
        body(json.dumps(answers.get(path, {})).encode())(connection, request)

    hostile.script = script
    for name in CASES:
        result = call(place, hostile, name)
        if name == "plugin":
            assert "not what servers answer" in result["msg"], result["msg"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("*" * 32),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from([PLUGIN_ID, "Enable"]), inner, max_size=2)
    ),
    max_leaves=4,
)
KEYS = st.sampled_from(
    [
        *("Enable", "EnableUploads", "RequirePluginSignature", "Directory", "ClientDirectory", "Plugins"),
        *("PluginStates", "SignaturePublicKeyFiles", "DriverName", "MaxFileSize", "ReadOnlyConfig"),
        *("RestrictSystemAdmin", "FileLocation", "EnableFile", "AutomaticPrepackagedPlugins"),
    ]
)
SECTIONS = st.sampled_from(
    ["PluginSettings", "FileSettings", "ServiceSettings", "ClusterSettings", "ExperimentalSettings", "LogSettings"]
)
SOUND = {"Enable": True, "EnableUploads": True, "Directory": "./plugins", "PluginStates": {}, "Plugins": {}}
ALMOST = st.builds(
    lambda changed, more: {**more, "PluginSettings": {**SOUND, **changed}},
    st.dictionaries(KEYS, JSON, max_size=1),
    st.dictionaries(SECTIONS, st.dictionaries(KEYS, JSON, max_size=2), max_size=1),
)
CONFIGS = ALMOST | JSON | st.dictionaries(SECTIONS, JSON | st.dictionaries(KEYS, JSON, max_size=5), max_size=4)
ITEMS = st.builds(
    lambda changed: {"id": PLUGIN_ID, "plugin_id": PLUGIN_ID, "version": "1.0.0", **changed},
    st.dictionaries(st.sampled_from(["id", "version", "state", "error", "props"]), JSON, max_size=1),
)
LISTS = st.lists(ITEMS, max_size=2) | JSON
PLUGINS = st.fixed_dictionaries({"active": LISTS, "inactive": LISTS}) | JSON
ERRORS = st.dictionaries(st.sampled_from(["id", "message", "detailed_error", "status_code"]), JSON, max_size=4)
STATUSES = st.sampled_from([b"200 OK"] * 5 + [b"403 Forbidden", b"404 Not Found", b"501 Not Implemented"])
VERSIONS = st.sampled_from([b"9.10.0.9.10.0", b"5.36.0.5.36.0", b"5.10.0.5.10.0", b"10.5.0.10.5.0"])


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(sorted(CASES)),
    version=VERSIONS,
    statuses=st.tuples(STATUSES, STATUSES),
    config=CONFIGS,
    plugins=PLUGINS,
    listed=LISTS,
    changed=JSON,
    errors=ERRORS,
)
def test_any_answers(
    place: Place,
    hostile: RawServer,
    name: str,
    version: bytes,
    statuses: Any,
    config: Any,
    plugins: Any,
    listed: Any,
    changed: Any,
    errors: Any,
) -> None:
    """Questions and changes are answered each with a status of their own."""
    told = {b"/system/ping": {}, b"/config": config, b"/plugins": plugins, b"/plugins/statuses": listed}

    def script(connection: Any, request: bytes) -> None:
        method, path = request.split(b" ")[:2]
        path = path.partition(b"/api/v4")[2]
        status = b"200 OK" if path == b"/system/ping" else statuses[method != b"GET"]
        value = told.get(path, changed) if method == b"GET" else config if path[:7] == b"/config" else changed
        content = json.dumps(value if status[:1] == b"2" else errors).encode()
        head = HEAD.replace(b"200 OK", status).replace(b"9.10.0.9.10.0", version)
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(content) + content)

    hostile.script = script
    call(place, hostile, name)


def call(place: Place, hostile: RawServer, name: str) -> Dict[str, Any]:
    module, arguments = CASES[name]
    asked = len(hostile.requests)
    began = time.monotonic()
    result = place.call(module, {"root": str(place.server.root), "socket": SOCKET, **arguments(place)}, False)
    assert time.monotonic() - began < 15, name
    assert len(hostile.requests) > asked, f"{name} does not ask the server"
    assert "exception" not in result, name
    assert not re.search(r"Traceback|\b[A-Z]\w+Error\b", json.dumps(result)), name
    return result
