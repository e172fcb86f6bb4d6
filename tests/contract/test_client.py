# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of the modules: each request that it makes, made of a server, and what comes of it there."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Callable, Dict, Set, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._server.client import (
    Server,
    server_at_address,
    server_at_socket,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._server.errors import (
    PluginNotInstalled,
    RequestRefused,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._server.session import ApiAccess

from plugops_tests.servers.deployment import PASSWORD, USER, Deployment
from plugops_tests.servers.deployment import Server as RunningServer
from plugops_tests.support.bundles import SERVER_EXECUTABLE, make_bundle

pytestmark = pytest.mark.contract

ID = "cli.ent"
DERIVED = {"running"}  # from the answers to other requests
REQUESTS = {name for name, _ in inspect.getmembers(Server, inspect.isfunction) if name[0] != "_"} - DERIVED
# What the socket does not serve; a session begins and ends over TCP only.
NOT_ON_THE_SOCKET = {"plugin_system", "webapps", "statuses", "login", "logout"}


class Asked:
    """A client, and the names of the requests that were made through it."""

    def __init__(self, client: Server) -> None:
        self._client = client
        self.names: Set[str] = set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        self.names.add(name)
        method = getattr(self._client, name)
        assert callable(method)
        return method


def test_over_tcp_with_a_session(deployment: Deployment, version: Tuple[int, ...]) -> None:
    with deployment.running() as server:
        server.token()
        access = ApiAccess(f"http://{server.address()}", username=USER, password=PASSWORD)
        client = Asked(access.server)
        try:
            _the_life_of_a_plugin(client, deployment, server)
            assert client.plugin_system() == "on"
            assert client.webapps()[ID] == "1.1.0"
            if version >= (5, 0):
                (status,) = [item for item in client.statuses() if item["plugin_id"] == ID]
                assert (status["state"], status["version"]) == (2, "1.1.0")
            _removal(client, deployment)
            client.reload_config()
            token = client.login(USER, PASSWORD)
            headers = {"Authorization": f"Bearer {token}"}
            assert server.public("GET", "/users/me", None, headers).json["username"] == USER
            client.logout(token)
            assert server.public("GET", "/users/me", None, headers).status == 401
            with pytest.raises(RequestRefused) as refused:
                client.login(USER, f"not {PASSWORD}")
            assert refused.value.status == 401
        finally:
            access.close()
    assert client.names == REQUESTS - ({"statuses"} if version < (5, 0) else set())


@pytest.mark.since(5, 24)
def test_over_the_socket(deployment: Deployment, version: Tuple[int, ...]) -> None:
    with deployment.running() as server:
        client = Asked(server_at_socket(str(deployment.socket), [deployment.socket.stat().st_uid]))
        _the_life_of_a_plugin(client, deployment, server)
        _removal(client, deployment)
        if version >= (6, 0):
            client.reload_config()
    assert client.names == REQUESTS - NOT_ON_THE_SOCKET - ({"reload_config"} if version < (6, 0) else set())


def test_over_tcp_without_a_session(deployment: Deployment, version: Tuple[int, ...]) -> None:
    with deployment.running() as server:
        server.upload(make_bundle(deployment.bundles, ID, "1.0.0"))
        server.enable(ID)
        server.wait_active(ID)
        client = server_at_address(server.address(), tls=False)
        assert client is not None
        assert str(client.version()) == _own(version, str(client.version()))
        assert client.plugin_system() == "on"
        assert (client.webapps() or {})[ID] == "1.0.0"
        for name in ("get_config", "plugins", "statuses", "reload_config"):
            with pytest.raises(RequestRefused) as refused:
                getattr(client, name)()
            assert refused.value.status == (404 if name == "statuses" and version < (5, 0) else 401), name
    deployment.edit_plugin_settings(Enable=False)
    with deployment.running():
        off = server_at_address(deployment.read_config()["ServiceSettings"]["ListenAddress"], tls=False)
        assert off is not None
        assert (off.plugin_system(), off.webapps()) == ("off", None)


def test_what_failed_to_start_does_not_run(deployment: Deployment) -> None:
    """Whatever the server lists it as."""
    fails, runs = "fails.to-start", "does.run"
    broken = {SERVER_EXECUTABLE: b"#!/bin/sh\nexit 1\n"}
    with deployment.running() as server:
        server.token()
        access = ApiAccess(f"http://{server.address()}", username=USER, password=PASSWORD)
        try:
            server.upload(make_bundle(deployment.bundles, fails, "1.0.0", server=True, files=broken))
            server.upload(make_bundle(deployment.bundles, runs, "1.0.0"))
            for plugin_id in (fails, runs):
                server.enable(plugin_id)
            server.wait_active(runs)
            server.wait_for(lambda: access.server.running().get(runs) == "1.0.0", "the sound one to run")
            assert fails not in access.server.running()
        finally:
            access.close()


def _own(version: Tuple[int, ...], shown: str) -> str:
    """The version as the header has it; the third number of old servers is that of the minor release."""
    parts = shown.split(".")
    return ".".join([*map(str, version[:2]), *parts[2:]])


def _the_life_of_a_plugin(client: Asked, deployment: Deployment, server: RunningServer) -> None:
    """Until version 1.1.0 runs."""
    key = deployment.read_config()["SqlSettings"]["AtRestEncryptKey"]
    old, new = (str(make_bundle(deployment.bundles, ID, number)) for number in ("1.0.0", "1.1.0"))
    assert str(client.version()) == _own(server.version, str(client.version()))
    assert client.upload(old, force=False)["id"] == ID
    client.enable(ID)
    server.wait_active(ID)
    assert _versions(client, "active") == {ID: "1.0.0"}
    client.disable(ID)
    server.wait_inactive(ID)
    with pytest.raises(RequestRefused) as refused:
        client.upload(new, force=False)
    assert (refused.value.status, refused.value.id) == (400, "app.plugin.install_id.app_error")
    if server.version < (5, 8):
        client.remove(ID)
    assert client.upload(new, force=True)["version"] == "1.1.0"
    assert _versions(client, "inactive") == {ID: "1.1.0"}
    states = client.get_config()["PluginSettings"]["PluginStates"]
    client.patch_config({"PluginSettings": {"PluginStates": {**states, ID: {"Enable": True}}}})
    server.wait_active(ID)
    config = deployment.read_config()
    assert config["PluginSettings"]["PluginStates"][ID] == {"Enable": True}
    assert config["SqlSettings"]["AtRestEncryptKey"] == key, "no mask is saved in place of a secret"


def _removal(client: Asked, deployment: Deployment) -> None:
    client.remove(ID)
    assert not Path(deployment.plugins / ID).exists()
    with pytest.raises(PluginNotInstalled):
        client.remove(ID)


def _versions(client: Asked, kind: str) -> Dict[str, str]:
    """Without the plugins that old servers carry inside."""
    return {item["id"]: item["version"] for item in client.plugins()[kind] if item["id"] not in ("jira", "zoom")}
