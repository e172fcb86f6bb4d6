# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing through a server: against the stand-in, and against one that refuses at a chosen call."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.server_version import ServerVersion
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.uploader import Uploader
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.wanted import WantedPlugin
from ansible_collections.plugops.mattermost.plugins.module_utils._server.client import (
    Server,
    server_at_socket,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._server.errors import (
    PluginNotInstalled,
    PluginsDisabled,
    RequestRefused,
)

from plugops_tests.servers.deployment import Deployment, Release
from plugops_tests.standin.release import build_release
from plugops_tests.support.bundles import SERVER_EXECUTABLE, make_bundle

VERSIONS = ("5.36.1", "11.6.0")
NO_HANDSHAKE = {SERVER_EXECUTABLE: b"#!/bin/sh\nexit 1\n"}


@pytest.fixture(scope="module", params=VERSIONS)
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    release = Release(build_release(request.param, tmp_path_factory.mktemp("release")), f"up-{request.param}", None)
    try:
        with release.deploy() as made, made.running():
            yield made
    finally:
        release.close()


@pytest.fixture
def server(deployment: Deployment) -> Iterator[Server]:
    """With the configuration of before given back at the end."""
    client = server_at_socket(str(deployment.socket), [deployment.socket.stat().st_uid])
    before = client.get_config()
    yield client
    settings = {key: before["PluginSettings"][key] for key in ("Enable", "EnableUploads", "RequirePluginSignature")}
    client.patch_config({"PluginSettings": settings, "FileSettings": {"MaxFileSize": 100_000_000}})


@pytest.fixture
def uploader(server: Server) -> Uploader:
    return Uploader(server)


def _plugin(plugin_id: str, version: str = "1.0.0", **more: Any) -> WantedPlugin:
    return WantedPlugin(id=plugin_id, version=version, **more)


def _states(server: Server) -> Dict[str, bool]:
    states = server.get_config()["PluginSettings"]["PluginStates"]
    return {plugin_id: state["Enable"] for plugin_id, state in states.items()}


def _installed(server: Server) -> Dict[str, Tuple[str, str]]:
    """id -> (active or inactive, version)"""
    return {item["id"]: (kind, item["version"]) for kind, items in server.plugins().items() for item in items}


# before anything changes


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"EnableUploads": False}, "Enable=True, EnableUploads=False, RequirePluginSignature=False"),
        ({"RequirePluginSignature": True}, "Enable=True, EnableUploads=True, RequirePluginSignature=True"),
        ({"Enable": False}, "Enable=False, EnableUploads=True, RequirePluginSignature=False"),
    ],
)
def test_check_says_what_the_server_would_refuse(
    server: Server, uploader: Uploader, tmp_path: Path, settings: Dict[str, bool], found: str
) -> None:
    uploader.check_settings()
    server.patch_config({"PluginSettings": settings})
    with pytest.raises(OperatorError, match="takes no uploads") as raised:
        uploader.check_settings()
    assert raised.value.found == found
    assert "mattermost_plugin_settings" in raised.value.remedy
    with pytest.raises(PluginsDisabled):  # it is right: the server does refuse
        server.upload(str(make_bundle(tmp_path, "com.example.check", "1.0.0")), force=True)


def test_check_of_each_bundle(server: Server, uploader: Uploader) -> None:
    server.patch_config({"FileSettings": {"MaxFileSize": 1000}})
    uploader.check_bundles([_plugin("small", size=1000)])
    with pytest.raises(OperatorError, match="the bundle of large is larger") as raised:
        uploader.check_bundles([_plugin("small", size=10), _plugin("large", size=1001)])
    assert raised.value.found == "1001 bytes"
    assert "MaxFileSize = 1000" in raised.value.wanted
    with pytest.raises(OperatorError, match="bundle of broken holds server binaries without exec bit") as raised:
        uploader.check_bundles([_plugin("small"), _plugin("broken", unexecutable=("server/a", "server/b"))])
    assert raised.value.found == "server/a, server/b"


# installing


def test_install_over_nothing_then_over_an_enabled_plugin(server: Server, uploader: Uploader, tmp_path: Path) -> None:
    name = "com.example.over"
    first = make_bundle(tmp_path, name, "1.0.0", server=True)
    second = make_bundle(tmp_path, name, "2.0.0", server=True)
    uploader.install(_plugin(name), str(first), enabled_now=False)
    assert _installed(server)[name] == ("inactive", "1.0.0")
    uploader.switch(name, True)
    uploader.wait_active([_plugin(name)])
    uploader.install(_plugin(name, "2.0.0"), str(second), enabled_now=True)
    uploader.wait_active([_plugin(name, "2.0.0")])
    uploader.install(_plugin(name, "1.0.0", enabled=False), str(first), enabled_now=True)
    assert _installed(server)[name] == ("inactive", "1.0.0")
    assert _states(server)[name] is False
    uploader.remove(name)
    uploader.remove(name)  # gone already
    assert name not in _installed(server)


def test_state_left_on_by_a_plugin_that_is_gone(server: Server, uploader: Uploader, deployment: Deployment) -> None:
    states = server.get_config()["PluginSettings"]["PluginStates"]
    kept = {**states, "com.example.kept": {"Enable": True}}
    server.patch_config({"PluginSettings": {"PluginStates": {**kept, "com.example.gone": {"Enable": True}}}})
    uploader.switch("com.example.gone", False)
    after = server.get_config()["PluginSettings"]["PluginStates"]
    assert after == {**kept, "com.example.gone": {"Enable": False}}
    written = deployment.config_path.stat().st_mtime_ns
    uploader.switch("com.example.gone", False)
    uploader.switch("com.example.never", False)
    assert deployment.config_path.stat().st_mtime_ns == written, "nothing was to be saved"
    assert server.get_config()["PluginSettings"]["PluginStates"] == after


def test_enabling_what_is_not_there_is_an_error(uploader: Uploader) -> None:
    with pytest.raises(PluginNotInstalled):
        uploader.switch("com.example.never", True)


def test_refused_bundle_leaves_the_old_plugin_running(server: Server, uploader: Uploader, tmp_path: Path) -> None:
    name = "com.example.refused"
    uploader.install(_plugin(name), str(make_bundle(tmp_path, name, "1.0.0", server=True)), enabled_now=False)
    uploader.switch(name, True)
    uploader.wait_active([_plugin(name)])
    (tmp_path / "broken.tar.gz").write_bytes(b"no gzip")
    with pytest.raises(RequestRefused, match=r"app\.plugin\.extract\.app_error"):
        uploader.install(_plugin(name, "2.0.0"), str(tmp_path / "broken.tar.gz"), enabled_now=True)
    uploader.wait_active([_plugin(name)], timeout=10)
    with pytest.raises(FileNotFoundError):
        uploader.install(_plugin(name, "2.0.0"), str(tmp_path / "missing.tar.gz"), enabled_now=True)
    uploader.wait_active([_plugin(name)], timeout=10)
    uploader.remove(name)


# waiting


def test_plugin_that_cannot_start_is_named(server: Server, uploader: Uploader, tmp_path: Path) -> None:
    good, bad = "com.example.good", "com.example.bad"
    uploader.install(_plugin(good), str(make_bundle(tmp_path, good, "1.0.0", server=True)), enabled_now=False)
    bundle = make_bundle(tmp_path, bad, "1.0.0", server=True, files=NO_HANDSHAKE)
    uploader.install(_plugin(bad), str(bundle), enabled_now=False)
    uploader.switch(good, True)
    uploader.switch(bad, True)
    uploader.wait_active([_plugin(good)])
    with pytest.raises(OperatorError, match=r"does not run com\.example\.bad") as raised:
        uploader.wait_active([_plugin(good), _plugin(bad)], timeout=0.3)
    assert raised.value.found == "com.example.bad: inactive"
    assert raised.value.wanted == "com.example.bad: 1.0.0 active"
    assert "log" in raised.value.remedy
    told = Uploader(server, last_words=lambda ids: dict.fromkeys(ids, "it has no handshake"))
    with pytest.raises(OperatorError, match=rf"Mattermost {server.version()} does not run com\.example\.bad") as raised:
        told.wait_active([_plugin(good), _plugin(bad)], timeout=0)
    assert raised.value.found == "com.example.bad: inactive (it has no handshake)"
    assert "another version" in raised.value.remedy
    uploader.remove(bad)
    uploader.remove(good)


def test_another_version_does_not_count(uploader: Uploader, tmp_path: Path) -> None:
    name = "com.example.version"
    uploader.install(_plugin(name), str(make_bundle(tmp_path, name, "1.0.0")), enabled_now=False)
    uploader.switch(name, True)
    uploader.wait_active([_plugin(name)])
    with pytest.raises(OperatorError) as raised:
        uploader.wait_active([_plugin(name, "1.0.1")], timeout=0)
    assert raised.value.found == f"{name}: 1.0.0"
    uploader.remove(name)


class Slow:
    """A server whose plugin runs from the fourth look on; the clock moves only by pauses."""

    where = "the slow server"

    def __init__(self, looks: int) -> None:
        self.looks, self.now = looks, 0.0

    def running(self) -> Dict[str, str]:
        self.looks -= 1
        return {} if self.looks > 0 else {"slow.plugin": "1.0.0"}

    def clock(self) -> float:
        return self.now

    @staticmethod
    def version() -> ServerVersion:
        return ServerVersion(9, 10)

    def pause(self, seconds: float) -> None:
        assert 0 < seconds <= 1
        self.now += seconds


@pytest.mark.parametrize(("looks", "timeout", "in_time"), [(1, 0, True), (4, 30, True), (2, 0, False), (999, 3, False)])
def test_time_to_wait(looks: int, timeout: float, in_time: bool) -> None:
    slow = Slow(looks)
    uploader = Uploader(slow, clock=slow.clock, pause=slow.pause)
    if in_time:
        uploader.wait_active([_plugin("slow.plugin")], timeout)
        assert slow.now < 1
    else:
        with pytest.raises(OperatorError, match="does not run"):
            uploader.wait_active([_plugin("slow.plugin")], timeout)
        assert timeout <= slow.now < timeout + 1
