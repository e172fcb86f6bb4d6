# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in a plugin directory, as a server would see it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle import installed as installed_module
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.bundle import read_bundle
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.installed import (
    PluginDirectory,
    find_plugins,
    scan_plugins,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._host.account import Account
from ansible_collections.plugops.mattermost.plugins.module_utils._host.root import Root
from ansible_collections.plugops.mattermost.plugins.module_utils._host.worker import act_as

from plugops_tests.support.bundles import make_bundle

HOST = "/opt/mattermost/plugins"
NOBODY = Account("nobody", 65534, 65534, "nogroup", (65534,))


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    made = tmp_path / "root" / HOST.strip("/")
    made.mkdir(parents=True)
    return made


def _scan(tmp_path: Path) -> PluginDirectory:
    return scan_plugins(HOST, Root(str(tmp_path / "root")), None)


def _put(plugins: Path, name: str, manifest: Any, file_name: str = "plugin.json") -> Path:
    place = plugins / name
    place.mkdir(exist_ok=True)
    (place / file_name).write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
    return place


def test_as_tar_unpacks_it(plugins: Path, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, "com.example.a", "1.2.3", server=True, file_count=3)
    subprocess.run(["tar", "-xzf", str(bundle), "-C", str(plugins)], check=True)
    found = _scan(tmp_path)
    (plugin,) = found.plugins.values()
    assert (plugin.id, plugin.version, plugin.managed) == ("com.example.a", "1.2.3", False)
    assert plugin.path == f"{HOST}/com.example.a"
    assert plugin.tree.digest == read_bundle(str(bundle)).tree
    assert (found.duplicates, found.unreadable) == ({}, {})
    (plugins / "com.example.a" / ".filestore").touch()
    again = _scan(tmp_path).plugins["com.example.a"]
    assert again.managed
    assert again.tree == plugin.tree, "the server's marker is no part of the plugin"


def test_names_that_servers_skip(plugins: Path, tmp_path: Path) -> None:
    elsewhere = _put(tmp_path, "elsewhere", {"id": "com.linked", "version": "1"})
    (plugins / "com.linked").symlink_to(elsewhere)
    _put(plugins, ".hidden", {"id": "com.hidden", "version": "1"})
    (plugins / "file").write_text("{}")
    _put(_put(plugins, "outer", {"id": "com.outer", "version": "1"}), "inner", {"id": "com.inner", "version": "1"})
    found = _scan(tmp_path)
    assert set(found.plugins) == {"com.outer"}
    assert found.unreadable == {}


def test_order_of_manifests(plugins: Path, tmp_path: Path) -> None:
    place = _put(plugins, "p", {"id": "p.json", "version": "3"})
    assert set(_scan(tmp_path).plugins) == {"p.json"}
    (place / "plugin.yaml").write_text("id: p.yaml\nversion: '2'\n")
    assert set(_scan(tmp_path).plugins) == {"p.yaml"}
    (place / "plugin.yml").write_text("id: p.yml\nversion: '1'\n")
    assert set(_scan(tmp_path).plugins) == {"p.yml"}
    (place / "plugin.yml").write_text("id: [")
    assert set(_scan(tmp_path).unreadable) == {f"{HOST}/p"}, "the first that exists counts, though it is broken"


def test_two_directories_with_one_id(plugins: Path, tmp_path: Path) -> None:
    for name in ("com.x", "com.x.bak"):
        _put(plugins, name, {"id": "Com.X" if name == "com.x.bak" else "com.x", "version": "1"})
    assert _scan(tmp_path).duplicates == {"com.x": [f"{HOST}/com.x", f"{HOST}/com.x.bak"]}


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        before = os.getcwd()
        os.chdir(path.parent)  # the path may be longer than a socket's may be
        try:
            made.bind(path.name)
        finally:
            os.chdir(before)


BROKEN: Dict[str, Callable[[Path], object]] = {
    "directory": Path.mkdir,
    "fifo": os.mkfifo,
    "socket": _socket,
    "loop": lambda path: path.symlink_to(path.name),
    "json": lambda path: path.write_text("{"),
    "no id": lambda path: path.write_text("{}"),
    "binary": lambda path: path.write_bytes(b"\xff\x00"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_manifest_is_told_and_hides_no_other(plugins: Path, tmp_path: Path, kind: str) -> None:
    (plugins / "bad").mkdir()
    BROKEN[kind](plugins / "bad" / "plugin.json")
    _put(plugins, "com.good", {"id": "com.good", "version": "1"})
    found = _scan(tmp_path)
    assert set(found.plugins) == {"com.good"}
    assert list(found.unreadable) == [f"{HOST}/bad"]
    if kind == "fifo":  # nor is a device read, which might never end
        assert "no regular file" in found.unreadable[f"{HOST}/bad"]


def test_no_manifest(plugins: Path, tmp_path: Path) -> None:
    (plugins / "empty").mkdir()
    assert "no plugin manifest" in _scan(tmp_path).unreadable[f"{HOST}/empty"]


def test_link_to_a_manifest_is_followed_as_the_server_does(plugins: Path, tmp_path: Path) -> None:
    place = _put(plugins, "p", {"id": "com.p", "version": "1"}, "real.json")
    (place / "plugin.json").symlink_to("real.json")
    assert set(_scan(tmp_path).plugins) == {"com.p"}


def test_plugin_directory_behind_an_absolute_link_inside_the_root(plugins: Path, tmp_path: Path) -> None:
    _put(plugins, "p", {"id": "com.p", "version": "1"})
    plugins.rename(tmp_path / "root" / "srv")
    plugins.symlink_to("/srv")
    assert _scan(tmp_path).plugins["com.p"].path == f"{HOST}/p"


@pytest.mark.parametrize("make", [None, Path.touch])
def test_no_directory_holds_no_plugins(plugins: Path, tmp_path: Path, make: Any) -> None:
    plugins.rmdir()
    if make:
        make(plugins)
    assert _scan(tmp_path) == PluginDirectory({}, {}, {})


def test_plugin_that_vanishes_while_it_is_read(plugins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that installs a plugin removes its directory and makes it anew."""
    for name in ("com.a", "com.b"):
        _put(plugins, name, {"id": name, "version": "1"})
    real = installed_module.read_manifest

    def read_manifest(place: str, path: str) -> Any:
        manifest = real(place, path)
        if manifest.id == "com.a":
            shutil.rmtree(place)
        return manifest

    monkeypatch.setattr(installed_module, "read_manifest", read_manifest)
    assert set(_scan(tmp_path).plugins) == {"com.b"}


def _refusal(read: Callable[[], Any]) -> str:
    try:
        return f"found {read()}"
    except OperatorError as error:
        return str(error)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act as another user")
@pytest.mark.parametrize("closed", ["plugins", "plugin", "manifest", "file"])
def test_what_this_user_may_not_read_is_not_taken_for_absent(closed: str) -> None:
    top = Path(os.path.realpath("/tmp")) / f"installed-{os.getpid()}-{closed}"
    plugins = top / "plugins"
    try:
        plugins.mkdir(parents=True)
        top.chmod(0o755)
        place = _put(plugins, "com.p", {"id": "com.p", "version": "1"})
        (place / "file").touch()
        places = {"plugins": plugins, "plugin": place, "manifest": place / "plugin.json", "file": place / "file"}
        places[closed].chmod(0)
        said = act_as(NOBODY, lambda: _refusal(lambda: scan_plugins(str(plugins), Root(), None)))
        assert "become" in said
        assert str(places[closed]) in said
        if closed != "file":  # which only a look at the files needs; else one cause is told in one way
            assert act_as(NOBODY, lambda: _refusal(lambda: find_plugins(str(plugins), Root()))) == said
    finally:
        shutil.rmtree(top)
