# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API client against the stand-in server of three eras, over its local-mode socket and TCP."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._server.client import (
    Server,
    server_at_address,
    server_at_socket,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._server.errors import (
    PluginNotInstalled,
    PluginsDisabled,
    RequestRefused,
    ServerUnreachable,
)

from plugops_tests.servers.deployment import Deployment, Release
from plugops_tests.standin.release import build_release
from plugops_tests.support.bundles import make_bundle

VERSIONS = ("5.36.1", "9.10.0", "11.6.0")


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def release(version: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    made = Release(build_release(version, tmp_path_factory.mktemp("release")), f"client-{version}", None)
    yield made
    made.close()


@pytest.fixture(scope="module")
def deployment(release: Release) -> Iterator[Deployment]:
    with release.deploy() as made, made.running():
        yield made


@pytest.fixture
def server(deployment: Deployment) -> Server:
    return server_at_socket(str(deployment.socket), [deployment.socket.stat().st_uid])


@pytest.fixture
def uploads(server: Server) -> Iterator[Callable[[bool], None]]:
    def switch(on: bool) -> None:
        server.patch_config({"PluginSettings": {"EnableUploads": on}})

    yield switch
    switch(True)


def _address(deployment: Deployment) -> str:
    return str(deployment.read_config()["ServiceSettings"]["ListenAddress"])


def _over_tcp(deployment: Deployment) -> Server:
    server = server_at_address(_address(deployment), tls=False)
    assert server is not None
    return server


def _ids(server: Server) -> Dict[str, List[str]]:
    return {kind: [f"{item['id']} {item['version']}" for item in items] for kind, items in server.plugins().items()}


def test_version_over_both_ways(server: Server, deployment: Deployment, version: str) -> None:
    assert str(server.version()) == version
    assert str(_over_tcp(deployment).version()) == version


def test_life_of_a_plugin(server: Server, tmp_path: Path) -> None:
    first = make_bundle(tmp_path, "com.example.life", "1.0.0", server=True)
    second = make_bundle(tmp_path, "com.example.life", "2.0.0", file_count=50)
    manifest = server.upload(str(first), force=False)
    assert (manifest["id"], manifest["version"]) == ("com.example.life", "1.0.0")
    assert "com.example.life 1.0.0" in _ids(server)["inactive"]
    with pytest.raises(RequestRefused, match=r"app\.plugin\.install_id\.app_error") as raised:
        server.upload(str(second), force=False)
    assert raised.value.status == 400
    server.upload(str(second), force=True)
    server.enable("com.example.life")
    _until(lambda: "com.example.life 2.0.0" in _ids(server)["active"])
    server.disable("com.example.life")
    _until(lambda: "com.example.life 2.0.0" in _ids(server)["inactive"])
    server.remove("com.example.life")
    assert not any("com.example.life" in name for names in _ids(server).values() for name in names)
    for again in (server.remove, server.enable, server.disable):
        with pytest.raises(PluginNotInstalled) as raised:
            again("com.example.life")
        assert raised.value.status == 404


def _until(condition: Callable[[], bool], timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_config_is_read_and_patched(server: Server, deployment: Deployment) -> None:
    before = server.get_config()["PluginSettings"]
    states = {**before["PluginStates"], "com.example.patched": {"Enable": False}}
    server.patch_config({"PluginSettings": {"PluginStates": states}})
    after = server.get_config()["PluginSettings"]
    assert after["PluginStates"] == states
    assert {key: value for key, value in after.items() if key != "PluginStates"} == {
        key: value for key, value in before.items() if key != "PluginStates"
    }
    assert deployment.read_config()["PluginSettings"]["PluginStates"] == states


def test_reload_on_the_socket_is_there_from_6_0(server: Server, deployment: Deployment, version: str) -> None:
    if version.startswith("5."):
        with pytest.raises(RequestRefused) as raised:
            server.reload_config()
        assert raised.value.status == 404
        return
    deployment.edit_plugin_settings(PluginStates={"com.example.edited": {"Enable": False}})
    server.reload_config()
    assert "com.example.edited" in server.get_config()["PluginSettings"]["PluginStates"]


def test_uploads_off(server: Server, uploads: Callable[[bool], None], tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, "com.example.off", "1.0.0", file_count=200)
    uploads(False)
    with pytest.raises(RequestRefused, match="EnableUploads") as raised:
        server.upload(str(bundle), force=True)
    assert (raised.value.status, raised.value.id) == (501, "app.plugin.upload_disabled.app_error")


def test_bundle_above_the_servers_limit(server: Server, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, "com.example.large", "1.0.0")
    limit = server.get_config()["FileSettings"]["MaxFileSize"]
    server.patch_config({"FileSettings": {"MaxFileSize": 100}})
    try:
        with pytest.raises(RequestRefused, match=r"raise FileSettings\.MaxFileSize") as raised:
            server.upload(str(bundle), force=True)
    finally:
        server.patch_config({"FileSettings": {"MaxFileSize": limit}})
    assert raised.value.status in (400, 413)


def test_no_bundle(server: Server, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_bytes(b"no gzip")
    with pytest.raises(RequestRefused, match=r"app\.plugin\.extract\.app_error"):
        server.upload(str(tmp_path / "b.tar.gz"), force=True)


def test_plugin_system_is_asked_over_tcp(server: Server, deployment: Deployment) -> None:
    assert _over_tcp(deployment).plugin_system() == "on"
    with pytest.raises(RequestRefused) as raised:
        server.plugin_system()  # this route is not on the socket
    assert raised.value.status == 404


def test_plugin_system_that_is_off_and_a_server_that_is_gone(release: Release) -> None:
    with release.deploy() as deployment:
        deployment.write_config({"PluginSettings": {"Enable": False}})
        with deployment.running():
            local = server_at_socket(str(deployment.socket), [deployment.socket.stat().st_uid])
            assert _over_tcp(deployment).plugin_system() == "off"
            with pytest.raises(PluginsDisabled, match="the plugin system is off") as raised:
                local.plugins()
            assert raised.value.status == 501
        for server in (local, _over_tcp(deployment)):
            with pytest.raises(ServerUnreachable):
                server.version()
