# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugins that come over HTTP: what is accepted, where it ends, how it is removed."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from plugops_tests.servers.deployment import Deployment, Server
from plugops_tests.support.bundles import LAYOUTS, make_bundle, make_manifest

pytestmark = pytest.mark.contract


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _tar(path: Path, members: List[Tuple[tarfile.TarInfo, bytes]], pax: Dict[str, str] = {}) -> Path:  # noqa: B006
    options = {"format": tarfile.PAX_FORMAT, "pax_headers": pax} if pax else {"format": tarfile.GNU_FORMAT}
    with tarfile.open(path, "w:gz", **options) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def _members(bundle: Path) -> List[Tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(bundle) as archive:
        found = []
        for member in archive.getmembers():
            stream = archive.extractfile(member)
            found.append((member, stream.read() if stream else b""))
        return found


def _link(name: str, kind: bytes, target: str) -> Tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


@pytest.fixture
def bundles(shared_deployment: Deployment) -> Path:
    return shared_deployment.bundles


def test_upload(shared: Server, shared_deployment: Deployment, version: Tuple[int, ...], bundles: Path) -> None:
    bundle = make_bundle(bundles, "up.load", "1.2.3", server=True, file_count=2)
    answer = shared.upload(bundle)
    assert answer.status == 201
    assert (answer.json["id"], answer.json["version"]) == ("up.load", "1.2.3")
    assert shared.plugins()["inactive"]["up.load"] == "1.2.3", "not enabled"
    tree = shared_deployment.plugins / "up.load"
    assert _mode(tree) == _mode(tree / "server" / "dist") == 0o744, "directories, regardless of the archive"
    assert _mode(tree / "server/dist/plugin-linux-amd64") == 0o755
    assert _mode(tree / "plugin.json") == 0o644
    assert (tree / ".filestore").exists() == ((5, 14) <= version < (11, 0))
    stored = shared_deployment.store / "up.load.tar.gz"
    assert stored.exists() == (version >= (5, 14))
    if version >= (5, 14):
        assert stored.read_bytes() == bundle.read_bytes()
        assert _mode(stored) == 0o600
        assert _mode(stored.parent) == 0o750
    assert list(shared_deployment.temporary.glob("plugintmp*")) == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(shared: Server, shared_deployment: Deployment, bundles: Path, layout: str) -> None:
    plugin_id = f"layout.{layout}"
    assert shared.upload(make_bundle(bundles, plugin_id, "1.0.0", layout=layout)).status == 201
    assert (shared_deployment.plugins / plugin_id / "plugin.json").is_file()
    # Unpacked at its root, the plugin keeps the mode of the temporary directory.
    expected = 0o744 if "directory" in layout else 0o700
    assert _mode(shared_deployment.plugins / plugin_id) == expected


@pytest.mark.parametrize("name", ["plugin.yml", "plugin.yaml"])
def test_yaml_manifest(shared: Server, bundles: Path, name: str) -> None:
    plugin_id = f"manifest.{name}"
    assert shared.upload(make_bundle(bundles, plugin_id, "2.0.0", manifest_name=name)).status == 201
    assert shared.plugins()["inactive"][plugin_id] == "2.0.0"


def test_yaml_goes_before_json(shared: Server, shared_deployment: Deployment, bundles: Path) -> None:
    files = {
        "plugin.yml": b"id: from.yml\nversion: 1.0.0\nwebapp:\n  bundle_path: webapp/from.yml_bundle.js\n",
        "webapp/from.yml_bundle.js": b"",
    }
    assert shared.upload(make_bundle(bundles, "from.json", "1.0.0", files=files)).json["id"] == "from.yml"
    assert (shared_deployment.plugins / "from.yml").is_dir()
    assert not (shared_deployment.plugins / "from.json").exists()


def test_same_id_again(shared: Server, version: Tuple[int, ...], bundles: Path) -> None:
    assert shared.upload(make_bundle(bundles, "same.id", "1.0.0")).status == 201
    new = make_bundle(bundles, "same.id", "1.0.1")
    answer = shared.upload(new)
    assert (answer.status, answer.error_id) == (400, "app.plugin.install_id.app_error")
    forced = shared.upload(new, force=True)
    assert forced.status == (201 if version >= (5, 8) else 400)
    assert shared.plugins()["inactive"]["same.id"] == ("1.0.1" if version >= (5, 8) else "1.0.0")


def test_force_replaces_the_whole_tree(shared: Server, shared_deployment: Deployment, bundles: Path) -> None:
    if shared.version < (5, 8):
        pytest.skip("for servers since 5.8")
    assert shared.upload(make_bundle(bundles, "whole.tree", "1.0.0", files={"old": b""})).status == 201
    assert shared.upload(make_bundle(bundles, "whole.tree", "1.1.0"), force=True).status == 201
    assert not (shared_deployment.plugins / "whole.tree" / "old").exists()


def test_what_is_no_bundle(shared: Server, bundles: Path) -> None:
    good = make_bundle(bundles, "no.bundle", "1.0.0")
    answer = shared.upload(good, field="file")
    assert (answer.status, answer.error_id) == (400, "api.plugin.upload.no_file.app_error")
    text = bundles / "text.tar.gz"
    text.write_bytes(b"no archive\n")
    answer = shared.upload(text)
    assert (answer.status, answer.error_id) == (400, "app.plugin.extract.app_error")
    truncated = bundles / "truncated.tar.gz"
    truncated.write_bytes(good.read_bytes()[:-30])
    answer = shared.upload(truncated)
    assert (answer.status, answer.error_id) == (400, "app.plugin.extract.app_error")
    empty = bundles / "empty.tar.gz"
    with gzip.open(empty, "wb") as stream:
        stream.write(b"\0" * 1024)
    answer = shared.upload(empty)
    assert (answer.status, answer.error_id) == (400, "app.plugin.manifest.app_error")
    assert "no.bundle" not in shared.plugins()["inactive"]


@pytest.mark.parametrize("case", ["missing", "broken", "second entry at the top"])
def test_no_manifest(shared: Server, bundles: Path, case: str) -> None:
    bundle = make_bundle(bundles, "no.manifest", "1.0.0", files={"plugin.json": b"{"} if case == "broken" else None)
    members = _members(bundle)
    if case == "missing":
        members = [(info, content) for info, content in members if not info.name.endswith("plugin.json")]
    elif case == "second entry at the top":
        members.append((tarfile.TarInfo("._no.manifest"), b""))
    answer = shared.upload(_tar(bundles / "bad.tar.gz", members))
    assert (answer.status, answer.error_id) == (400, "app.plugin.manifest.app_error")


@pytest.mark.since(5, 2)
@pytest.mark.parametrize("plugin_id", ["ab", "bad id", "x" * 191])
def test_invalid_id(shared: Server, bundles: Path, plugin_id: str) -> None:
    bundle = make_bundle(bundles / "bad.tar.gz", "placeholder", "1.0.0", extra_manifest={"id": plugin_id})
    answer = shared.upload(bundle)
    assert (answer.status, answer.error_id) == (400, "app.plugin.invalid_id.app_error")


@pytest.mark.since(5, 2)
def test_ids_are_lower_cased(shared: Server, shared_deployment: Deployment, bundles: Path) -> None:
    assert shared.upload(make_bundle(bundles, "Upper.Case", "1.0.0")).json["id"] == "upper.case"
    assert "upper.case" in shared.plugins()["inactive"]
    assert (shared_deployment.plugins / "upper.case").is_dir()
    assert shared.enable("UPPER.case").status == 200


@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "pax global header"])
def test_special_members(shared: Server, version: Tuple[int, ...], bundles: Path, kind: str) -> None:
    plugin_id = f"special.{kind.replace(' ', '-')}"
    members = _members(make_bundle(bundles, plugin_id, "1.0.0"))
    if kind == "symbolic link":
        members.append(_link(f"{plugin_id}/link", tarfile.SYMTYPE, "plugin.json"))
    elif kind == "hard link":
        members.append(_link(f"{plugin_id}/link", tarfile.LNKTYPE, f"{plugin_id}/plugin.json"))
    pax = {"comment": "0123456789"} if kind == "pax global header" else {}
    answer = shared.upload(_tar(bundles / "special.tar.gz", members, pax))
    if version < (5, 20):
        assert (answer.status, answer.error_id) == (400, "app.plugin.extract.app_error")
    else:
        assert answer.status == 201
        if kind != "pax global header":
            assert shared.wait_log("skipping unsupported header type on extracting tar file")


def test_traversal_is_refused(shared: Server, shared_deployment: Deployment, bundles: Path) -> None:
    members = _members(make_bundle(bundles, "traversal", "1.0.0"))
    members.append((tarfile.TarInfo("../../traversed"), b"x"))
    answer = shared.upload(_tar(bundles / "bad.tar.gz", members))
    assert (answer.status, answer.error_id) == (400, "app.plugin.extract.app_error")
    assert not list(shared_deployment.root.rglob("traversed"))


def test_removal(shared: Server, shared_deployment: Deployment, version: Tuple[int, ...], bundles: Path) -> None:
    plugin_id = "re.moved"
    assert shared.upload(make_bundle(bundles, plugin_id, "1.0.0")).status == 201
    assert shared.enable(plugin_id).status == 200
    shared.wait_active(plugin_id)
    assert shared.remove(plugin_id).status == 200
    assert not (shared_deployment.plugins / plugin_id).exists()
    assert not (shared_deployment.store / f"{plugin_id}.tar.gz").exists()
    name = plugin_id if version >= (5, 2) else f"{plugin_id}_bundle.js"
    if version >= (5, 36):
        assert (shared_deployment.client_plugins / name).exists(), "left behind"
    state = shared.admin("GET", "/config").json["PluginSettings"]["PluginStates"][plugin_id]
    assert state == {"Enable": version < (5, 15)}
    again = shared.remove(plugin_id)
    assert (again.status, again.error_id) == (404 if version >= (5, 20) else 400, "app.plugin.not_installed.app_error")


def test_unknown_id(shared: Server, version: Tuple[int, ...]) -> None:
    for answer in (shared.enable("un.known"), shared.disable("un.known"), shared.remove("un.known")):
        assert answer.error_id == "app.plugin.not_installed.app_error"
        assert answer.status == (404 if version >= (5, 20) else 400)


def test_enable_and_disable(shared: Server, shared_deployment: Deployment, bundles: Path) -> None:
    assert shared.upload(make_bundle(bundles, "on.off", "1.0.0")).status == 201
    answer = shared.enable("on.off")
    assert (answer.status, answer.json) == (200, {"status": "OK"})
    shared.wait_active("on.off")
    assert shared_deployment.read_config()["PluginSettings"]["PluginStates"]["on.off"] == {"Enable": True}
    listed = {item["id"]: item for item in shared.public("GET", "/plugins/webapp").json}
    assert "on.off" in listed, "no session needed"
    path = listed["on.off"]["webapp"]["bundle_path"]
    if shared.version >= (5, 2):
        assert path.startswith("/static/on.off/")
        assert (shared_deployment.client_plugins / path[len("/static/") :]).is_file()
        assert shared.fetch(path.replace("/static/", "/static/plugins/")) == b"/* on.off 1.0.0 */\n"
    elif shared.version < (4, 8):
        assert path == "webapp/on.off_bundle.js", "as the manifest has it"
        assert shared.fetch("/static/plugins/on.off_bundle.js") == b"/* on.off 1.0.0 */\n"
    assert shared.disable("on.off").status == 200
    shared.wait_inactive("on.off")
    assert "on.off" not in [item["id"] for item in shared.public("GET", "/plugins/webapp").json]


def _fnv1a(content: bytes) -> str:
    value = 14695981039346656037
    for byte in content:
        value = (value ^ byte) * 1099511628211 % 2**64
    return f"{value:016x}"


def test_what_the_browser_gets(shared: Server, shared_deployment: Deployment, bundles: Path) -> None:
    bundle = make_bundle(bundles, "brow.ser", "1.0.0", files={"webapp/picture.svg": b"<svg/>"})
    content = b"/* brow.ser 1.0.0 */\n"
    assert shared.upload(bundle).status == 201
    assert shared.enable("brow.ser").status == 200
    shared.wait_active("brow.ser")
    if shared.version < (5, 2):
        flat = shared_deployment.client_plugins / "brow.ser_bundle.js"
        assert flat.read_bytes() == content
        assert _mode(flat) == 0o644
        return
    directory = shared_deployment.client_plugins / "brow.ser"
    assert sorted(path.name for path in directory.iterdir()) == [
        f"brow.ser_{_fnv1a(content)}_bundle.js",
        "picture.svg",
    ]
    (directory / "stray").write_text("")
    assert shared.disable("brow.ser").status == 200
    shared.wait_inactive("brow.ser")
    assert shared.enable("brow.ser").status == 200
    shared.wait_active("brow.ser")
    assert not (directory / "stray").exists(), "deleted and made again at each activation"


@pytest.mark.since(5, 2)
def test_upload_of_an_enabled_id_starts_it(shared: Server, bundles: Path) -> None:
    assert shared.upload(make_bundle(bundles, "starts.itself", "1.0.0")).status == 201
    assert shared.enable("starts.itself").status == 200
    shared.wait_active("starts.itself")
    if shared.version < (5, 8):
        pytest.skip("no force before 5.8")
    assert shared.upload(make_bundle(bundles, "starts.itself", "1.1.0"), force=True).status == 201
    assert shared.plugins()["active"]["starts.itself"] == "1.1.0"


@pytest.mark.since(5, 15)
def test_upload_of_an_enabled_id_that_does_not_start(
    shared: Server, shared_deployment: Deployment, version: Tuple[int, ...], bundles: Path
) -> None:
    plugin_id = "starts.not"
    assert shared.upload(make_bundle(bundles, plugin_id, "1.0.0")).status == 201
    assert shared.enable(plugin_id).status == 200
    shared.wait_active(plugin_id)
    broken = make_bundle(bundles, plugin_id, "1.1.0", server=True, executable_mode=0o644)
    answer = shared.upload(broken, force=True)
    assert (answer.status, answer.error_id) == (500, "app.plugin.restart.app_error")
    assert shared.plugins()["inactive"][plugin_id] == "1.1.0", "the local copy is the new one"
    if version >= (5, 14):
        stored = shared_deployment.store / f"{plugin_id}.tar.gz"
        assert stored.read_bytes() != broken.read_bytes(), "the stored one is not"


@pytest.mark.since(5, 0)
def test_statuses(shared: Server, version: Tuple[int, ...], bundles: Path) -> None:
    assert shared.upload(make_bundle(bundles, "sta.tus", "3.2.1")).status == 201
    assert shared.enable("sta.tus").status == 200
    shared.wait_active("sta.tus")
    item = next(item for item in shared.rest("GET", "/plugins/statuses").json if item["plugin_id"] == "sta.tus")
    assert (item["state"], item["version"]) == (2, "3.2.1")
    assert ("error" in item) == (version >= (7, 2))


def test_min_server_version(shared: Server, version: Tuple[int, ...], bundles: Path) -> None:
    assert shared.upload(make_bundle(bundles, "too.new", "1.0.0", min_server_version="99.0.0")).status == 201
    assert shared.enable("too.new").status == 200
    if version < (5, 6):
        shared.wait_active("too.new")
        return
    assert shared.wait_log("Unable to activate plugin", "plugin requires Mattermost 99.0.0: too.new")
    shared.wait_listed_after_failure("too.new")


@pytest.mark.since(5, 2)
def test_neither_server_nor_webapp(shared: Server, bundles: Path) -> None:
    assert shared.upload(make_bundle(bundles, "neither", "1.0.0", webapp=False)).status == 201
    assert shared.enable("neither").status == 200
    words = "unable to start plugin: must at least have a web app or server component"
    assert shared.wait_log("Unable to activate plugin", words)


@pytest.mark.since(5, 15)
def test_webapp_bundle_missing(shared: Server, bundles: Path) -> None:
    extra = {"webapp": {"bundle_path": "webapp/no-such.js"}}
    answer = shared.upload(make_bundle(bundles, "no.webapp", "1.0.0", extra_manifest=extra))
    assert (answer.status, answer.error_id) == (500, "app.plugin.webapp_bundle.app_error")


@pytest.mark.since(5, 21)
def test_size_limit(deployment: Deployment, version: Tuple[int, ...]) -> None:
    deployment.write_config({"FileSettings": {"MaxFileSize": 20_000}})
    with deployment.running() as server:
        noise = os.urandom(40_000)
        answer = server.upload(make_bundle(deployment.bundles, "too.big", "1.0.0", files={"noise": noise}))
        if version >= (10, 1):
            assert (answer.status, answer.error_id) == (413, "api.plugin.upload.file_too_large.app_error")
        else:
            assert answer.status == 400
            assert b"http: request body too large" in answer.body
        assert server.upload(make_bundle(deployment.bundles, "small", "1.0.0")).status == 201


@pytest.mark.before(5, 21)
def test_no_size_limit_before_5_21(deployment: Deployment) -> None:
    deployment.write_config({"FileSettings": {"MaxFileSize": 20_000}})
    with deployment.running() as server:
        noise = os.urandom(40_000)
        assert server.upload(make_bundle(deployment.bundles, "big", "1.0.0", files={"noise": noise})).status == 201


def test_uploads_off(deployment: Deployment) -> None:
    bundle = make_bundle(deployment.bundles, "some.plugin", "1.0.0")
    with deployment.running() as server:
        assert server.upload(bundle).status == 201
        assert server.enable("some.plugin").status == 200
        server.wait_active("some.plugin")
    deployment.edit_plugin_settings(EnableUploads=False)
    with deployment.running() as server:
        server.wait_active("some.plugin")
        answer = server.upload(make_bundle(deployment.bundles, "other.plugin", "1.0.0"))
        assert (answer.status, answer.error_id) == (501, "app.plugin.upload_disabled.app_error")
        assert answer.json["message"] == "Plugins and/or plugin uploads have been disabled."


@pytest.mark.since(5, 18)
def test_signature_rule_refuses_uploads(deployment: Deployment) -> None:
    deployment.write_config({"PluginSettings": {"RequirePluginSignature": True}})
    with deployment.running() as server:
        answer = server.upload(make_bundle(deployment.bundles, "some.plugin", "1.0.0"))
        assert (answer.status, answer.error_id) == (501, "app.plugin.upload_disabled.app_error")


def test_plugin_directory_not_writable(deployment: Deployment, version: Tuple[int, ...]) -> None:
    with deployment.running() as server:
        deployment.plugins.chmod(0o555)
        answer = server.upload(make_bundle(deployment.bundles, "some.plugin", "1.0.0"))
        assert (answer.status, answer.error_id) == (500, "app.plugin.mvdir.app_error")
        words = "Unable to move plugin from temporary directory to final destination."
        if version >= (5, 0):
            assert answer.json["message"].startswith(words)
        server.wait_log("mkdir plugins/some.plugin: permission denied")


@pytest.mark.since(5, 15)
def test_client_directory_not_writable_at_upload(deployment: Deployment) -> None:
    with deployment.running() as server:
        deployment.client_plugins.chmod(0o555)
        answer = server.upload(make_bundle(deployment.bundles, "some.plugin", "1.0.0"))
        assert (answer.status, answer.error_id) == (500, "app.plugin.webapp_bundle.app_error")
        server.wait_log("mkdir client/plugins/some.plugin: permission denied")
        assert (deployment.plugins / "some.plugin" / "plugin.json").exists(), "the local copy stays"
        assert not (deployment.store / "some.plugin.tar.gz").exists()


def test_client_directory_not_writable_at_activation(deployment: Deployment, version: Tuple[int, ...]) -> None:
    with deployment.running() as server:
        assert server.upload(make_bundle(deployment.bundles, "some.plugin", "1.0.0")).status == 201
        for path in (deployment.client_plugins, *deployment.client_plugins.iterdir()):
            if path.is_dir():
                path.chmod(0o555)
        assert server.enable("some.plugin").status == 200
        if version < (5, 2):
            server.wait_log("unable to write webapp bundle: some.plugin")
        else:
            line = server.wait_log("Unable to activate plugin", "some.plugin", "permission denied")
            assert ("unable to generate webapp bundle: some.plugin: " in line) == (version >= (5, 15))
        server.wait_listed_after_failure("some.plugin")


@pytest.mark.since(5, 14)
def test_file_store_not_writable(deployment: Deployment) -> None:
    with deployment.running() as server:
        deployment.store.mkdir(exist_ok=True)
        deployment.own(deployment.store)
        deployment.store.chmod(0o555)
        answer = server.upload(make_bundle(deployment.bundles, "some.plugin", "1.0.0"))
        assert (answer.status, answer.error_id) == (500, "app.plugin.store_bundle.app_error")


def test_manifest_of_the_fixture_is_what_the_server_reads(shared: Server, bundles: Path) -> None:
    bundle = make_bundle(bundles, "fix.ture", "1.0.0", server=True)
    answer = shared.upload(bundle)
    expected = make_manifest("fix.ture", "1.0.0", server=True)
    assert answer.status == 201
    assert {key: answer.json[key] for key in ("id", "name", "version")} == {
        key: expected[key] for key in ("id", "name", "version")
    }


@pytest.mark.since(5, 14)
def test_install_from_url(deployment: Deployment) -> None:
    insecure = "/plugins/install_from_url?plugin_download_url=http%3A%2F%2F127.0.0.1%3A1%2Fx.tar.gz"
    with deployment.running() as server:
        assert server.admin("POST", insecure).status == 400, "not https"
    deployment.edit_plugin_settings(EnableUploads=False)
    with deployment.running() as server:
        answer = server.admin("POST", insecure)
        assert (answer.status, answer.error_id) == (501, "app.plugin.disabled.app_error"), "a misleading id"
