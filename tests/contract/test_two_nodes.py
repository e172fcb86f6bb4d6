# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two servers with one database and one file store, without the cluster messages of a licence."""

from __future__ import annotations

import pytest

from plugops_tests.servers.deployment import Deployment, Server
from plugops_tests.support.bundles import make_bundle

pytestmark = [pytest.mark.contract, pytest.mark.since(5, 14)]

ID = "some.plugin"
STATE_ON = {"Enable": True}


def _active(server: Server) -> str:
    return server.plugins()["active"].get(ID, "")


def test_a_change_reaches_the_other_node_with_its_next_start(deployment: Deployment) -> None:
    """Upload, upgrade and removal on the first node only; states are in a file of each node."""
    second = deployment.second_node()
    for node in (deployment, second):
        node.edit_plugin_settings(PluginStates={ID: STATE_ON})
    old, new = (make_bundle(deployment.bundles, ID, version) for version in ("1.0.0", "1.1.0"))
    with deployment.running() as one:
        with second.running() as two:
            assert one.upload(old).status == 201
            one.wait_active(ID)
            assert two.plugins() == {"active": {}, "inactive": {}}
        with second.running() as two:
            two.wait_active(ID)
            assert one.upload(new, force=True).status == 201
            assert (_active(one), _active(two)) == ("1.1.0", "1.0.0"), "each knows of itself only"
            versions = {
                item["version"] for item in two.rest("GET", "/plugins/statuses").json if item["plugin_id"] == ID
            }
            assert versions == {"1.0.0"}
        with second.running() as two:
            two.wait_active(ID)
            assert _active(two) == "1.1.0"
            assert one.remove(ID).status == 200
            assert _active(two) == "1.1.0", "goes on, from a tree that the next start removes"
            again = two.remove(ID)
            assert again.status == 200, "although its bundle is gone from the store"
        with second.running() as two:
            assert two.plugins() == {"active": {}, "inactive": {}}


def test_an_upload_to_each_node(deployment: Deployment) -> None:
    """Without cluster messages the second needs it too; `force` is not needed there, and the store is not harmed."""
    second = deployment.second_node()
    bundle = make_bundle(deployment.bundles, ID, "1.0.0")
    with deployment.running() as one, second.running() as two:
        assert one.upload(bundle).status == 201
        assert two.upload(bundle).status == 201
        for server in (one, two):
            assert server.plugins()["inactive"] == {ID: "1.0.0"}
