# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server makes of the bundles in prepackaged_plugins beside others of the same id: at each of its starts."""

from __future__ import annotations

from typing import Dict, Tuple

import pytest

from plugops_tests.servers.deployment import Deployment, Server
from plugops_tests.support.bundles import make_bundle

ID = "pre.packed"
STATES = {ID: {"Enable": True}}

pytestmark = [pytest.mark.contract, pytest.mark.since(5, 2), pytest.mark.before(10, 11)]


def _all(server: Server) -> Dict[str, str]:
    plugins = server.plugins()
    return {**plugins["active"], **plugins["inactive"]}


@pytest.mark.since(5, 14)
def test_the_version_alone_decides_between_the_filestore_and_prepackaged_bundles(
    deployment: Deployment, version: Tuple[int, ...]
) -> None:
    """Of the same version the stored one stays, whatever is in it; before 5.20 the prepackaged one comes always."""
    deployment.put_into_store(make_bundle(deployment.bundles, ID, "1.0.0"), ID)
    deployment.prepackage(make_bundle(deployment.bundles, ID, "1.0.0", files={"other.txt": b"other"}))
    deployment.edit_plugin_settings(PluginStates=STATES)
    with deployment.running() as server:
        server.wait_active(ID)
        assert (deployment.plugins / ID / "other.txt").exists() is (version < (5, 20))


@pytest.mark.parametrize("packed", ["1.1.0", "0.9.0"])
def test_a_tree_unpacked_by_hand(deployment: Deployment, version: Tuple[int, ...], packed: str) -> None:
    """Gives way to a newer bundle; before 5.20 to any."""
    deployment.unpack(make_bundle(deployment.bundles, ID, "1.0.0"))
    deployment.prepackage(make_bundle(deployment.bundles, ID, packed))
    deployment.edit_plugin_settings(PluginStates=STATES)
    with deployment.running() as server:
        server.wait_active(ID)
        assert _all(server) == {ID: packed if packed == "1.1.0" or version < (5, 20) else "1.0.0"}


@pytest.mark.since(5, 14)
def test_what_came_prepackaged_follows_the_bundle(deployment: Deployment) -> None:
    """Newer, older, gone: nothing of it is stored."""
    deployment.edit_plugin_settings(PluginStates=STATES)
    folder = deployment.install / "prepackaged_plugins"
    for number in ("1.0.0", "1.1.0", "0.9.0"):
        for bundle in folder.glob(f"{ID}*"):
            bundle.unlink()
        deployment.prepackage(make_bundle(deployment.bundles, ID, number))
        with deployment.running() as server:
            server.wait_active(ID)
            assert _all(server) == {ID: number}
        assert not (deployment.store / f"{ID}.tar.gz").exists()
    (folder / f"{ID}-0.9.0.tar.gz").unlink()
    with deployment.running() as server:
        assert _all(server) == {}


@pytest.mark.since(5, 20)
def test_the_newest_of_several_comes(deployment: Deployment) -> None:
    deployment.prepackage(*(make_bundle(deployment.bundles, ID, number) for number in ("1.1.0", "1.10.0", "1.2.0")))
    deployment.edit_plugin_settings(PluginStates=STATES)
    with deployment.running() as server:
        server.wait_active(ID)
        assert _all(server) == {ID: "1.10.0"}


def test_after_a_removal(deployment: Deployment, version: Tuple[int, ...]) -> None:
    """It is disabled, and stays away; before 5.20 it comes back."""
    deployment.prepackage(make_bundle(deployment.bundles, ID, "1.0.0"))
    deployment.edit_plugin_settings(PluginStates=STATES)
    with deployment.running() as server:
        server.wait_active(ID)
        assert server.remove(ID).status == 200
    with deployment.running() as server:
        assert _all(server) == ({ID: "1.0.0"} if version < (5, 20) else {})


@pytest.mark.since(5, 18)
def test_signatures_required(deployment: Deployment) -> None:
    """An unsigned one is installed all the same, to 10.10."""
    deployment.prepackage(make_bundle(deployment.bundles, ID, "1.0.0"))
    deployment.edit_plugin_settings(PluginStates=STATES, RequirePluginSignature=True)
    with deployment.running() as server:
        server.wait_active(ID)
