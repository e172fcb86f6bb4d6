# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers say in their own logs when plugins do not work leads to the cause, in whatever format they say it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Sequence, Set, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._audit.audit import Audit
from ansible_collections.plugops.mattermost.plugins.module_utils._log.line import LogLine, parse_log_line
from ansible_collections.plugops.mattermost.plugins.module_utils._log.patterns import (
    INTERESTING,
    UNIMPORTANT,
    meaning_of,
    version_in,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._node.node import Node
from ansible_collections.plugops.mattermost.plugins.module_utils._node.options import NodeOptions

from plugops_tests.servers.deployment import Deployment, Server
from plugops_tests.servers.server_process import unprivileged_user
from plugops_tests.support.bundles import SERVER_EXECUTABLE, make_bundle

pytestmark = pytest.mark.contract

ID = "com.example.audit"
ELF_OF_ANOTHER_MACHINE = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xf3\x00\x01\x00\x00\x00" + bytes(40)


def lines_of(server: Server) -> List[LogLine]:
    """As the log reader takes them from a file."""
    raw = [line.encode() for line in server.output().splitlines()]
    return [parse_log_line(line.decode()) for line in raw if INTERESTING.search(line) and not UNIMPORTANT.match(line)]


def codes_of(server: Server) -> Set[Tuple[str, str]]:
    """Finding and plugin of every line that means something wrong."""
    meanings = [meaning_of(line) for line in lines_of(server)]
    return {(meaning.code, meaning.plugin_id) for meaning in meanings if meaning is not None}


def audit_of(deployment: Deployment, version: Tuple[int, ...], **more: str) -> Dict[str, Dict[str, Any]]:
    """The findings on the node itself, its log file among what is read.

    :param more: options of the node
    """
    node = Node(
        NodeOptions(
            install_dir=str(deployment.install),
            service="plugops-no-such.service",
            service_user=unprivileged_user() or str(deployment.install.stat().st_uid),
            server_version=".".join(map(str, version[:3])),
            **more,
        ),
        _run,
    )
    return {finding["code"]: finding for finding in Audit(node, []).findings({})}


def causes(found: Dict[str, Dict[str, Any]], said: str) -> Set[str]:
    """The findings that a line of the log is evidence of."""
    return {code for code, item in found.items() if any("log, " in text and said in text for text in item["evidence"])}


def _run(argv: Sequence[str]) -> Tuple[int, str, str]:
    done = subprocess.run(list(argv), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_healthy_server_says_nothing_that_means_a_fault(deployment: Deployment, version: Tuple[int, ...]) -> None:
    with deployment.running() as server:
        said = codes_of(server)
        own = ".".join(map(str, version[:3]))
        assert version_in(lines_of(server)) in ("", own)
    assert said == set()


def test_client_directory_not_writable(deployment: Deployment, version: Tuple[int, ...]) -> None:
    (deployment.install / "client").chmod(0o555)
    with deployment.running() as server:
        server.wait_log("ailed to start up plugins")
        assert ("directory-not-writable", "") in codes_of(server)
        found = audit_of(deployment, version)
    assert causes(found, "mkdir ./client/plugins") <= {"directory-missing", "directory-not-writable"}


def test_install_directory_not_writable(deployment: Deployment, version: Tuple[int, ...]) -> None:
    for name in ("data", "logs"):
        (deployment.install / name).mkdir(exist_ok=True)
        deployment.own(deployment.install / name)
    deployment.install.chmod(0o555)
    with deployment.running() as server:
        server.wait_log("ailed to start up plugins")
        assert ("directory-not-writable", "") in codes_of(server)
        found = audit_of(deployment, version)
    assert causes(found, "mkdir ./plugins: permission denied") <= {"directory-missing", "directory-not-writable"}


@pytest.mark.parametrize(
    ("kind", "cause", "said"),
    [
        ("file", "not-a-directory", "not a directory"),
        ("dangling link", "not-a-directory", "no such file or directory"),
        ("somebody else's", "directory-not-writable", "permission denied"),
    ],
)
def test_a_plugin_directory_that_cannot_be_read(
    deployment: Deployment, version: Tuple[int, ...], kind: str, cause: str, said: str
) -> None:
    if kind == "file":
        deployment.plugins.write_text("")
    elif kind == "dangling link":
        deployment.plugins.symlink_to("nowhere")
    elif unprivileged_user() is None:
        pytest.skip("only root can make a directory of somebody else's")
    else:
        deployment.plugins.mkdir(mode=0o700)
    with deployment.running() as server:
        server.wait_log(said)
        found = audit_of(deployment, version)
    assert causes(found, said) == {cause}


def test_started_in_bin(deployment: Deployment) -> None:
    with deployment.running(cwd=deployment.install / "bin") as server:
        server.wait_log("ailed to start up plugins")
        assert {code for code, _ in codes_of(server)} - {"plugin-system-off"} == {"working-directory-wrong"}


@pytest.mark.before(5, 8)
def test_started_in_an_unrelated_directory(deployment: Deployment) -> None:
    """Later ones start there; what they say is that of a start in bin."""
    directory = deployment.own_directory(deployment.root / "elsewhere")
    server = deployment.server(cwd=directory, arguments=["-c", str(deployment.config_path)])
    try:
        server.start()
        server.wait_ended()
        assert codes_of(server) == {("working-directory-wrong", "")}
    finally:
        server.clean_up()


@pytest.mark.parametrize(
    ("content", "mode", "code"),
    [
        (None, 0o644, "executable-not-executable"),
        (ELF_OF_ANOTHER_MACHINE, 0o755, "wrong-architecture"),
        (b"#!/bin/sh\nexit 0\n", 0o755, "plugin-died-at-start"),
        (b"#!/bin/sh\nexec sleep 60\n", 0o755, "plugin-start-timeout"),
    ],
)
def test_a_server_part_that_does_not_start(
    deployment: Deployment, tmp_path: Path, content: bytes | None, mode: int, code: str
) -> None:
    if code == "plugin-died-at-start" and deployment.version < (5, 2):
        code = "plugin-start-timeout"  # it starts it again and again, and waits
    files = None if content is None else {SERVER_EXECUTABLE: content}
    bundle = make_bundle(tmp_path, ID, "1.0.0", webapp=False, server=True, executable_mode=mode, files=files)
    assert said_when_enabled(deployment, bundle) == {(code, ID)}


@pytest.mark.since(5, 2)
def test_a_server_part_for_other_machines_only(deployment: Deployment, tmp_path: Path) -> None:
    other = {"server": {"executables": {"plan9-mips": "server/plugin"}}, "backend": None}
    bundle = make_bundle(tmp_path, ID, "1.0.0", webapp=False, server=True, extra_manifest=other)
    assert said_when_enabled(deployment, bundle) == {("executable-for-platform-missing", ID)}


@pytest.mark.since(5, 6)
def test_a_server_that_is_too_old(deployment: Deployment, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, ID, "1.0.0", min_server_version="99.0.0")
    assert said_when_enabled(deployment, bundle) == {("min-server-version", ID)}


def said_when_enabled(deployment: Deployment, bundle: Path) -> Set[Tuple[str, str]]:
    with deployment.running() as server:
        assert server.upload(bundle).status == 201
        assert server.enable(ID).status == 200
        server.wait_for(lambda: codes_of(server), "a line that means something")
        return codes_of(server)


@pytest.mark.since(5, 14)
def test_a_client_directory_of_root(deployment: Deployment, tmp_path: Path) -> None:
    if unprivileged_user() is None:
        pytest.skip("only root can make a directory of somebody else's")
    with deployment.running() as server:
        assert server.upload(make_bundle(tmp_path, ID, "1.0.0")).status == 201
        assert server.enable(ID).status == 200
        server.wait_active(ID)
    for path in (deployment.client_plugins, *deployment.client_plugins.rglob("*")):
        subprocess.run(["chown", "root", str(path)], check=True)
    with deployment.running() as server:
        server.wait_for(lambda: codes_of(server), "a line that means something")
        texts = [(m.code, line.text) for line in lines_of(server) for m in [meaning_of(line)] if m]
        assert {code for code, _ in codes_of(server)} <= {"foreign-owner", "directory-not-writable"}, texts


def test_a_new_plugin_and_a_client_directory_of_root(
    deployment: Deployment, tmp_path: Path, version: Tuple[int, ...]
) -> None:
    if unprivileged_user() is None:
        pytest.skip("only root can make a directory of somebody else's")
    deployment.client_plugins.mkdir()
    with deployment.running() as server:
        server.upload(make_bundle(tmp_path, ID, "1.0.0"))  # newer servers answer 500 already
        server.enable(ID)
        server.wait_for(lambda: ("directory-not-writable", ID) in codes_of(server), "a line about the plugin")
        assert {code for code, _ in codes_of(server)} == {"directory-not-writable"}
        found = audit_of(deployment, version)
    assert causes(found, "client/plugins") == {"directory-not-writable"}


@pytest.mark.since(5, 14)
def test_a_plugin_of_root(deployment: Deployment, tmp_path: Path, version: Tuple[int, ...]) -> None:
    if unprivileged_user() is None:
        pytest.skip("only root can make a plugin of somebody else's")
    with deployment.running() as server:
        assert server.upload(make_bundle(tmp_path, ID, "1.0.0")).status == 201
    tree = deployment.plugins / ID
    for path in (tree, *tree.rglob("*")):
        os.chown(path, 0, 0)
        path.chmod(path.stat().st_mode | 0o111)
    with deployment.running() as server:
        server.wait_log("Failed to sync plugin from file store")
        found = audit_of(deployment, version)
    assert causes(found, "Failed to sync plugin from file store") == {"foreign-owner"}
    assert "filestore-sync-failed" not in found
    assert "not owned by" in " ".join(found["foreign-owner"]["evidence"]), "what was seen and what was said are one"


@pytest.mark.since(5, 33)
def test_uploads_switched_on_from_outside(deployment: Deployment) -> None:
    deployment.edit_plugin_settings(EnableUploads=False)
    with deployment.running() as server:
        change = {"PluginSettings": {"EnableUploads": True}}
        assert server.rest("PUT", "/config/patch", change).status == 403
        server.wait_for(lambda: codes_of(server), "a line that means something")
        assert codes_of(server) == {("uploads-change-refused", "")}


def test_a_plugin_enabled_while_the_configuration_is_read_only(deployment: Deployment, tmp_path: Path) -> None:
    deployment.write_config({"ClusterSettings": {"Enable": True, "ReadOnlyConfig": True, "ClusterName": "plugops"}})
    with deployment.running() as server:
        assert server.upload(make_bundle(tmp_path, ID, "1.0.0")).status == 201
        assert server.enable(ID).status == 500
        server.wait_for(lambda: codes_of(server), "a line that means something")
        assert {code for code, _ in codes_of(server)} == {"config-read-only-cluster"}


@pytest.mark.since(5, 14)
@pytest.mark.before(11, 0)
def test_a_plugin_unpacked_by_hand_is_a_note(deployment: Deployment, tmp_path: Path, version: Tuple[int, ...]) -> None:
    deployment.unpack(make_bundle(tmp_path, ID, "1.0.0"))
    with deployment.running() as server:
        server.wait_log("Skipping sync for unmanaged plugin")
        assert codes_of(server) == {("unmanaged-plugin", ID)}
        found = audit_of(deployment, version)
    note = found["unpacked-unsupported" if version >= (10, 5) else "unmanaged-plugin"]
    assert note["severity"] == "note"


@pytest.mark.since(5, 38)
def test_an_edit_that_the_running_server_has_not_read(deployment: Deployment, version: Tuple[int, ...]) -> None:
    with deployment.running() as server:
        assert "config-not-loaded" not in audit_of(deployment, version, socket=str(deployment.socket))
        deployment.edit_plugin_settings(EnableHealthCheck=False)
        found = audit_of(deployment, version, socket=str(deployment.socket))
        assert "EnableHealthCheck" in " ".join(found["config-not-loaded"]["evidence"])
        assert server.admin("POST", "/config/reload").status == 200
        assert "config-not-loaded" not in audit_of(deployment, version, socket=str(deployment.socket))


@pytest.mark.since(5, 18)
def test_a_stored_bundle_without_a_signature(deployment: Deployment, tmp_path: Path, version: Tuple[int, ...]) -> None:
    deployment.put_into_store(make_bundle(tmp_path, ID, "1.0.0"), ID)
    deployment.edit_plugin_settings(RequirePluginSignature=True, PluginStates={ID: {"Enable": True}})
    with deployment.running() as server:
        server.wait_for(lambda: codes_of(server), "a line that means something")
        assert {code for code, _ in codes_of(server)} == {"signature-missing"}
        found = audit_of(deployment, version)
    assert len(found["signature-missing"]["evidence"]) >= 1


@pytest.mark.parametrize("directory", ["missing", "closed"])
@pytest.mark.since(5, 14)
def test_a_temporary_directory_that_is_not_writable(deployment: Deployment, tmp_path: Path, directory: str) -> None:
    bundle = make_bundle(tmp_path, ID, "1.0.0")
    deployment.put_into_store(bundle, ID)
    with deployment.running(env={"TMPDIR": str(place_of(deployment, directory))}) as server:
        assert {code for code, _ in codes_of(server)} == {"tmpdir-not-writable"}
        refused = server.upload(bundle)
        assert (refused.status, refused.error_id) == (500, "app.plugin.filesystem.app_error")


@pytest.mark.parametrize("directory", ["missing", "closed"])
@pytest.mark.since(5, 24)
def test_a_socket_that_cannot_be_made(deployment: Deployment, directory: str) -> None:
    path = place_of(deployment, directory) / "local.socket"
    deployment.edit_service_settings(LocalModeSocketLocation=str(path))
    server = deployment.server()
    try:
        server.start()
        if server.version >= (9, 10):
            assert server.wait_ended() != 0
        else:
            server.wait_log(f"listen unix {path}: ")
        assert codes_of(server) == {("socket-not-made", "")}
    finally:
        server.clean_up()


def place_of(deployment: Deployment, kind: str) -> Path:
    """A directory that the server may not write in, or that is not there."""
    path = deployment.root / kind
    if kind == "closed":
        path.mkdir(0o555)
    return path
