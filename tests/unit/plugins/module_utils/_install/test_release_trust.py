# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What root believes of an install directory and of a store that others can write: nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.resource import inspect
from ansible_collections.plugops.mattermost.plugins.module_utils._host.writing import copy_file
from ansible_collections.plugops.mattermost.plugins.module_utils._install import release as release_module
from ansible_collections.plugops.mattermost.plugins.module_utils._install import (
    release_exchange as release_exchange_module,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._install import release_store as release_store_module
from ansible_collections.plugops.mattermost.plugins.module_utils._install.release import ReleaseRecord

from plugops_tests.support.playbooks import REPOSITORY
from plugops_tests.support.release_host import NEW, OLD, Host, mounted

OTHER = 65534  # another account
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away and to mount")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_nothing_is_put_where_a_link_leads(host: Host, tmp_path: Path) -> None:
    """The service user may have made it, at whichever moment: what it leads to is not given away, nor added to."""
    host.ensure(*host.old)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.rmtree(host.install_dir / "config")
    (host.install_dir / "config").symlink_to(elsewhere)
    host.ensure(*host.new)
    assert (host.install_dir / "config").is_symlink()
    assert list(elsewhere.iterdir()) == []


@needs_root
def test_a_directory_that_becomes_a_link_gives_nothing_away(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    host.ensure(*host.old, True)
    mkdir = os.mkdir

    def exchanged(path: str, *arguments: Any, **more: Any) -> None:
        mkdir(path, *arguments, **more)
        if str(path).startswith(".plugops-new-"):
            os.rmdir(path, dir_fd=more["dir_fd"])
            os.symlink(elsewhere, path, dir_fd=more["dir_fd"])

    host.ensure(*host.old, True)
    monkeypatch.setattr(os, "mkdir", exchanged)
    before = elsewhere.stat()
    with pytest.raises(OperatorError, match="cannot be put into the install directory"):
        host.ensure(*host.old)
    assert elsewhere.stat() == before
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    "entry",
    [
        "..",
        ".",
        "",
        "client",
        "client/..",
        "client/a/b",
        "/etc",
        "../x",
        "a/b",
        "plugins",
        "client/plugins",
        "a\nb",
        5,
        None,
    ],
)
def test_a_record_that_names_what_no_release_has_says_nothing(entry: object) -> None:
    data = json.dumps({"sha256": "0" * 64, "complete": True, "entries": ["bin", entry]}).encode()
    assert ReleaseRecord.parse(data) == ReleaseRecord()


def test_a_record_of_a_release_is_read() -> None:
    data = json.dumps({"sha256": "0" * 64, "complete": True, "entries": ["bin", "client/root.html"]}).encode()
    assert ReleaseRecord.parse(data) == ReleaseRecord("0" * 64, True, ["bin", "client/root.html"])


@needs_root
@pytest.mark.parametrize(
    "of", ["root", "the service's account", "root, with a second name", "a link to root's", "fifo"]
)
def test_the_record_of_an_earlier_version_counts_where_root_wrote_it(host: Host, of: str) -> None:
    host.ensure(*host.old)
    record = host.record()
    old, aside = host.install_dir / ".mattermost-release.json", host.root / "aside.json"
    text = record.read_text()
    record.rename(aside if of == "a link to root's" else old)
    if of == "the service's account":
        os.chown(old, OTHER, OTHER)
    elif of == "root, with a second name":
        os.link(old, aside)
    elif of == "a link to root's":
        old.symlink_to(aside)
    elif of == "fifo":
        old.unlink()
        os.mkfifo(old)
    names = host.ensure("", host.old[1]).differences.names()
    assert names == (["release.record"] if of == "root" else ["release.install_dir"])
    assert json.loads(record.read_text())["sha256"] == json.loads(text)["sha256"]
    assert not old.is_symlink()
    assert not old.exists()
    assert not host.ensure("", host.old[1]).differences.names()


@pytest.mark.parametrize("how", ["removed", "another program", "another directory"])
def test_a_record_of_what_is_not_there_any_more_says_nothing(host: Host, tmp_path: Path, how: str) -> None:
    """It does not lie in the directory that it is about."""
    if how == "another directory":
        (host.root / "opt/first").mkdir()
        host.install_dir.symlink_to("first")
    host.ensure(*host.old)
    if how == "removed":
        shutil.rmtree(host.install_dir)
    elif how == "another directory":
        host.install_dir.unlink()
        (host.root / "opt/second").mkdir()
        host.install_dir.symlink_to("second")
    else:
        program = host.install_dir / "bin/mattermost"
        program.unlink()
        program.write_text("of an installer's")
    found = inspect(host.release("", host.old[1])).differences.as_list()
    assert [(item["name"], item["found"]) for item in found] == [
        ("release.install_dir", "unknown" if how == "another program" else None)
    ]
    host.ensure("", host.old[1])
    assert host.files() == OLD


def test_install_directories_of_like_names_have_records_of_their_own(host: Host) -> None:
    """The role test_cluster finds each."""
    variables = yaml.safe_load((REPOSITORY / "roles/test_cluster/vars/main.yml").read_text(encoding="utf-8"))
    template = jinja2.Template(variables["test_cluster_marker_path"])
    names, state = ("/opt/a-b", "/opt/a/b", "/opt/a%2Db"), host.root / "var/lib/plugops"
    for name in names:
        (host.root / name[1:]).parent.mkdir(parents=True, exist_ok=True)
        host.install_dir = host.root / name[1:]
        host.ensure(*host.old)
        here = {"state_dir": str(state), "install_dir": name}
        assert Path(template.render(test_cluster_host=here)).is_file()
    assert len(list(state.glob("release*.json"))) == len(names)


@needs_root
def test_a_directory_of_the_service_account_gets_copies_of_the_store(host: Host) -> None:
    host.install_dir.mkdir(parents=True, exist_ok=True)
    os.chown(host.install_dir, OTHER, OTHER)
    host.ensure(*host.old)
    assert host.files() == OLD
    assert {path.stat().st_nlink for path in host.store.rglob("*") if path.is_file()} == {1}


@needs_root
@pytest.mark.parametrize("what", ["the store", "above it", "a release", "a file", "others may write"])
def test_a_store_that_others_can_write_is_not_used(host: Host, what: str) -> None:
    """Its files would become root's, with all their rights, under the name of a sha256."""
    host.ensure(*host.old, True)
    program = host.store / host.old[1] / "bin/mattermost"
    given = {"the store": host.store, "above it": host.store.parent, "a release": host.store / host.old[1]}
    if what == "others may write":
        host.store.chmod(0o777)
    else:
        os.chown(given.get(what, program), OTHER, OTHER)
        program.chmod(0o4755)
    with pytest.raises(
        OperatorError,
        match=r"where the store of releases lies|can write to a file of the unpacked release.*run again with archive",
    ):
        inspect(host.release("", host.old[1]))
    assert not host.install_dir.exists()


@needs_root
def test_rights_of_another_user_become_nobody_elses(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("x")
    os.chown(tmp_path / "theirs", OTHER, OTHER)
    (tmp_path / "theirs").chmod(0o6755)
    copy_file(str(tmp_path / "theirs"), str(tmp_path / "ours"))
    assert (tmp_path / "ours").stat().st_mode & 0o7777 == 0o755


def test_a_tarball_exchanged_after_it_was_checked_is_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    add = release_store_module.ReleaseStore.add

    def exchanged(store: release_store_module.ReleaseStore, archive: str, sha256: str) -> None:
        shutil.copy(host.new[0], archive)
        add(store, archive, sha256)

    monkeypatch.setattr(release_store_module.ReleaseStore, "add", exchanged)
    with pytest.raises(OperatorError, match=f"found: sha256 {host.new[1]}; wanted: sha256 {host.old[1]}"):
        host.ensure(*host.old)
    assert list(host.store.iterdir()) == []
    assert not host.install_dir.exists()


@needs_root
def test_nothing_on_a_file_system_that_is_mounted_in_the_release_is_removed(host: Host, tmp_path: Path) -> None:
    host.ensure(*host.old)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("of the operator")
    with mounted(host.install_dir / "i18n/more", "--bind", str(precious)):
        before = host.files()
        with pytest.raises(
            OperatorError, match=r"/opt/mattermost/i18n/more.*a mount in /opt/mattermost/i18n, which is the release's"
        ):
            inspect(host.release(*host.new))
        with pytest.raises(OperatorError, match="a file system is mounted"):
            host.ensure(*host.new)
        assert host.files() == before
    host.ensure(*host.new)
    assert (host.install_dir / "bin/mattermost").read_text() == NEW["bin/mattermost"]


@needs_root
@pytest.mark.parametrize("of", ["root", "the service's account"])
def test_a_link_in_the_place_of_client_leads_root_only_if_it_is_roots(host: Host, of: str) -> None:
    host.ensure(*host.old)
    elsewhere = host.root / "srv/client"
    elsewhere.parent.mkdir()
    (host.install_dir / "client").rename(elsewhere)
    (host.install_dir / "client").symlink_to("/srv/client")
    if of != "root":
        os.lchown(host.install_dir / "client", OTHER, OTHER)
        before = sorted(str(path) for path in host.root.rglob("*"))
        with pytest.raises(OperatorError, match=r"only links made by root.*chown -h root: "):
            inspect(host.release(*host.new))
        assert sorted(str(path) for path in host.root.rglob("*")) == before
        return
    host.ensure(*host.new)
    assert (elsewhere / "new/chunk.js").read_text() == NEW["client/new/chunk.js"]
    assert not (elsewhere / "old.js").exists()
    assert not list(elsewhere.glob(".*"))


@needs_root
@pytest.mark.parametrize("name", [".mattermost-release.new", ".mattermost-release.old", "client", "config"])
def test_a_link_of_roots_that_is_moved_meanwhile_leads_nowhere(
    host: Host, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whoever owns a directory can give a link that root made in it the name of what is exchanged."""
    host.ensure(*host.old)
    volume = host.root / "srv/volume"
    volume.mkdir(parents=True)
    for file in ("bin", "root.html", "OLD.txt", "old.js"):
        (volume / file).write_text("of root's")
    (host.install_dir / "volume").symlink_to(volume)
    os.chown(host.install_dir, OTHER, OTHER)
    (host.install_dir / "config/config.json").unlink()

    def moved(call: Any) -> Any:
        def first_moves(*arguments: Any) -> Any:
            done = call(*arguments)
            if (host.install_dir / "volume").is_symlink():
                (host.install_dir / name).rename(host.install_dir / "aside")
                (host.install_dir / "volume").rename(host.install_dir / name)
            return done

        return first_moves

    if name == "config":
        monkeypatch.setattr(release_module, "copy_into", moved(release_module.copy_into))
    else:
        monkeypatch.setattr(release_exchange_module.Exchange, "stage", moved(release_exchange_module.Exchange.stage))
    with pytest.raises(OperatorError, match=rf"{re.escape(name)}.*Not a directory"):
        host.ensure(*host.new)
    assert {path.name: path.read_text() for path in volume.rglob("*")} == dict.fromkeys(
        ("bin", "root.html", "OLD.txt", "old.js"), "of root's"
    )
    assert {path.lstat().st_uid for path in (volume, *volume.rglob("*"))} == {0}
