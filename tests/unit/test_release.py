"""The release of an install directory: what survives an exchange, what a killed one leaves, what is refused."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any, Dict, Sequence, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils import _release, _release_store
from ansible_collections.plugops.mattermost.plugins.module_utils._ensure import Outcome, ensure, inspect
from ansible_collections.plugops.mattermost.plugins.module_utils._errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._node import Node
from ansible_collections.plugops.mattermost.plugins.module_utils._node_options import NodeOptions
from ansible_collections.plugops.mattermost.plugins.module_utils._release import KEPT, Marker, Release

from support.server_process import unprivileged_user

OLD = {
    "bin/mattermost": "old server",
    "client/root.html": "old page",
    "client/old.js": "old script",
    "i18n/en.json": "[]",
    "config/config.json": "{}",
    "OLD.txt": "only in the old one",
}
NEW = {
    "bin/mattermost": "new server",
    "client/root.html": "new page",
    "client/new/chunk.js": "new script",
    "i18n/en.json": "[1]",
    "config/config.json": '{"shipped": "anew"}',
    "config/cloud_defaults.json": "{}",
}
OURS = {
    "config/config.json": '{"ours": true}',
    "data/plugins/com.example.a.tar.gz": "stored bundle",
    "logs/mattermost.log": "a line",
    "plugins/com.example.a/plugin.json": "manifest",
    "client/plugins/com.example.a/main.js": "script",
    "our-notes.txt": "of the operator",
}


def tarball(place: Path, name: str, files: Dict[str, str], top: str = "mattermost") -> Tuple[str, str]:
    """Path and SHA-256."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{top}/{path}")
            entry.size, entry.mode = len(text), 0o755 if path.startswith("bin/") else 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    path = place / name
    path.write_bytes(gzip.compress(raw.getvalue(), mtime=0))
    return str(path), hashlib.sha256(path.read_bytes()).hexdigest()


class Host:
    """A directory that stands for a host, with two releases beside it."""

    def __init__(self, place: Path) -> None:
        self.root = place / "root"
        (self.root / "opt").mkdir(parents=True)
        self.install_dir = self.root / "opt/mattermost"
        self.store = self.root / "opt/releases"
        self.old = tarball(place, "old.tar.gz", OLD)
        self.new = tarball(place, "new.tar.gz", NEW)

    def release(self, archive: str, sha256: str, stage_only: bool = False) -> Release:
        def run(argv: Sequence[str]) -> Tuple[int, str, str]:
            raise AssertionError(f"{argv} is not to be run")

        user = unprivileged_user() or "nobody"
        return Release(
            Node(NodeOptions(root=str(self.root), service_user=user), run), archive, sha256, "/opt/releases", stage_only
        )

    def ensure(self, *which: Any) -> Outcome:
        return ensure(self.release(*which), check_mode=False)

    def files(self) -> Dict[str, str]:
        """Everything in the install directory."""
        return {
            str(path.relative_to(self.install_dir)): path.read_text()
            for path in self.install_dir.rglob("*")
            if path.is_file()
        }

    def use(self) -> None:
        """What a deployment leaves in its install directory."""
        for name, text in OURS.items():
            path = self.install_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_service_owns_what_is_kept_and_nothing_else(host: Host) -> None:
    host.ensure(*host.old)
    owned = {str(path.relative_to(host.install_dir)) for path in host.install_dir.rglob("*") if path.stat().st_uid != 0}
    assert owned == {*KEPT, "config/config.json"}


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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
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
    assert Marker.parse(data) == Marker()


def test_a_record_of_a_release_is_read() -> None:
    data = json.dumps({"sha256": "0" * 64, "complete": True, "entries": ["bin", "client/root.html"]}).encode()
    assert Marker.parse(data) == Marker("0" * 64, True, ["bin", "client/root.html"])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, whose records others cannot write")
@pytest.mark.parametrize("of", ["root", "the service's account"])
def test_the_record_of_an_earlier_version_counts_where_root_wrote_it(host: Host, of: str) -> None:
    host.ensure(*host.old)
    (record,) = (host.root / "var/lib/plugops").glob("release*.json")
    old = host.install_dir / ".mattermost-release.json"
    record.rename(old)
    if of != "root":
        os.chown(old, 65534, 65534)
    assert bool(inspect(host.release("", host.old[1])).differences) == (of != "root")
    host.ensure(*host.new)
    assert record.exists()
    assert not old.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give the directory away")
def test_a_directory_of_the_service_account_gets_copies_of_the_store(host: Host) -> None:
    host.install_dir.mkdir(parents=True, exist_ok=True)
    os.chown(host.install_dir, 65534, 65534)
    host.ensure(*host.old)
    assert host.files() == OLD
    assert {path.stat().st_nlink for path in host.store.rglob("*") if path.is_file()} == {1}


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


@pytest.mark.parametrize("survived", range(12))
def test_a_killed_exchange_goes_on(host: Host, survived: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at each rename in turn; what must survive is there at every instant."""
    host.ensure(*host.old)
    host.use()
    host.ensure(*host.new, True)

    class Killed(BaseException):
        pass

    renames = 0
    rename = _release.rename

    def until(old: str, new: str) -> None:
        nonlocal renames
        renames += 1
        if renames > survived:
            raise Killed
        rename(old, new)

    monkeypatch.setattr(_release, "rename", until)
    try:
        host.ensure("", host.new[1])
    except Killed:
        assert {name: text for name, text in host.files().items() if name in OURS} == OURS
        assert inspect(host.release("", host.new[1])).differences.as_list()[0]["found"] == "incomplete"
    monkeypatch.undo()
    host.ensure("", host.new[1])
    assert host.files() == {**NEW, **OURS}
    assert not list(host.install_dir.glob(".mattermost-release.[no]*"))


def test_a_wrong_sha256_is_told_before_anything_is_written(host: Host) -> None:
    with pytest.raises(OperatorError, match=f"found: sha256 {host.new[1]}; wanted: sha256 {host.old[1]}"):
        inspect(host.release(host.new[0], host.old[1]))
    assert not host.store.exists()


def test_a_full_disk_leaves_nothing_and_says_so(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_release_store, "create_new", full)
    with pytest.raises(OperatorError, match=r"No space left on device; \d+ MiB are free.*make room there"):
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
