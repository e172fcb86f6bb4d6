# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpacked bundles swapped in: against tar, on mounts, and with whatever an earlier run left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle import unpacker as unpacker_module
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.bundle import read_bundle
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.unpacker import Unpacker
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._host.account import Account

from plugops_tests.support.bundles import make_bundle
from plugops_tests.support.playbooks import REPOSITORY

ME = Account("me", os.geteuid(), os.getegid(), "me", ())
ID = "com.example.plugin"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    made = tmp_path / "install" / "plugins"
    made.mkdir(parents=True)
    return made


def _content(directory: Path) -> Dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def _by_tar(bundle: Path, place: Path) -> Dict[str, bytes]:
    place.mkdir()
    subprocess.run(["tar", "-xzf", str(bundle), "-C", str(place), "--strip-components=1"], check=True)
    return _content(place)


def _install(plugins: Path, bundle: Path, account: Account = ME) -> None:
    with Unpacker(str(plugins), account) as unpacker:
        unpacker.install(ID, str(bundle), read_bundle(str(bundle)).tree)


def _names(plugins: Path) -> List[str]:
    """All that lies in the plugin directory and beside it."""
    return sorted(os.listdir(plugins)) + sorted(os.listdir(plugins.parent))


def test_install_replace_remove(plugins: Path, tmp_path: Path) -> None:
    old = make_bundle(tmp_path, ID, "1.0.0", file_count=3)
    new = make_bundle(tmp_path, ID, "2.0.0", server=True)
    _install(plugins, old)
    assert _content(plugins / ID) == _by_tar(old, tmp_path / "old")
    (plugins / ID / "by-hand").touch()
    _install(plugins, new)
    assert _content(plugins / ID) == _by_tar(new, tmp_path / "new")
    assert _names(plugins) == [ID, "plugins"]
    with Unpacker(str(plugins), ME) as unpacker:
        unpacker.remove(ID)
        assert os.listdir(plugins) == [], "it is gone at once, before its files are"
    assert _names(plugins) == ["plugins"]


@needs_root
def test_owner_and_modes(plugins: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        _install(plugins, make_bundle(tmp_path, ID, "1.0.0", server=True), Account("m", 4123, 4124, "m", ()))
    finally:
        os.umask(before)
    for path in [plugins / ID, *(plugins / ID).rglob("*")]:
        found = path.stat()
        assert (found.st_uid, found.st_gid) == (4123, 4124), path
        executable = path.is_dir() or path.name == "plugin-linux-amd64"
        assert found.st_mode & 0o7777 == (0o755 if executable else 0o644), path


def test_wrong_tree_changes_nothing(plugins: Path, tmp_path: Path) -> None:
    old = make_bundle(tmp_path, ID, "1.0.0")
    new = make_bundle(tmp_path, ID, "2.0.0")
    _install(plugins, old)
    before = _content(plugins)
    with Unpacker(str(plugins), ME) as unpacker, pytest.raises(OperatorError, match="not those of the bundle"):
        unpacker.install(ID, str(new), read_bundle(str(old)).tree)
    assert _content(plugins) == before
    assert _names(plugins) == [ID, "plugins"]


def test_broken_bundle_changes_nothing(plugins: Path, tmp_path: Path) -> None:
    _install(plugins, make_bundle(tmp_path, ID, "1.0.0"))
    before = _content(plugins)
    (tmp_path / "broken.tar.gz").write_bytes(make_bundle(tmp_path, ID, "2.0.0").read_bytes()[:-20])
    with pytest.raises(OperatorError), Unpacker(str(plugins), ME) as unpacker:
        unpacker.install(ID, str(tmp_path / "broken.tar.gz"), "0" * 64)
    assert _content(plugins) == before
    assert _names(plugins) == [ID, "plugins"]


@pytest.mark.parametrize("kind", ["tree", "link", "file"])
@pytest.mark.parametrize("place", ["inside", "outside"])
def test_what_a_killed_run_left_is_cleared(plugins: Path, tmp_path: Path, kind: str, place: str) -> None:
    left = (plugins if place == "inside" else plugins.parent) / unpacker_module._STAGING
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").touch()
    if kind == "tree":
        shutil.copytree(other, left / f"{ID}.new")
    elif kind == "link":
        left.symlink_to(other)
    else:
        left.touch()
    _install(plugins, make_bundle(tmp_path, ID, "1.0.0"))
    assert _names(plugins) == [ID, "plugins"]
    assert os.listdir(other) == ["precious"]


def test_nobody_looks_into_the_staging(plugins: Path) -> None:
    with Unpacker(str(plugins), ME):
        (staging,) = set(plugins.parent.iterdir()) - {plugins}
        assert staging.stat().st_mode & 0o777 == 0o700
        assert os.listdir(plugins) == []


def test_plugin_directory_behind_a_link(plugins: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(plugins)
    with Unpacker(str(tmp_path / "link"), ME):
        assert _names(plugins) == [unpacker_module._STAGING, "plugins"], (
            "beside the directory itself, not beside the link"
        )
    _install(tmp_path / "link", make_bundle(tmp_path, ID, "1.0.0"))
    assert _names(plugins) == [ID, "plugins"]
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("make", [None, Path.touch])
def test_no_directory(plugins: Path, make: object) -> None:
    plugins.rmdir()
    if callable(make):
        make(plugins)
    with pytest.raises(OperatorError, match="no plugin directory") as raised, Unpacker(str(plugins), ME):
        pass
    assert str(plugins) in str(raised.value)


INSTALL = """
import os, sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.plugops.mattermost.plugins.module_utils._host.account import Account
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.bundle import read_bundle
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.unpacker import Unpacker
plugins, *bundles = sys.argv[2:]
for bundle in bundles:
    with Unpacker(plugins, Account("me", os.geteuid(), os.getegid(), "me", ())) as unpacker:
        unpacker.install("com.example.plugin", bundle, read_bundle(bundle).tree)
"""


@pytest.fixture
def bundles(tmp_path: Path) -> List[str]:
    return [str(make_bundle(tmp_path, ID, version)) for version in ("1.0.0", "2.0.0")]


@needs_root
@pytest.mark.parametrize(
    "mount",
    ['mount --bind "$1" "$1"', 'mount -t tmpfs tmpfs "$1"', 'mount --bind "$1" "$1"; mount -o remount,bind,ro "$2"'],
    ids=["bind mount", "another file system", "parent read-only"],
)
def test_plugin_directory_that_is_a_mount(plugins: Path, tmp_path: Path, bundles: List[str], mount: str) -> None:
    """In a mount namespace of its own. A bind mount has the device number of its parent, and no rename leads there."""
    if "remount" in mount:
        mount = f'mount --bind "$2" "$2"; {mount}'
    script = f'set -e; {mount}; shift 2; "$@"; ls -A "$PLUGINS" "$PLUGINS/{ID}"; cat "$PLUGINS/{ID}/plugin.json"'
    done = subprocess.run(
        [
            *("unshare", "--mount", "--propagation", "private"),
            *("sh", "-c", script, "sh", str(plugins), str(plugins.parent)),
            *(sys.executable, "-c", INSTALL, str(REPOSITORY / "collections"), str(plugins), *bundles),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PLUGINS": str(plugins)},
        check=False,
    )
    if "unshare failed" in done.stderr:
        pytest.skip("may not make a mount namespace here")
    assert done.returncode == 0, done.stderr
    assert '"version": "2.0.0"' in done.stdout
    assert ".plugops" not in done.stdout
    assert os.listdir(plugins.parent) == ["plugins"]


@pytest.mark.parametrize("step", ["install", "remove", "leave"])
def test_a_link_of_roots_that_takes_the_name_of_the_staging_leads_nowhere(
    plugins: Path, tmp_path: Path, step: str
) -> None:
    """Whoever owns the directory around it can give a link that root made there another name, at any moment."""
    bundle = make_bundle(tmp_path, ID, "1.0.0")
    _install(plugins, bundle)
    facts = read_bundle(str(bundle))
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "of-roots").write_text("x")
    unpacker = Unpacker(str(plugins), ME)
    unpacker.__enter__()
    staging = Path(unpacker._staging)
    staging.rename(staging.with_name("moved"))
    staging.symlink_to(victim)
    if step == "leave":
        unpacker.__exit__()
        assert not staging.is_symlink(), "the link itself is removed"
    else:
        with pytest.raises((OperatorError, OSError)):
            unpacker.install(ID, str(bundle), facts.tree) if step == "install" else unpacker.remove(ID)
    assert os.listdir(victim) == ["of-roots"]
    assert (plugins / ID).is_dir()
