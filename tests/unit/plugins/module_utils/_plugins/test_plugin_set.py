# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin set refuses before anything changes, because the server would undo it or could not run it."""

from __future__ import annotations

import base64
import json
import stat
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.store import STORE, Store
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.tree import read_tree
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.resource import ensure, inspect
from ansible_collections.plugops.mattermost.plugins.module_utils._node.node import Node
from ansible_collections.plugops.mattermost.plugins.module_utils._node.options import NodeOptions
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.plugin_set import PluginSet
from ansible_collections.plugops.mattermost.plugins.module_utils._startup.filestore import Filestore
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.wanted import BundleFacts, wanted_plugins

from plugops_tests.sandbox.app_server import NEW, OLD, PLUGIN_ID, AppServer, make_sandbox, remove_sandbox
from plugops_tests.support.bundles import make_bundle

GONE: Dict[str, Any] = {"id": PLUGIN_ID, "state": "absent"}


@pytest.fixture
def server() -> Iterator[AppServer]:
    """An app server that has the plugin in its old version and does not run."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "sandbox"
        Path(directory).chmod(0o755)
        try:
            yield make_sandbox(place)[2]
        finally:
            remove_sandbox(place)


def plugin_set(
    server: AppServer, entry: Dict[str, Any], version: str = "5.36.1", signature: bytes = b"", **options: Any
) -> PluginSet:
    node = Node(NodeOptions(root=str(server.root), server_version=version), lambda argv: (1, "", "no commands here"))
    wanted, sources = wanted_plugins([entry], str, BundleFacts(str(server.root / "facts.json")))
    for sha256, path in sources.items():
        Store(node.state_path(STORE)).add(sha256, path)
    signed = [replace(plugin, signature=base64.b64encode(signature).decode()) for plugin in wanted]
    return PluginSet(node, signed, **options)


def stored_bundle(server: AppServer) -> None:
    store = server.install_dir / "data" / "plugins"
    store.mkdir(parents=True, exist_ok=True)
    (store / f"{PLUGIN_ID}.tar.gz").write_bytes(b"as an upload leaves it")


def new_bundle(app: AppServer, plugin_id: str = PLUGIN_ID, **options: Any) -> Dict[str, Any]:
    return {"src": str(make_bundle(app.root.parent, plugin_id, NEW, **options))}


def test_a_bundle_in_the_filestore_would_win_over_what_is_unpacked(server: AppServer) -> None:
    stored_bundle(server)
    with pytest.raises(OperatorError, match="its own copy would win"):
        inspect(plugin_set(server, new_bundle(server), strategy="unpack"))
    assert inspect(plugin_set(server, new_bundle(server), version="5.13.0")).differences.names()


def test_the_filestore_is_where_the_servers_environment_puts_it(server: AppServer) -> None:
    drop_in = server.root / "etc/systemd/system/mattermost.service.d/90-test.conf"
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text("[Service]\nEnvironment=mm_filesettings_directory=/srv/files\n")
    bundle = server.root / "srv/files/plugins" / f"{PLUGIN_ID.title()}.tar.gz"
    bundle.parent.mkdir(parents=True)
    bundle.touch()
    node = Node(
        NodeOptions(root=str(server.root), server_version="5.36.1", allowed_directories=("/srv/files",)),
        lambda argv: (1, "", ""),
    )
    assert Filestore(node, None).real_path(PLUGIN_ID) == str(bundle)
    assert Filestore(node, None).real_path("com.example.other") == ""


def test_a_marker_says_that_the_server_manages_the_plugin(server: AppServer) -> None:
    (server.install_dir / "plugins" / PLUGIN_ID / ".filestore").touch()
    with pytest.raises(OperatorError, match=r"a \.filestore marker"):
        inspect(plugin_set(server, new_bundle(server), strategy="unpack"))


def test_a_removed_plugin_does_not_come_back_from_the_filestore(server: AppServer) -> None:
    stored_bundle(server)
    store = server.install_dir / "data" / "plugins"
    (store / f"{PLUGIN_ID}.tar.gz.sig").touch()
    (store / "com.example.other.tar.gz").touch()
    assert ensure(plugin_set(server, GONE), check_mode=False).differences.names() == [f"plugins.{PLUGIN_ID}"]
    assert [path.name for path in store.iterdir()] == ["com.example.other.tar.gz"]
    stored_again = store / f"{PLUGIN_ID.upper()}.tar.gz"
    stored_again.touch()
    assert ensure(plugin_set(server, GONE), check_mode=False).differences.names() == [f"plugins.{PLUGIN_ID}"]
    assert not stored_again.exists()


def test_what_the_server_brings_itself_is_refused(server: AppServer) -> None:
    entry = new_bundle(server, "jira")
    with pytest.raises(OperatorError, match="brings the plugin jira itself"):
        inspect(plugin_set(server, entry, version="4.6.0"))
    assert inspect(plugin_set(server, entry, version="5.2.0")).differences.names()


def test_a_plugin_for_newer_servers_is_refused_where_the_server_looks(server: AppServer) -> None:
    entry = new_bundle(server, min_server_version="5.37.0")
    with pytest.raises(OperatorError, match=r"does not run on this server.*at least 5.37.0"):
        inspect(plugin_set(server, entry))
    assert inspect(plugin_set(server, entry, version="5.5.0")).differences.names()
    assert inspect(plugin_set(server, entry, version="5.37.0")).differences.names()


def test_two_directories_with_one_id_are_named(server: AppServer) -> None:
    plugins = server.install_dir / "plugins"
    (plugins / f"{PLUGIN_ID}.bak").mkdir()
    manifest = (plugins / PLUGIN_ID / "plugin.json").read_bytes()
    (plugins / f"{PLUGIN_ID}.bak" / "plugin.json").write_bytes(manifest)
    with pytest.raises(OperatorError, match=rf"two directories.*{PLUGIN_ID}.bak"):
        inspect(plugin_set(server, new_bundle(server)))


def test_a_directory_of_another_name_is_refused(server: AppServer) -> None:
    plugins = server.install_dir / "plugins"
    (plugins / PLUGIN_ID).rename(plugins / "hello")
    with pytest.raises(OperatorError, match="directory of another name"):
        inspect(plugin_set(server, new_bundle(server)))


def test_a_hand_edit_is_named_by_file_once_the_bundle_is_in_the_store(server: AppServer) -> None:
    entry = new_bundle(server, server=True)
    ensure(plugin_set(server, entry), check_mode=False)
    tree = server.install_dir / "plugins" / PLUGIN_ID
    (tree / "plugin.json").write_bytes((tree / "plugin.json").read_bytes() + b"\n")
    (tree / "server" / "dist" / "plugin-linux-amd64").chmod(0o644)
    (tree / "added.txt").touch()
    (difference,) = inspect(plugin_set(server, entry)).differences
    assert difference.name == f"plugins.{PLUGIN_ID}.files"
    for name in ("plugin.json", "plugin-linux-amd64", "added.txt"):
        assert name in difference.found
    ensure(plugin_set(server, entry), check_mode=False)
    assert not (tree / "added.txt").exists()
    assert inspect(plugin_set(server, entry)).differences.names() == []


def test_an_entry_without_source_needs_the_bundle_in_the_store(server: AppServer) -> None:
    with pytest.raises(OperatorError, match="not in this node's store"):
        inspect(plugin_set(server, {"id": PLUGIN_ID, "version": OLD, "sha256": "0" * 64}))


# filestore


def in_filestore(server: AppServer, suffix: str = ".tar.gz") -> bytes:
    return (server.install_dir / "data" / "plugins" / f"{PLUGIN_ID}{suffix}").read_bytes()


def test_filestore_leaves_what_an_upload_would(server: AppServer) -> None:
    entry = new_bundle(server)
    tree = read_tree(str(server.install_dir / "plugins" / PLUGIN_ID)).digest
    outcome = ensure(plugin_set(server, entry, strategy="filestore"), check_mode=False)
    assert outcome.differences.names() == [f"plugins.{PLUGIN_ID}.version", f"plugins.{PLUGIN_ID}.enabled"]
    assert in_filestore(server) == Path(entry["src"]).read_bytes()
    stored = server.install_dir / "data" / "plugins" / f"{PLUGIN_ID}.tar.gz"
    owner = server.install_dir.stat().st_uid
    for path, mode in ((stored, 0o600), (stored.parent, 0o750), (stored.parent.parent, 0o750)):
        assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid) == (mode, owner)
    assert read_tree(str(server.install_dir / "plugins" / PLUGIN_ID)).digest == tree, "the server makes it"
    assert inspect(plugin_set(server, entry, strategy="filestore")).differences.names() == []
    assert inspect(plugin_set(server, entry)).differences.names() == [], "auto knows that the server will take it"


def test_a_link_in_the_filestore_is_replaced_and_not_followed(server: AppServer) -> None:
    stored_bundle(server)
    place = server.install_dir / "data" / "plugins" / f"{PLUGIN_ID}.tar.gz"
    place.unlink()
    precious = server.install_dir / "precious"
    precious.write_text("kept")
    place.symlink_to(precious)
    ensure(plugin_set(server, new_bundle(server), strategy="filestore"), check_mode=False)
    assert not place.is_symlink()
    assert precious.read_text() == "kept"


@pytest.mark.parametrize("version", ["5.36.1", "10.5.0", "11.6.0"])
def test_a_signature_lies_beside_the_bundle(server: AppServer, version: str) -> None:
    entry = new_bundle(server)

    def signed(signature: bytes) -> Any:
        made = plugin_set(server, entry, version=version, signature=signature, strategy="filestore")
        return ensure(made, check_mode=False).differences.names()

    assert f"plugins.{PLUGIN_ID}.version" in signed(b"one")
    assert in_filestore(server, ".tar.gz.sig") == b"one"
    assert signed(b"two") == [f"plugins.{PLUGIN_ID}.signature"]
    assert (signed(b"two"), in_filestore(server, ".tar.gz.sig")) == ([], b"two")


def test_a_stored_bundle_that_would_win_is_a_difference(server: AppServer) -> None:
    entry = new_bundle(server)
    ensure(plugin_set(server, entry), check_mode=False)  # unpacked
    stored_bundle(server)
    (difference,) = inspect(plugin_set(server, entry)).differences
    assert difference.name == f"plugins.{PLUGIN_ID}.stored"
    assert "it would win at the next start" in difference.found
    ensure(plugin_set(server, entry), check_mode=False)
    assert in_filestore(server) == Path(entry["src"]).read_bytes()


def test_a_filestore_that_is_elsewhere(server: AppServer) -> None:
    config = server.install_dir / "config" / "config.json"
    document = json.loads(config.read_text())
    document["FileSettings"] = {"DriverName": "amazons3"}
    config.write_text(json.dumps(document))
    for strategy, version in (("filestore", "9.10.0"), ("auto", "10.5.0")):
        with pytest.raises(OperatorError, match=r"DriverName is amazons3|unpacking is not supported"):
            inspect(plugin_set(server, new_bundle(server), version=version, strategy=strategy))
    with pytest.raises(OperatorError, match=r"at least 5\.14\.0"):
        inspect(plugin_set(server, new_bundle(server), version="5.13.0", strategy="filestore"))


# prepackaged


def in_prepackaged(server: AppServer) -> Dict[str, bytes]:
    folder = server.install_dir / "prepackaged_plugins"
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_what_is_prepackaged_belongs_to_whom_the_installation_belongs(server: AppServer) -> None:
    entry, folder = new_bundle(server), server.install_dir / "prepackaged_plugins"
    outcome = ensure(plugin_set(server, entry, signature=b"one", strategy="prepackaged"), check_mode=False)
    assert outcome.differences.names() == [f"plugins.{PLUGIN_ID}.version", f"plugins.{PLUGIN_ID}.enabled"]
    assert in_prepackaged(server) == {
        f"{PLUGIN_ID}.tar.gz": Path(entry["src"]).read_bytes(),
        f"{PLUGIN_ID}.tar.gz.sig": b"one",
    }
    owner = server.install_dir.stat()
    for path in (folder, *folder.iterdir()):
        assert (path.stat().st_uid, path.stat().st_gid) == (owner.st_uid, owner.st_gid)
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path == folder else 0o644)
    for signature, differing in ((b"one", []), (b"two", [f"plugins.{PLUGIN_ID}.version"])):
        again = ensure(plugin_set(server, entry, signature=signature, strategy="prepackaged"), check_mode=False)
        assert again.differences.names() == differing
        assert in_prepackaged(server)[f"{PLUGIN_ID}.tar.gz.sig"] == signature


@pytest.mark.parametrize(
    ("version", "settings", "refused"),
    [
        ("5.1.0", {}, "is for servers that bring plugins along"),
        ("10.10.0", {}, ""),
        ("10.11.0", {}, "must be signed.*server version 10.11.0"),
        ("9.10.0", {"RequirePluginSignature": True}, "must be signed.*RequirePluginSignature on"),
        ("9.10.0", {"AutomaticPrepackagedPlugins": False}, "AutomaticPrepackagedPlugins false"),
    ],
)
def test_what_would_not_come_is_refused(
    server: AppServer, version: str, settings: Dict[str, Any], refused: str
) -> None:
    config = server.install_dir / "config" / "config.json"
    document = json.loads(config.read_text())
    document["PluginSettings"].update(settings)
    config.write_text(json.dumps(document))
    made = plugin_set(server, new_bundle(server), version=version, strategy="prepackaged")
    if not refused:
        assert inspect(made).differences.names()
        return
    with pytest.raises(OperatorError, match=refused):
        ensure(made, check_mode=False)
    assert in_prepackaged(server) == {}


def test_a_plugin_without_a_bundle_must_be_there_or_come_along(server: AppServer) -> None:
    assert inspect(plugin_set(server, {"id": PLUGIN_ID})).differences.names() == [f"plugins.{PLUGIN_ID}.enabled"]
    with pytest.raises(OperatorError, match=r"does not bring it along.*prepackaged: none that can be seen"):
        inspect(plugin_set(server, {"id": "com.example.other"}))
    folder = server.install_dir / "prepackaged_plugins"
    folder.mkdir(exist_ok=True)
    make_bundle(folder, "com.example.other", "1.0.0")
    assert inspect(plugin_set(server, {"id": "com.example.other"})).differences.names()
    with pytest.raises(OperatorError, match=r"prepackaged: com\.example\.other"):
        inspect(plugin_set(server, {"id": "com.example.othr"}))
