# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules make of a server, held against the server's own answers: bundles, states and settings."""

from __future__ import annotations

import contextlib
import tarfile
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.bundle import read_bundle
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.store import STORE, Store
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.resource import ensure
from ansible_collections.plugops.mattermost.plugins.module_utils._settings.settings import Settings

from plugops_tests.modules.resources import Modules, names
from plugops_tests.servers.deployment import Deployment
from plugops_tests.support.bundles import make_bundle
from plugops_tests.support.signing import signers

pytestmark = pytest.mark.contract

ID = "mod.ules"


@pytest.fixture
def modules(deployment: Deployment, version: Tuple[int, ...], tmp_path: Path) -> Modules:
    return Modules(deployment, version, tmp_path / "state")


@pytest.mark.since(5, 24)
def test_upload_upgrade_disable_remove(deployment: Deployment, modules: Modules, tmp_path: Path) -> None:
    deployment.edit_plugin_settings(EnableUploads=True)
    old, new = (make_bundle(tmp_path, ID, number) for number in ("1.0.0", "1.1.0"))
    steps: List[Tuple[Dict[str, object], List[str], Optional[str], Optional[str]]] = [
        ({"src": str(old)}, [f"plugins.{ID}.version", f"plugins.{ID}.enabled"], "1.0.0", None),
        ({"src": str(new)}, [f"plugins.{ID}.version"], "1.1.0", None),
        ({"src": str(new), "enabled": False}, [f"plugins.{ID}.enabled"], None, "1.1.0"),
        ({"src": str(old)}, [f"plugins.{ID}.version", f"plugins.{ID}.enabled"], "1.0.0", None),
        ({"id": ID, "state": "absent"}, [f"plugins.{ID}", f"plugins.{ID}.enabled"], None, None),
    ]
    with deployment.running() as server:
        for entry, differing, active, inactive in steps:
            assert names(modules.plugins([entry], check=True)) == differing
            assert names(modules.plugins([entry])) == differing
            found = server.plugins()
            assert (found["active"].get(ID), found["inactive"].get(ID)) == (active, inactive)
            assert names(modules.plugins([entry])) == []
    assert not (deployment.plugins / ID).exists()
    assert not (deployment.client_plugins / ID).exists(), "what the server leaves behind is removed, too"


@pytest.mark.since(5, 33)
def test_uploads_are_switched_on_through_the_socket(deployment: Deployment, modules: Modules, tmp_path: Path) -> None:
    deployment.edit_plugin_settings(EnableUploads=False)
    entry = {"src": str(make_bundle(tmp_path, ID, "1.0.0"))}
    with deployment.running() as server:
        with pytest.raises(OperatorError, match="takes no uploads"):
            modules.plugins([entry], strategy="upload")
        assert names(modules.settings(EnableUploads=True)) == ["settings.EnableUploads"]
        assert names(modules.settings(EnableUploads=True)) == []
        modules.plugins([entry])
        assert server.plugins()["active"].get(ID) == "1.0.0"
    assert deployment.read_config()["PluginSettings"]["EnableUploads"] is True


@pytest.mark.before(11, 0)
def test_unpack_while_the_server_is_down(deployment: Deployment, modules: Modules, tmp_path: Path) -> None:
    first, second = (make_bundle(tmp_path, ID, number) for number in ("1.0.0", "1.1.0"))
    modules.directories()
    for bundle, number in ((first, "1.0.0"), (second, "1.1.0")):
        entry = {"src": str(bundle)}
        assert f"plugins.{ID}.version" in names(modules.plugins([entry], check=True))
        modules.plugins([entry])
        assert names(modules.plugins([entry])) == []
        with deployment.running() as server:
            server.wait_active(ID)
            assert server.plugins()["active"][ID] == number
        assert names(modules.plugins([entry])) == [], "nor has the server changed what lies there"
    modules.plugins([{"id": ID, "state": "absent"}])
    with deployment.running() as server:
        assert ID not in {**server.plugins()["active"], **server.plugins()["inactive"]}


@pytest.mark.since(11, 0)
def test_unpack_is_refused_where_the_server_would_delete_it(
    deployment: Deployment, modules: Modules, tmp_path: Path
) -> None:
    with pytest.raises(OperatorError, match="unpack is refused"):
        modules.plugins([{"src": str(make_bundle(tmp_path, ID, "1.0.0"))}], strategy="unpack")


@pytest.mark.since(5, 24)
@pytest.mark.before(11, 0)
def test_unpack_is_refused_where_the_server_manages_the_plugin(
    deployment: Deployment, modules: Modules, tmp_path: Path
) -> None:
    deployment.edit_plugin_settings(EnableUploads=True)
    with deployment.running():
        modules.plugins([{"src": str(make_bundle(tmp_path, ID, "1.0.0"))}])
    with pytest.raises(OperatorError, match="manages the plugin"):
        modules.plugins([{"src": str(make_bundle(tmp_path, ID, "1.1.0"))}], strategy="unpack")


@pytest.mark.since(5, 24)
@pytest.mark.parametrize("rule", ["uploads on", "uploads off", "signatures required"])
def test_whatever_the_server_allows_the_plugins_run_after_a_restart(
    deployment: Deployment, modules: Modules, tmp_path: Path, rule: str
) -> None:
    """A first version, then another one; servers since 11.0 start with nothing but what their filestore holds."""
    ids = (ID, "mod.ules.second")
    settings: Dict[str, object] = {"EnableUploads": rule == "uploads on"}
    with contextlib.ExitStack() as stack:
        if rule == "signatures required":
            signer = stack.enter_context(signers("contract"))["contract"].make()
            (deployment.config_path.parent / "contract.gpg").write_bytes(signer.public_key())
            deployment.own(deployment.config_path.parent)
            settings.update(RequirePluginSignature=True, SignaturePublicKeyFiles=["contract.gpg"])
        deployment.edit_plugin_settings(**settings)
        for number in ("1.0.0", "1.1.0"):
            bundles = [make_bundle(tmp_path, plugin_id, number) for plugin_id in ids]
            if rule == "signatures required":
                for bundle in bundles:
                    signer.sign(bundle, Path(f"{bundle}.sig"))
            entries: List[Dict[str, object]] = [{"src": str(bundle)} for bundle in bundles]
            with deployment.running():
                modules.plugins(entries)
            with deployment.running() as server:
                for plugin_id in ids:
                    server.wait_active(plugin_id)
                assert server.plugins() == {"active": dict.fromkeys(ids, number), "inactive": {}}
                assert names(modules.plugins(entries)) == []


@pytest.mark.since(5, 24)
def test_a_signature_that_the_server_cannot_verify(deployment: Deployment, modules: Modules, tmp_path: Path) -> None:
    """By an Ed25519 key, which gpg makes unless told otherwise: nobody finds the plugin after the next start."""
    bundle = make_bundle(tmp_path, ID, "1.0.0")
    states = {ID: {"Enable": True}}
    with signers("contract") as made:
        signer = made["contract"].make(kind="ed25519")
        signature = signer.sign(bundle, Path(f"{bundle}.sig"))
        (deployment.config_path.parent / "contract.gpg").write_bytes(signer.public_key())
        deployment.own(deployment.config_path.parent)
    deployment.edit_plugin_settings(
        RequirePluginSignature=True, SignaturePublicKeyFiles=["contract.gpg"], PluginStates=states
    )
    deployment.put_into_store(bundle, ID, signature)
    with deployment.running() as server:
        assert server.wait_log("Unable to verify plugin signature")
        assert server.plugins() == {"active": {}, "inactive": {}}
        with pytest.raises(OperatorError, match="cannot verify the signature of mod"):
            modules.plugins([{"src": str(bundle), "signature": str(signature)}])
    deployment.edit_plugin_settings(RequirePluginSignature=False)
    with deployment.running() as server:
        server.wait_active(ID)
        assert names(modules.plugins([{"src": str(bundle), "signature": str(signature)}])) == []


@pytest.mark.parametrize("way", ["socket", "rest"])
def test_states_where_the_server_may_not_save_them(
    deployment: Deployment, modules: Modules, tmp_path: Path, version: Tuple[int, ...], way: str
) -> None:
    """ReadOnlyConfig, the default of a cluster: the states go into the file, and the server is made to read it."""
    if way == "socket" and version < (5, 24):
        pytest.skip("for servers since 5.24")
    deployment.write_config({"ClusterSettings": {"Enable": True, "ReadOnlyConfig": True}})
    bundle = make_bundle(tmp_path, ID, "1.0.0")
    with deployment.running() as server:
        server.token()
        if way == "rest":
            modules.by_api()
        for enabled in (True, False, True):
            entry = {"src": str(bundle), "enabled": enabled}
            assert f"plugins.{ID}.enabled" in names(modules.plugins([entry]))
            assert (ID in server.plugins()["active"]) is enabled
            assert names(modules.plugins([entry])) == []
        with pytest.raises(OperatorError, match="read-only over the API"):
            modules.plugins([{"id": ID, "state": "absent"}])
    assert deployment.read_config()["PluginSettings"]["PluginStates"][ID]["Enable"] is True


@pytest.mark.since(6, 0)
def test_an_edit_of_the_file_is_loaded_at_once(deployment: Deployment, modules: Modules) -> None:
    deployment.edit_plugin_settings(EnableUploads=False)
    with deployment.running() as server:
        assert names(modules.settings(via="file", EnableUploads=True)) == ["settings.EnableUploads"]
        assert server.local("GET", "/config").json["PluginSettings"]["EnableUploads"] is True
        deployment.edit_plugin_settings(EnableUploads=False)
        assert names(modules.settings(via="file", EnableUploads=False)) == ["settings.loaded"]
        assert server.local("GET", "/config").json["PluginSettings"]["EnableUploads"] is False
        assert names(modules.settings(via="file", EnableUploads=False)) == []


def test_the_life_of_a_plugin_over_the_rest_api(deployment: Deployment, modules: Modules, tmp_path: Path) -> None:
    """Servers before 5.8 replace no plugin: there it is removed before its next version is uploaded."""
    old, new = (make_bundle(tmp_path, ID, number) for number in ("1.0.0", "1.1.0"))
    steps: List[Tuple[Dict[str, object], List[str], Optional[str], Optional[str]]] = [
        ({"src": str(old)}, [f"plugins.{ID}.version", f"plugins.{ID}.enabled"], "1.0.0", None),
        ({"src": str(new)}, [f"plugins.{ID}.version"], "1.1.0", None),
        ({"src": str(old), "enabled": False}, [f"plugins.{ID}.version", f"plugins.{ID}.enabled"], None, "1.0.0"),
        ({"src": str(new)}, [f"plugins.{ID}.version", f"plugins.{ID}.enabled"], "1.1.0", None),
        ({"id": ID, "state": "absent"}, [f"plugins.{ID}", f"plugins.{ID}.enabled"], None, None),
    ]
    with deployment.running() as server:
        server.token()
        modules.by_api()
        for entry, differing, active, inactive in steps:
            assert names(modules.plugins([entry], check=True)) == differing
            assert names(modules.plugins([entry])) == differing
            found = server.plugins()
            assert (found["active"].get(ID), found["inactive"].get(ID)) == (active, inactive)
            assert names(modules.plugins([entry])) == []
    assert not (deployment.plugins / ID).exists()


def with_global_header(bundle: Path) -> Path:
    """As ``git archive`` makes it; servers before 5.20 refuse such a bundle whole."""
    with tarfile.open(bundle) as packed:
        members = [(member, packed.extractfile(member) if member.isreg() else None) for member in packed]
        new = bundle.with_name(f"header-{bundle.name}")
        with tarfile.open(new, "w:gz", format=tarfile.PAX_FORMAT, pax_headers={"comment": "0" * 40}) as archive:
            for member, content in members:
                archive.addfile(member, content)
    return new


@pytest.mark.before(5, 8)
def test_a_version_whose_successor_is_refused_is_put_back(
    deployment: Deployment, modules: Modules, tmp_path: Path
) -> None:
    """These servers replace nothing: the version before is removed first."""
    old, refused = make_bundle(tmp_path, ID, "1.0.0"), with_global_header(make_bundle(tmp_path, ID, "1.1.0"))
    with deployment.running() as server:
        server.token()
        modules.by_api()
        modules.plugins([{"src": str(old)}])
        with pytest.raises(OperatorError, match=r"it was restored.*Encountered error extracting plugin"):
            modules.plugins([{"src": str(refused)}])
        server.wait_active(ID)
        assert server.plugins()["active"] == {ID: "1.0.0"}
        assert names(modules.plugins([{"src": str(old)}])) == []
        Path(Store(modules.node().state_path(STORE)).path_of(ID, read_bundle(str(old)).tree)).unlink()
        with pytest.raises(OperatorError, match="has no bundle of it: the plugin is gone"):
            modules.plugins([{"src": str(refused)}])
        assert ID not in {**server.plugins()["active"], **server.plugins()["inactive"]}


@pytest.mark.since(5, 20)
def test_settings_over_the_rest_api(deployment: Deployment, modules: Modules) -> None:
    with deployment.running() as server:
        server.token()
        modules.by_api()
        assert names(modules.settings(via="api", EnableHealthCheck=False)) == ["settings.EnableHealthCheck"]
        assert names(modules.settings(via="api", EnableHealthCheck=False)) == []
        with pytest.raises(OperatorError, match="cannot be changed over the REST API"):
            modules.settings(via="api", EnableUploads=False)
        assert server.admin("GET", "/config").json["PluginSettings"]["EnableUploads"] is True


@pytest.mark.since(5, 20)
def test_what_a_restricted_rest_api_would_keep_is_refused_beforehand(
    deployment: Deployment, modules: Modules, version: Tuple[int, ...]
) -> None:
    deployment.write_config({"ExperimentalSettings": {"RestrictSystemAdmin": True}})
    restricted: List[Dict[str, object]] = [{"EnableHealthCheck": False}, {"Directory": "./other"}]
    if version >= (5, 30):
        keys = {"AutomaticPrepackagedPlugins": False, "EnableMarketplace": True, "SignaturePublicKeyFiles": ["a.gpg"]}
        restricted += [{name: value} for name, value in keys.items()]
    with deployment.running() as server:
        server.token()
        modules.by_api()
        for wanted in restricted:
            for check in (True, False):
                with pytest.raises(OperatorError, match="RestrictSystemAdmin true"):
                    modules.settings(check, via="api", **wanted)
            before = server.rest("GET", "/config").json["PluginSettings"]
            assert server.rest("PUT", "/config/patch", {"PluginSettings": wanted}).status == 200
            assert server.rest("GET", "/config").json["PluginSettings"] == before, "silently kept"
        allowed = Settings(modules.node(), {}, {ID: True}, {}, channel="api")
        assert names(ensure(allowed, False)) == [f"settings.PluginStates.{ID}"]
        assert names(ensure(allowed, True)) == []


@pytest.mark.since(5, 24)
@pytest.mark.parametrize("runs", [False, True], ids=["down", "uploads off"])
def test_the_server_takes_the_bundle_from_its_filestore(
    deployment: Deployment, modules: Modules, tmp_path: Path, runs: bool
) -> None:
    deployment.edit_plugin_settings(EnableUploads=False)
    modules.directories()
    for number in ("1.1.0", "1.0.0"):  # a rollback, too
        entry = {"src": str(make_bundle(tmp_path, ID, number))}
        with contextlib.ExitStack() as stack:
            if runs:
                stack.enter_context(deployment.running())
            way = "auto" if runs else "filestore"
            assert f"plugins.{ID}.version" in names(modules.plugins([entry], check=True, strategy=way))
            modules.plugins([entry], strategy=way)
            assert names(modules.plugins([entry], strategy=way)) == []
        with deployment.running() as server:
            server.wait_active(ID)
            assert server.plugins()["active"][ID] == number
            assert names(modules.plugins([entry])) == []
    gone = {"id": ID, "state": "absent"}
    assert f"plugins.{ID}" in names(modules.plugins([gone], strategy="filestore"))
    assert names(modules.plugins([gone], strategy="filestore")) == []
    with deployment.running() as server:
        assert ID not in {**server.plugins()["active"], **server.plugins()["inactive"]}
