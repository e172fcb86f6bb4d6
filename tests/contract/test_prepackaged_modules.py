# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules make of prepackaged bundles, held against what the server does at its next start."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.store import Store
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError

from plugops_tests.modules.resources import Modules, names
from plugops_tests.servers.deployment import Deployment, Server
from plugops_tests.support.bundles import make_bundle
from plugops_tests.support.signing import missing, signers

ID = "pre.packed"
GONE: Dict[str, object] = {"id": ID, "state": "absent"}
ON = {ID: {"Enable": True}}
ASPECTS = {aspect: f"plugins.{ID}.{aspect}" for aspect in ("version", "enabled", "prepackaged")}

pytestmark = [pytest.mark.contract, pytest.mark.since(5, 2)]


class Publisher:
    """Bundles of the plugin; with signatures that the server knows where it takes none without."""

    def __init__(self, deployment: Deployment, version: Tuple[int, ...], tmp_path: Path, stack: Any) -> None:
        self._directory = tmp_path
        self._signer = None
        if version >= (10, 11):
            if missing():
                pytest.skip(f"{', '.join(missing())} not installed")
            self._signer = stack.enter_context(signers("contract"))["contract"].make()
            (deployment.config_path.parent / "contract.gpg").write_bytes(self._signer.public_key())
            deployment.own(deployment.config_path.parent)
            deployment.edit_plugin_settings(SignaturePublicKeyFiles=["contract.gpg"])

    def bundle(self, number: str) -> Tuple[Path, ...]:
        """With its signature, if it needs one."""
        bundle = make_bundle(self._directory, ID, number)
        if self._signer is None:
            return (bundle,)
        return bundle, self._signer.sign(bundle, Path(f"{bundle}.sig"))

    def entry(self, number: str, **more: object) -> Dict[str, object]:
        return {"src": str(self.bundle(number)[0]), **more}


@pytest.fixture
def modules(deployment: Deployment, version: Tuple[int, ...], tmp_path: Path) -> Modules:
    return Modules(deployment, version, tmp_path / "state")


@pytest.fixture
def publisher(deployment: Deployment, version: Tuple[int, ...], tmp_path: Path) -> Iterator[Publisher]:
    with contextlib.ExitStack() as stack:
        yield Publisher(deployment, version, tmp_path, stack)


def installed(server: Server) -> Dict[str, str]:
    plugins = server.plugins()
    return {**plugins["active"], **plugins["inactive"]}


@pytest.mark.parametrize("runs", [pytest.param(False, marks=pytest.mark.matrix), True], ids=["down", "running"])
def test_what_is_put_there_runs_after_the_next_start(
    deployment: Deployment, modules: Modules, publisher: Publisher, runs: bool
) -> None:
    """Newer and older; in place of what came with the server."""
    modules.directories()
    deployment.prepackage(*publisher.bundle("0.1.0"))
    before: Dict[str, str] = {}
    for number in ("1.1.0", "1.0.0"):
        entry = publisher.entry(number)
        with contextlib.ExitStack() as stack:
            if runs:
                before = installed(stack.enter_context(deployment.running()))
            expected = names(modules.plugins([entry], check=True, strategy="prepackaged"))
            assert expected[0] == ASPECTS["version"]
            assert names(modules.plugins([entry], strategy="prepackaged")) == expected
            assert names(modules.plugins([entry], strategy="prepackaged")) == []
        with deployment.running() as server:
            server.wait_active(ID)
            assert server.plugins()["active"] == {ID: number}
            assert before.get(ID) != number
            assert names(modules.plugins([entry], strategy="prepackaged")) == []
            assert names(modules.plugins([entry])) == [], "auto knows that the server has it"
    assert [path.name for path in (deployment.install / "prepackaged_plugins").glob("*.tar.gz")] == [f"{ID}.tar.gz"]


@pytest.mark.since(5, 20)
@pytest.mark.parametrize("where", ["filestore", "unpacked by hand"])
@pytest.mark.parametrize(("kept", "refused"), [("1.1.0", True), ("1.0.0", True), ("0.9.0", False)])
def test_what_the_server_would_keep_is_named(
    deployment: Deployment,
    modules: Modules,
    publisher: Publisher,
    version: Tuple[int, ...],
    where: str,
    kept: str,
    refused: bool,
) -> None:
    other = make_bundle(deployment.bundles, ID, kept, files={"other.txt": b"other"})
    deployment.edit_plugin_settings(PluginStates=ON)
    if where == "filestore":
        deployment.put_into_store(other, ID)
    elif version < (11, 0):
        deployment.unpack(other)
    else:
        pytest.skip("for servers before 11.0: later ones keep nothing that was unpacked by hand")
    entry = publisher.entry("1.0.0")
    if refused:
        with pytest.raises(OperatorError, match=rf"would keep the pre.packed that it has.*version {kept}"):
            modules.plugins([entry], strategy="prepackaged")
    else:
        modules.plugins([entry], strategy="prepackaged")
    with deployment.running() as server:
        server.wait_active(ID)
        assert server.plugins()["active"] == {ID: kept if refused else "1.0.0"}


@pytest.mark.since(5, 20)
def test_a_server_that_shall_install_nothing_by_itself(
    deployment: Deployment, modules: Modules, publisher: Publisher
) -> None:
    deployment.edit_plugin_settings(AutomaticPrepackagedPlugins=False)
    for entry in (publisher.entry("1.0.0"), {"id": ID}):
        deployment.prepackage(*publisher.bundle("0.9.0"))
        with pytest.raises(OperatorError, match="AutomaticPrepackagedPlugins false"):
            modules.plugins([entry], strategy="prepackaged")
    modules.plugins([publisher.entry("1.0.0", enabled=False)], strategy="prepackaged")
    deployment.edit_plugin_settings(PluginStates=ON)
    with deployment.running() as server:
        assert installed(server) == {}


@pytest.mark.parametrize("runs", [False, pytest.param(True, marks=pytest.mark.matrix)], ids=["down", "running"])
def test_what_the_server_brings_along_is_enabled_disabled_and_removed(
    deployment: Deployment, modules: Modules, publisher: Publisher, version: Tuple[int, ...], runs: bool
) -> None:
    """Nobody gives a bundle. Servers before 5.20 install it whatever its state, until its bundle is taken away."""
    modules.directories()
    deployment.prepackage(*publisher.bundle("1.0.0"))
    always = version < (5, 20)
    steps = [
        ({"id": ID, "enabled": False}, {ID: "1.0.0"} if always else {}, False),
        ({"id": ID}, {ID: "1.0.0"}, True),
        ({"id": ID, "enabled": False}, {ID: "1.0.0"} if always else {}, False),
        ({"id": ID, "enabled": True}, {ID: "1.0.0"}, True),
        (GONE, {}, False),
    ]
    for entry, expected, active in steps:
        with deployment.running() if runs else contextlib.nullcontext():
            differing = names(modules.plugins([entry], check=True))
            assert names(modules.plugins([entry])) == differing
            assert names(modules.plugins([entry])) == []
        with deployment.running() as server:
            if active:
                server.wait_active(ID)
            assert installed(server) == expected
            assert (ID in server.plugins()["active"]) is active
            assert names(modules.plugins([entry])) == []
    assert (deployment.install / "prepackaged_plugins" / f"{ID}-1.0.0.tar.gz").exists() is not always


def test_a_prepackaged_bundle_that_would_win_is_taken_away(
    deployment: Deployment, modules: Modules, publisher: Publisher, version: Tuple[int, ...]
) -> None:
    """And kept in the node's store."""
    modules.directories()
    deployment.prepackage(*publisher.bundle("1.1.0"))
    deployment.edit_plugin_settings(PluginStates=ON)
    entry = publisher.entry("1.0.0")
    strategy = "filestore" if version >= (5, 14) else "unpack"
    expected = [ASPECTS["version"], ASPECTS["prepackaged"]]
    assert names(modules.plugins([entry], check=True, strategy=strategy)) == expected
    assert names(modules.plugins([entry], strategy=strategy)) == expected
    with deployment.running() as server:
        server.wait_active(ID)
        assert server.plugins()["active"] == {ID: "1.0.0"}
        assert names(modules.plugins([entry], strategy=strategy)) == []
    kept = [bundle.manifest.version for bundle in Store(modules.node().state_path("bundles")).newest_first()]
    assert sorted(kept) == ["1.0.0", "1.1.0"]


@pytest.mark.since(5, 20)
def test_nothing_is_taken_away_that_would_not_win(
    deployment: Deployment, modules: Modules, publisher: Publisher
) -> None:
    """Older than what is wanted, or of a plugin that shall be disabled."""
    modules.directories()
    deployment.prepackage(*publisher.bundle("1.0.0"))
    for number, enabled in (("1.1.0", True), ("0.9.0", False)):
        entry = publisher.entry(number, enabled=enabled)
        assert ASPECTS["prepackaged"] not in names(modules.plugins([entry], strategy="filestore"))
        with deployment.running() as server:
            (server.wait_active if enabled else server.wait_inactive)(ID)
            assert installed(server) == {ID: number}


@pytest.mark.parametrize("before", ["stored", "prepackaged", "nothing"])
def test_a_rollback_brings_back_what_came_with_the_server(
    deployment: Deployment, modules: Modules, publisher: Publisher, version: Tuple[int, ...], before: str
) -> None:
    """And takes away what was put there."""
    if before == "stored" and version < (5, 14):
        pytest.skip("for servers since 5.14")
    modules.directories()
    if before == "stored":
        modules.plugins([publisher.entry("1.0.0")], strategy="filestore")
    elif before == "prepackaged":
        deployment.prepackage(*publisher.bundle("1.0.0"))
        deployment.edit_plugin_settings(PluginStates=ON)
    folder = deployment.install / "prepackaged_plugins"
    with deployment.running() as server:
        was = installed(server)
        assert was == ({} if before == "nothing" else {ID: "1.0.0"})
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    entry = publisher.entry("1.1.0")
    modules.checkpoint([entry])
    modules.plugins([entry], strategy="prepackaged")
    with deployment.running() as server:
        server.wait_active(ID)
        assert installed(server) == {ID: "1.1.0"}
    foreseen = names(modules.rollback(check=True, strategy="prepackaged"))
    assert ASPECTS["prepackaged"] in foreseen
    assert names(modules.rollback(strategy="prepackaged")) == foreseen
    assert names(modules.rollback(strategy="prepackaged")) == []
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    assert (deployment.store / f"{ID}.tar.gz").exists() is (before == "stored"), "nothing else is left behind"
    with deployment.running() as server:
        assert installed(server) == was
