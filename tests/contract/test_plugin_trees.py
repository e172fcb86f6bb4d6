# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server makes of the trees that it finds: unpacked by hand, linked, marked, of another owner."""

from __future__ import annotations

import os
import shutil
import stat
from typing import Tuple

import pytest

from plugops_tests.servers.deployment import Deployment, Server
from plugops_tests.support.bundles import make_bundle

pytestmark = pytest.mark.contract

STATE_ON = {"Enable": True}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes files of another owner")


def _all(server: Server) -> dict[str, str]:
    plugins = server.plugins()
    return {**plugins["active"], **plugins["inactive"]}


def test_unpacked_by_hand(deployment: Deployment, version: Tuple[int, ...]) -> None:
    deployment.unpack(make_bundle(deployment.bundles, "by.hand", "1.0.0"))
    deployment.edit_plugin_settings(PluginStates={"by.hand": STATE_ON})
    with deployment.running() as server:
        if version >= (11, 0):
            server.wait_log("Removing local installation of managed plugin before sync", "by.hand")
            assert "by.hand" not in _all(server)
            assert not (deployment.plugins / "by.hand").exists()
            return
        server.wait_active("by.hand")
        assert bool(server.find_log("Skipping sync for unmanaged plugin")) == (version >= (5, 14))
    with deployment.running() as server:
        server.wait_active("by.hand")


def test_unpacked_while_the_server_runs(deployment: Deployment, version: Tuple[int, ...]) -> None:
    with deployment.running() as server:
        deployment.unpack(make_bundle(deployment.bundles, "by.hand", "1.0.0"))
        assert server.plugins()["inactive"] == {"by.hand": "1.0.0"}
        assert server.enable("by.hand").status == 200
        server.wait_active("by.hand")
    with deployment.running() as server:
        if version < (11, 0):
            server.wait_active("by.hand")
            return
        assert "by.hand" not in _all(server)
    assert deployment.read_config()["PluginSettings"]["PluginStates"]["by.hand"] == STATE_ON
    assert (deployment.client_plugins / "by.hand").exists(), "left behind"


@pytest.mark.before(11, 0)
def test_new_tree_under_a_running_plugin_needs_a_restart(deployment: Deployment) -> None:
    old = make_bundle(deployment.bundles, "by.hand", "1.0.0")
    new = make_bundle(deployment.bundles, "by.hand", "1.1.0")
    deployment.unpack(old)
    deployment.edit_plugin_settings(PluginStates={"by.hand": STATE_ON})
    with deployment.running() as server:
        server.wait_active("by.hand")
        before = server.public("GET", "/plugins/webapp").json
        shutil.rmtree(deployment.plugins / "by.hand")
        deployment.unpack(new)
        config = server.rest("GET", "/config").json
        config["PluginSettings"]["PluginStates"]["other.plugin"] = STATE_ON
        assert server.rest("PUT", "/config", config).status == 200
        assert server.public("GET", "/plugins/webapp").json == before, "the old one goes on"
    with deployment.running() as server:
        server.wait_active("by.hand")
        assert server.plugins()["active"]["by.hand"] == "1.1.0"


@pytest.mark.before(11, 0)
def test_what_is_not_scanned(deployment: Deployment) -> None:
    visible = deployment.unpack(make_bundle(deployment.bundles, "vi.sible", "1.0.0"))
    visible.rename(deployment.root / "elsewhere")
    (deployment.plugins / "vi.sible").symlink_to(deployment.root / "elsewhere")
    hidden = deployment.unpack(make_bundle(deployment.bundles, "hid.den", "1.0.0"))
    hidden.rename(deployment.plugins / ".hidden")
    (deployment.plugins / "deep" / "er").mkdir(parents=True)
    deep = deployment.unpack(make_bundle(deployment.bundles, "de.ep", "1.0.0"))
    deep.rename(deployment.plugins / "deep" / "er" / "de.ep")
    (deployment.plugins / "file").write_text("")
    deployment.own(deployment.plugins)
    with deployment.running() as server:
        assert _all(server) == {}


@pytest.mark.since(5, 2)
@pytest.mark.before(11, 0)
def test_two_directories_with_one_id(deployment: Deployment) -> None:
    tree = deployment.unpack(make_bundle(deployment.bundles, "twi.ce", "1.0.0"))
    shutil.copytree(tree, tree.with_name("twi.ce.bak"))
    deployment.own(deployment.plugins)
    deployment.edit_plugin_settings(PluginStates={"twi.ce": STATE_ON})
    with deployment.running() as server:
        assert server.wait_log("Unable to activate plugin", "multiple plugins found: twi.ce")
        assert server.plugins()["active"] == {}


@pytest.mark.since(5, 2)
@pytest.mark.before(5, 30)
def test_manifest_that_does_not_parse_keeps_the_server_from_starting(deployment: Deployment) -> None:
    tree = deployment.unpack(make_bundle(deployment.bundles, "bro.ken", "1.0.0"))
    (tree / "plugin.json").write_text("{")
    server = deployment.server().start()
    try:
        assert server.wait_ended() == 2
        assert "panic: runtime error: invalid memory address or nil pointer dereference" in server.output()
    finally:
        server.clean_up()


@pytest.mark.since(5, 30)
@pytest.mark.before(11, 0)
def test_manifest_that_does_not_parse_is_skipped(deployment: Deployment) -> None:
    tree = deployment.unpack(make_bundle(deployment.bundles, "bro.ken", "1.0.0"))
    (tree / "plugin.json").write_text("{")
    with deployment.running() as server:
        assert _all(server) == {}
    assert tree.exists()


@pytest.mark.since(5, 14)
def test_managed_tree_without_a_stored_bundle(deployment: Deployment, version: Tuple[int, ...]) -> None:
    """A `.filestore` file copied along from another node means: delete me at the next start (to 10.x)."""
    tree = deployment.unpack(make_bundle(deployment.bundles, "co.pied", "1.0.0", files={".filestore": b""}))
    with deployment.running() as server:
        assert "co.pied" not in _all(server)
        if version >= (5, 36):
            server.wait_log("Removing local installation of managed plugin before sync", "co.pied")
    assert not tree.exists()


def test_managed_tree_is_made_anew_at_each_start(deployment: Deployment, version: Tuple[int, ...]) -> None:
    with deployment.running() as server:
        assert server.upload(make_bundle(deployment.bundles, "man.aged", "1.0.0")).status == 201
    stray = deployment.plugins / "man.aged" / "stray"
    stray.write_text("")
    with deployment.running() as server:
        assert _all(server) == {"man.aged": "1.0.0"}
    assert stray.exists() == (version < (5, 14))


@pytest.mark.since(5, 14)
@pytest.mark.parametrize("uploads", [True, False])
def test_bundle_put_into_the_store(deployment: Deployment, version: Tuple[int, ...], uploads: bool) -> None:
    deployment.put_into_store(make_bundle(deployment.bundles, "from.store", "1.0.0", layout="dot"), "from.store")
    deployment.edit_plugin_settings(EnableUploads=uploads, PluginStates={"from.store": STATE_ON})
    with deployment.running() as server:
        server.wait_active("from.store")
    assert (deployment.plugins / "from.store" / ".filestore").exists() == (version < (11, 0))


@pytest.mark.since(5, 14)
def test_the_store_wins_although_older(deployment: Deployment) -> None:
    deployment.unpack(make_bundle(deployment.bundles, "two.places", "2.0.0"))
    deployment.put_into_store(make_bundle(deployment.bundles, "two.places", "1.0.0"), "two.places")
    with deployment.running() as server:
        assert _all(server) == {"two.places": "1.0.0"}


@pytest.mark.since(5, 14)
def test_bad_bundle_in_the_store(deployment: Deployment) -> None:
    bad = deployment.bundles / "bad"
    bad.write_bytes(b"no archive")
    deployment.put_into_store(bad, "bad.bundle")
    deployment.put_into_store(make_bundle(deployment.bundles, "good.bundle", "1.0.0"), "good.bundle")
    with deployment.running() as server:
        server.wait_log("Failed to sync plugin from file store", "bad.bundle")
        assert _all(server) == {"good.bundle": "1.0.0"}


@pytest.mark.since(5, 14)
def test_client_directory_no_longer_writable(deployment: Deployment) -> None:
    with deployment.running() as server:
        assert server.upload(make_bundle(deployment.bundles, "some.plugin", "1.0.0")).status == 201
        assert server.enable("some.plugin").status == 200
        server.wait_active("some.plugin")
    deployment.client_plugins.chmod(0o555)
    with deployment.running() as server:
        tail = "unable to remove old webapp bundle directory: client/plugins/some.plugin: "
        tail += "unlinkat client/plugins/some.plugin: permission denied"
        server.wait_log("Failed to sync plugin from file store", tail)
        server.wait_log("Unable to activate plugin", tail)
        assert server.plugins()["inactive"] == {"some.plugin": "1.0.0"}


@pytest.mark.since(5, 14)
def test_plugin_directory_without_search_permission(deployment: Deployment, version: Tuple[int, ...]) -> None:
    """What 0744 is to anybody but its owner: the names can be read, nothing below."""
    deployment.unpack(make_bundle(deployment.bundles, "by.hand", "1.0.0"))
    deployment.plugins.chmod(0o444)
    with deployment.running() as server:
        if version < (6, 0):
            server.wait_log("Unable to get available plugins", "permission denied")
            answer = server.admin("GET", "/plugins")
            assert answer.status == 500
        else:
            assert _all(server) == {}


@needs_root
@pytest.mark.since(5, 14)
def test_plugin_trees_of_another_owner(deployment: Deployment) -> None:
    """As after `chown -R root plugins`: managed plugins vanish, although their files are all there."""
    deployment.plugins.mkdir(mode=0o755)
    deployment.own(deployment.plugins)
    with deployment.running() as server:
        assert server.upload(make_bundle(deployment.bundles, "man.aged", "1.0.0")).status == 201
        assert server.enable("man.aged").status == 200
        server.wait_active("man.aged")
    for path in (deployment.plugins, *deployment.plugins.rglob("*")):
        os.chown(path, 0, 0)
    with deployment.running() as server:
        server.wait_log("Failed to sync plugin from file store", "destination already exists")
        assert _all(server) == {}
    assert (deployment.plugins / "man.aged" / "plugin.json").exists()


@needs_root
@pytest.mark.since(5, 14)
@pytest.mark.before(11, 0)
def test_unmanaged_tree_of_another_owner_stays_active(deployment: Deployment) -> None:
    tree = deployment.unpack(make_bundle(deployment.bundles, "by.hand", "1.0.0"))
    for path in (deployment.plugins, tree, *tree.rglob("*")):
        os.chown(path, 0, 0)
        path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o055 if path.is_dir() else 0o644)
    deployment.edit_plugin_settings(PluginStates={"by.hand": STATE_ON})
    with deployment.running() as server:
        server.wait_active("by.hand")


@needs_root
@pytest.mark.since(5, 14)
def test_readable_managed_tree_of_another_owner(deployment: Deployment, version: Tuple[int, ...]) -> None:
    """Searchable by all, but not removable: the removal fails, and so does what would replace it."""
    deployment.put_into_store(make_bundle(deployment.bundles, "man.aged", "1.1.0"), "man.aged")
    tree = deployment.unpack(make_bundle(deployment.bundles, "man.aged", "1.0.0", files={".filestore": b""}))
    for path in (deployment.plugins, tree, *tree.rglob("*")):
        os.chown(path, 0, 0)
        path.chmod(0o755 if path.is_dir() else 0o644)
    with deployment.running() as server:
        server.wait_log("Failed to remove local installation of managed plugin before sync", "permission denied")
        server.wait_log("Failed to sync plugin from file store", "man.aged")
        assert _all(server) == {"man.aged": "1.0.0"}


# -- prepackaged -----------------------------------------------------------------------------------------------------


@pytest.mark.since(5, 2)
def test_prepackaged_and_not_enabled(deployment: Deployment, version: Tuple[int, ...]) -> None:
    deployment.prepackage(make_bundle(deployment.bundles, "pre.packed", "1.0.0"))
    with deployment.running() as server:
        assert _all(server) == ({"pre.packed": "1.0.0"} if version < (5, 20) else {})
        if (9, 0) <= version < (10, 11):
            server.wait_log("Not installing prepackaged plugin: not previously enabled")


@pytest.mark.since(5, 2)
def test_prepackaged_and_enabled(deployment: Deployment, version: Tuple[int, ...]) -> None:
    deployment.prepackage(make_bundle(deployment.bundles, "pre.packed", "1.0.0"))
    deployment.edit_plugin_settings(PluginStates={"pre.packed": STATE_ON})
    with deployment.running() as server:
        if version >= (10, 11):
            server.wait_log("Failed to install prepackaged plugin", "missing required signature file")
            assert _all(server) == {}
        else:
            server.wait_active("pre.packed")


@pytest.mark.since(5, 20)
@pytest.mark.before(10, 11)
def test_prepackaged_switched_off(deployment: Deployment) -> None:
    deployment.prepackage(make_bundle(deployment.bundles, "pre.packed", "1.0.0"))
    deployment.edit_plugin_settings(PluginStates={"pre.packed": STATE_ON}, AutomaticPrepackagedPlugins=False)
    with deployment.running() as server:
        assert _all(server) == {}


@pytest.mark.since(5, 20)
@pytest.mark.before(10, 11)
@pytest.mark.parametrize(("packed", "expected"), [("1.1.0", "1.1.0"), ("0.9.0", "1.0.0")])
def test_prepackaged_wins_only_when_newer(deployment: Deployment, packed: str, expected: str) -> None:
    deployment.put_into_store(make_bundle(deployment.bundles, "pre.packed", "1.0.0"), "pre.packed")
    deployment.prepackage(make_bundle(deployment.bundles, "pre.packed", packed))
    deployment.edit_plugin_settings(PluginStates={"pre.packed": STATE_ON})
    with deployment.running() as server:
        server.wait_active("pre.packed")
        assert server.plugins()["active"]["pre.packed"] == expected
