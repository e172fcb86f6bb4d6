# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release of an install directory: what survives an exchange, what a killed one leaves, what is refused."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.resource import inspect
from ansible_collections.plugops.mattermost.plugins.module_utils._install import release_store
from ansible_collections.plugops.mattermost.plugins.module_utils._install.release import KEPT

from plugops_tests.modules.killing import CHANGES, killed_at
from plugops_tests.support.release_host import NEW, OLD, OURS, Host, mounted, tarball

OTHER = 65534  # another account
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away and to mount")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_new_directory_gets_the_release_and_what_the_service_writes(host: Host) -> None:
    predicted = inspect(host.release(*host.old))
    done = host.ensure(*host.old)
    assert predicted.differences.as_list() == done.differences.as_list()
    assert done.differences.names() == ["release.store", "release.install_dir"]
    assert host.files() == OLD
    for name in KEPT:
        assert (host.install_dir / name).is_dir()
    assert os.access(host.install_dir / "bin/mattermost", os.X_OK)
    assert not host.ensure("", host.old[1]).differences.names()


@needs_root
def test_the_service_owns_what_is_kept_and_nothing_else(host: Host) -> None:
    host.ensure(*host.old)
    owned = {str(path.relative_to(host.install_dir)) for path in host.install_dir.rglob("*") if path.stat().st_uid != 0}
    assert owned == {*KEPT, "config/config.json"}


@needs_root
@pytest.mark.parametrize("name", ["client", "data", "our-photos"])
def test_what_lies_on_a_volume_of_its_own_works(host: Host, name: str) -> None:
    """A rename does not leave a file system."""
    host.ensure(*host.old)
    with mounted(host.install_dir / name, "-t", "tmpfs", "none"):
        host.ensure(*host.old)
        host.use()
        host.ensure(*host.new)
        found = host.files()
        assert {path: found.get(path) for path in OURS} == OURS
        if name != "client":
            assert found == {**NEW, **OURS}
        else:  # the volume hides what the old release had there
            assert found["client/new/chunk.js"] == NEW["client/new/chunk.js"]


def test_an_upgrade_keeps_what_belongs_to_the_deployment(host: Host) -> None:
    host.ensure(*host.old)
    host.use()
    done = host.ensure(*host.new)
    assert [(item.found, item.wanted) for item in done.differences if item.name == "release.install_dir"] == [
        (host.old[1], host.new[1])
    ]
    assert host.files() == {**NEW, **OURS}


def test_install_directories_share_the_files_of_the_store(host: Host) -> None:
    host.ensure(*host.old)
    stored = host.store / host.old[1] / "bin/mattermost"
    assert stored.samefile(host.install_dir / "bin/mattermost")
    assert not (host.store / host.old[1] / "config/config.json").samefile(host.install_dir / "config/config.json")


def test_a_killed_exchange_goes_on(tmp_path: Path) -> None:
    """Killed at each point where it changes a name: what must survive is there at every instant."""
    came, points = True, 0
    while came:
        points += 1
        (tmp_path / str(points)).mkdir()
        host = Host(tmp_path / str(points))
        host.ensure(*host.old)
        host.use()
        host.ensure(*host.new, True)
        came = killed_at(points, lambda host=host: host.ensure("", host.new[1]), CHANGES)  # type: ignore[misc]
        assert {name: text for name, text in host.files().items() if name in OURS} == OURS
        differences = inspect(host.release("", host.new[1])).differences.as_list()
        assert [item["found"] for item in differences] in ([host.old[1]], ["incomplete"], [])
        if not differences:
            assert host.files() == {**NEW, **OURS}
        host.ensure("", host.new[1])
        assert host.files() == {**NEW, **OURS}
        assert not host.ensure("", host.new[1]).differences.names()
        assert list(host.root.rglob(".*")) == []
    assert points > 40, "few points were met"


def test_a_wrong_sha256_is_told_before_anything_is_written(host: Host) -> None:
    with pytest.raises(OperatorError, match=f"found: sha256 {host.new[1]}; wanted: sha256 {host.old[1]}"):
        inspect(host.release(host.new[0], host.old[1]))
    assert not host.store.exists()


def test_a_full_disk_leaves_nothing_and_says_so(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(release_store, "create_new", full)
    with pytest.raises(OperatorError, match=r"No space left on device; \d+ MiB are free.*free space there"):
        host.ensure(*host.old)
    assert list(host.store.iterdir()) == []
    monkeypatch.undo()
    host.ensure(*host.old)


def test_what_is_no_release_is_refused(host: Host, tmp_path: Path) -> None:
    bundle = tarball(tmp_path, "plugin.tar.gz", {"plugin.json": "{}"}, top="com.example.a")
    with pytest.raises(OperatorError, match=r"no Mattermost release.*at the top com.example.a"):
        host.ensure(*bundle)
    assert list(host.store.iterdir()) == []


def test_a_directory_of_something_else_is_refused(host: Host) -> None:
    host.install_dir.mkdir()
    (host.install_dir / "photos").mkdir()
    with pytest.raises(OperatorError, match=r"holds no Mattermost.*found: photos"):
        inspect(host.release(*host.old))


def test_a_server_that_somebody_else_installed_is_upgraded(host: Host) -> None:
    for name, text in {**OLD, **OURS}.items():
        path = host.install_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = host.ensure(*host.new)
    assert done.differences.as_list()[1]["found"] == "unknown"
    assert host.files() == {**OLD, **NEW, **OURS}  # nobody knows that OLD.txt is not the operator's


def test_staging_leaves_the_install_directory_alone(host: Host) -> None:
    host.ensure(*host.old, True)
    assert (host.store / host.old[1] / "bin/mattermost").is_file()
    assert not host.install_dir.exists()
    assert not host.ensure(*host.old, True).differences.names()


def test_a_missing_release_is_named(host: Host) -> None:
    with pytest.raises(OperatorError, match="not in the store, and no archive is given"):
        inspect(host.release("", host.old[1]))
    with pytest.raises(OperatorError, match="No such file or directory"):
        inspect(host.release("/nowhere.tar.gz", host.old[1]))
    with pytest.raises(OperatorError, match="sha256 is no SHA-256"):
        inspect(host.release(host.old[0], "5f8c"))
