# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which version runs after the next start: uploaded, stored, prepackaged, unpacked, older and newer ones."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Tuple

import pytest

from plugops_tests.servers.deployment import Deployment, Server
from plugops_tests.support.bundles import make_bundle

pytestmark = pytest.mark.contract

STATE_ON = {"Enable": True}
ID = "some.plugin"


def _all(server: Server) -> Dict[str, str]:
    plugins = server.plugins()
    return {**plugins["active"], **plugins["inactive"]}


def _bundles(deployment: Deployment, *versions: str) -> Tuple[Path, ...]:
    return tuple(make_bundle(deployment.bundles, ID, version) for version in versions)


def test_delete_then_upload(shared: Server, shared_deployment: Deployment, version: Tuple[int, ...]) -> None:
    """The way before `force`: what is uploaded in place of a removed plugin runs when it is enabled."""
    old = make_bundle(shared_deployment.bundles, "de.leted", "1.1.0")
    new = make_bundle(shared_deployment.bundles, "de.leted", "1.0.0")
    assert shared.upload(old).status == 201
    assert shared.enable("de.leted").status == 200
    shared.wait_active("de.leted")
    assert shared.remove("de.leted").status == 200
    assert shared.upload(new).status == 201
    # The state outlives the removal before 5.15; servers since 5.2 start what they find enabled.
    kind = "active" if (5, 2) <= version < (5, 15) else "inactive"
    assert shared.plugins()[kind].get("de.leted") == "1.0.0"
    assert shared.enable("de.leted").status == 200
    shared.wait_active("de.leted")
    assert shared.plugins()["active"]["de.leted"] == "1.0.0"


@pytest.mark.since(5, 8)
def test_downgrade_by_force_stays(deployment: Deployment) -> None:
    new, old = _bundles(deployment, "1.1.0", "1.0.0")
    deployment.edit_plugin_settings(PluginStates={ID: STATE_ON})
    with deployment.running() as server:
        assert server.upload(new).status == 201
        assert server.upload(old, force=True).status == 201
        assert server.plugins()["active"] == {ID: "1.0.0"}
    with deployment.running() as server:
        server.wait_active(ID)
        assert server.plugins()["active"] == {ID: "1.0.0"}


@pytest.mark.since(5, 8)
@pytest.mark.before(10, 11)
@pytest.mark.parametrize("automatic", [True, False])
def test_a_newer_prepackaged_bundle_undoes_a_downgrade(
    deployment: Deployment, version: Tuple[int, ...], automatic: bool
) -> None:
    """At the next start; AutomaticPrepackagedPlugins (5.20 on) decides."""
    if not automatic and version < (5, 20):
        pytest.skip("for servers since 5.20")
    new, old = _bundles(deployment, "1.1.0", "1.0.0")
    deployment.prepackage(new)
    deployment.edit_plugin_settings(PluginStates={ID: STATE_ON})
    with deployment.running() as server:
        server.wait_active(ID)
        assert server.plugins()["active"] == {ID: "1.1.0"}
        assert server.upload(old, force=True).status == 201
        assert server.plugins()["active"] == {ID: "1.0.0"}
    if version >= (5, 20):
        deployment.edit_plugin_settings(AutomaticPrepackagedPlugins=automatic)
    with deployment.running() as server:
        server.wait_active(ID)
        assert server.plugins()["active"] == {ID: "1.1.0" if automatic else "1.0.0"}
        if version >= (5, 14):
            assert (deployment.store / f"{ID}.tar.gz").read_bytes() == old.read_bytes(), "the store keeps the old one"


@pytest.mark.since(5, 2)
@pytest.mark.before(5, 20)
def test_old_servers_install_every_prepackaged_bundle_at_every_start(
    deployment: Deployment, version: Tuple[int, ...]
) -> None:
    """Even an older one over what was uploaded."""
    packed, new = _bundles(deployment, "1.0.0", "1.1.0")
    deployment.prepackage(packed)
    deployment.edit_plugin_settings(PluginStates={ID: STATE_ON})
    with deployment.running() as server:
        server.wait_active(ID)
        if version < (5, 8):
            assert server.remove(ID).status == 200
        assert server.upload(new, force=True).status == 201
        assert server.plugins()["active"] == {ID: "1.1.0"}
    with deployment.running() as server:
        server.wait_active(ID)
        assert server.plugins()["active"] == {ID: "1.0.0"}


@pytest.mark.since(5, 20)
@pytest.mark.before(10, 11)
def test_prepackaged_plugin_comes_with_the_start_after_its_state(deployment: Deployment) -> None:
    deployment.prepackage(_bundles(deployment, "1.0.0")[0])
    with deployment.running() as server:
        assert server.enable(ID).error_id == "app.plugin.not_installed.app_error"
        states = server.admin("GET", "/config").json["PluginSettings"]["PluginStates"]
        patch = {"PluginSettings": {"PluginStates": {**states, ID: STATE_ON}}}
        assert server.admin("PUT", "/config/patch", patch).status == 200
        assert _all(server) == {}
    with deployment.running() as server:
        server.wait_active(ID)
        assert server.remove(ID).status == 200, "which also disables it"
    with deployment.running() as server:
        assert _all(server) == {}


@pytest.mark.since(5, 15)
def test_upload_that_does_not_start_is_gone_after_a_restart(deployment: Deployment) -> None:
    """A new version over a running one, and a first one whose id was enabled before."""
    old = make_bundle(deployment.bundles, "was.there", "1.0.0")
    deployment.edit_plugin_settings(PluginStates={"was.there": STATE_ON, "is.new": STATE_ON})
    with deployment.running() as server:
        assert server.upload(old).status == 201
        for plugin_id in ("was.there", "is.new"):
            broken = make_bundle(deployment.bundles, plugin_id, "1.1.0", server=True, executable_mode=0o644)
            answer = server.upload(broken, force=True)
            assert (answer.status, answer.error_id) == (500, "app.plugin.restart.app_error")
        assert server.plugins()["inactive"] == {"was.there": "1.1.0", "is.new": "1.1.0"}
        statuses = {item["plugin_id"]: item for item in server.rest("GET", "/plugins/statuses").json}
        assert {plugin_id: item["state"] for plugin_id, item in statuses.items()} == {"was.there": 3, "is.new": 3}
    with deployment.running() as server:
        server.wait_active("was.there")
        assert _all(server) == {"was.there": "1.0.0"}


@pytest.mark.since(5, 8)
def test_disable_upload_enable(deployment: Deployment, version: Tuple[int, ...]) -> None:
    """The order in which a bundle that will not start is stored nevertheless."""
    broken = make_bundle(deployment.bundles, ID, "1.1.0", server=True, executable_mode=0o644)
    with deployment.running() as server:
        assert server.upload(_bundles(deployment, "1.0.0")[0]).status == 201
        assert server.enable(ID).status == 200
        server.wait_active(ID)
        assert server.disable(ID).status == 200
        assert server.upload(broken, force=True).status == 201
        assert server.enable(ID).status == 200, "which says nothing"
        server.wait_log("Unable to activate plugin", "permission denied")
        server.wait_listed_after_failure(ID)
    if version >= (5, 14):
        assert (deployment.store / f"{ID}.tar.gz").read_bytes() == broken.read_bytes()


@pytest.mark.since(5, 14)
def test_bundles_changed_in_the_store_while_down(deployment: Deployment) -> None:
    """Newer, older, gone: each start takes what lies there, whatever was unpacked before."""
    deployment.edit_plugin_settings(EnableUploads=False, PluginStates={ID: STATE_ON})
    for version in ("1.0.0", "1.1.0", "0.9.0"):
        deployment.put_into_store(_bundles(deployment, version)[0], ID)
        with deployment.running() as server:
            server.wait_active(ID)
            assert server.plugins()["active"] == {ID: version}
    assert list((deployment.client_plugins / ID).iterdir())
    (deployment.store / f"{ID}.tar.gz").unlink()
    with deployment.running() as server:
        assert _all(server) == {}
    assert not (deployment.plugins / ID).exists()
    assert (deployment.client_plugins / ID).exists(), "left behind"


@pytest.mark.since(5, 14)
def test_bundle_put_into_the_store_of_a_running_server(deployment: Deployment) -> None:
    deployment.edit_plugin_settings(PluginStates={ID: STATE_ON})
    with deployment.running() as server:
        deployment.put_into_store(_bundles(deployment, "1.0.0")[0], ID)
        assert server.rest("POST", "/config/reload").status == 200
        assert _all(server) == {}
    with deployment.running() as server:
        server.wait_active(ID)


@pytest.mark.since(5, 14)
def test_name_of_a_stored_bundle(deployment: Deployment) -> None:
    """The manifest says the id; but a removal looks for the id's own file, so the other comes back."""
    deployment.put_into_store(_bundles(deployment, "1.0.0")[0], "another-name")
    with deployment.running() as server:
        assert _all(server) == {ID: "1.0.0"}
        assert server.remove(ID).status == 200
        assert _all(server) == {}
    with deployment.running() as server:
        assert _all(server) == {ID: "1.0.0"}


@pytest.mark.since(5, 14)
def test_removal_of_an_unmanaged_tree(deployment: Deployment) -> None:
    with deployment.running() as server:
        tree = deployment.unpack(_bundles(deployment, "1.0.0")[0])
        assert server.remove(ID).status == 200
    assert not tree.exists()
