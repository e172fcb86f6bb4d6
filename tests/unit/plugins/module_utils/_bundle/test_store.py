# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store: a bundle goes in only as what it is called, and what is in it is known without reading it again."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle import store as store_module
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.bundle import Bundle, read_bundle
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.store import Store
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError

from plugops_tests.support.bundles import make_bundle

ODD_NAMES = {"caf\udce9": b"latin", "ü b": b"u", "a\nb": b"n"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "state/bundles"))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(
        tmp_path / "demo.tar.gz", "demo", "1.0.0", server=True, executable_mode=0o644, files={"ü b": b"u", "a\nb": b"n"}
    )


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The bundles that were read from front to end."""
    seen = []

    def count(path: str) -> Bundle:
        seen.append(path)
        return read_bundle(path)

    monkeypatch.setattr(store_module, "_read", count)
    return seen


def test_an_empty_store(store: Store, tmp_path: Path) -> None:
    assert store.list() == []
    assert not store.has("0" * 64)
    assert store.files("0" * 64) is None
    assert store.bundle("0" * 64) is None
    assert os.listdir(tmp_path) == [], "asking makes nothing"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
def test_keeps_a_bundle(store: Store, bundle: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        path = store.add(sha256(bundle), str(bundle))
    finally:
        os.umask(old)
    assert path == store.path(sha256(bundle))
    assert Path(path).read_bytes() == bundle.read_bytes()
    names = sorted(os.listdir(os.path.dirname(path)))
    assert names == [f"{sha256(bundle)}.json", f"{sha256(bundle)}.tar.gz"]
    assert {stat.S_IMODE(item.stat().st_mode) for item in Path(path).parent.iterdir()} == {0o640}
    assert stat.S_IMODE(Path(path).parent.stat().st_mode) & 0o027 == 0, "nothing for others"
    assert store.list() == [sha256(bundle)]
    assert store.has(sha256(bundle))
    assert store.has(sha256(bundle).upper())


def test_knows_what_is_in_it_without_reading_it_again(store: Store, bundle: Path, reads: list[str]) -> None:
    store.add(sha256(bundle), str(bundle))
    reads.clear()
    fresh = Store(os.path.dirname(store.path(sha256(bundle))))
    assert fresh.bundle(sha256(bundle).upper()) == read_bundle(str(bundle))
    assert fresh.files(sha256(bundle)) == read_bundle(str(bundle)).files
    assert reads == []


def test_bytes_that_are_no_utf_8_survive_the_index(store: Store, tmp_path: Path, reads: list[str]) -> None:
    path = tmp_path / "b.tar.gz"
    with tarfile.open(path, "w:gz", errors="surrogateescape") as archive:
        for name, content in {"plugin.json": b'{"id": "demo"}', **ODD_NAMES}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    store.add(sha256(path), str(path))
    reads.clear()
    assert store.files(sha256(path)) == read_bundle(str(path)).files
    assert reads == []
    assert "caf\udce9" in (store.files(sha256(path)) or {})


def test_another_bundle_is_refused(store: Store, bundle: Path, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other.tar.gz", "demo", "2.0.0")
    with pytest.raises(OperatorError) as error:
        store.add(sha256(bundle), str(other))
    assert sha256(bundle) in str(error.value)
    assert sha256(other) in str(error.value)
    assert str(other) in str(error.value)
    assert not (tmp_path / "state").exists()


def test_an_unsound_bundle_is_refused_even_if_its_hash_is_right(store: Store, tmp_path: Path) -> None:
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(gzip.compress(b"no tar " * 100))
    with pytest.raises(OperatorError, match="no tar archive"):
        store.add(sha256(bad), str(bad))
    assert not (tmp_path / "state").exists()


def test_a_bundle_that_changes_while_it_is_stored(store: Store, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = sha256(bundle)

    def then_change(path: str) -> Bundle:
        found = read_bundle(path)
        bundle.write_bytes(b"something else")
        return found

    monkeypatch.setattr(store_module, "_read", then_change)
    with pytest.raises(OperatorError, match="not the wanted one"):
        store.add(wanted, str(bundle))
    assert store.list() == []
    assert os.listdir(os.path.dirname(store.path(wanted))) == []


@pytest.mark.parametrize("name", ["", "abc", "../" + "0" * 61, "0" * 65, "g" * 64, "0" * 63 + "\n", "0" * 64 + "\n"])
def test_what_is_no_sha256_is_never_a_path(store: Store, bundle: Path, name: str, tmp_path: Path) -> None:
    for call in (store.path, store.has, store.files, lambda sha: store.add(sha, str(bundle))):
        with pytest.raises(OperatorError, match="no sha256"):
            call(name)
    assert os.listdir(tmp_path) == ["demo.tar.gz"]


def test_adding_again_mends(store: Store, bundle: Path) -> None:
    path = Path(store.add(sha256(bundle), str(bundle)))
    path.write_bytes(b"rotten")
    store.add(sha256(bundle), str(bundle))
    assert path.read_bytes() == bundle.read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to have a directory that cannot be written")
def test_a_store_that_cannot_be_written_is_told(bundle: Path) -> None:
    with pytest.raises(OperatorError, match="cannot be stored"):
        Store("/proc/plugops/bundles").add(sha256(bundle), str(bundle))


def damaged(index: Dict[str, Any]) -> Iterator[bytes]:
    yield b""
    yield b"{"
    yield b"[]"
    yield b"\xff"
    for key in index:
        yield json.dumps({other: value for other, value in index.items() if other != key}).encode()
    yield json.dumps({**index, "format": 99}).encode()
    yield json.dumps({**index, "size": 1}).encode()
    yield json.dumps({**index, "files": {}}).encode()
    yield json.dumps({**index, "files": {"a": 5}}).encode()
    yield json.dumps({**index, "manifest": {"id": "other"}}).encode()
    yield json.dumps({**index, "tree": "0" * 64}).encode()


def test_without_a_sound_index_the_bundle_is_read(store: Store, bundle: Path, reads: list[str]) -> None:
    stored = Path(store.add(sha256(bundle), str(bundle)))
    index = stored.parent / f"{sha256(bundle)}.json"
    cases = list(damaged(json.loads(index.read_bytes())))
    assert len(cases) > 14
    for content in cases:
        index.write_bytes(content)
        reads.clear()
        assert store.bundle(sha256(bundle)) == read_bundle(str(bundle))
        assert reads == [str(stored)], content
    index.unlink()
    assert store.files(sha256(bundle)) == read_bundle(str(bundle)).files
    assert sorted(os.listdir(stored.parent)) == [stored.name], "asking writes nothing"


def test_a_rotten_bundle_without_index_is_told(store: Store, bundle: Path, tmp_path: Path) -> None:
    stored = Path(store.add(sha256(bundle), str(bundle)))
    (stored.parent / f"{sha256(bundle)}.json").unlink()
    stored.write_bytes(make_bundle(tmp_path / "other.tar.gz", "demo", "2.0.0").read_bytes())
    with pytest.raises(OperatorError, match="not the wanted one"):
        store.bundle(sha256(bundle))


def test_lists_bundles_only(store: Store, bundle: Path, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other.tar.gz", "other", "2.0.0")
    directory = Path(store.add(sha256(bundle), str(bundle))).parent
    store.add(sha256(other), str(other))
    for name in (".plugops-x", "README", "0" * 63 + ".tar.gz", "0" * 64 + ".tar.gz.sig"):
        (directory / name).write_bytes(b"")
    assert store.list() == sorted([sha256(bundle), sha256(other)])


# --- deliveries


def deliver(path: Path, members: Dict[str, bytes]) -> str:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return str(path)


def test_receives_every_bundle(store: Store, bundle: Path, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other.tar.gz", "other", "2.0.0")
    both = {f"{sha256(path)}.tar.gz": path.read_bytes() for path in (bundle, other)}
    delivery = deliver(tmp_path / "delivery", both)
    store.receive(delivery)
    assert store.list() == sorted([sha256(bundle), sha256(other)])
    assert not os.path.exists(delivery)
    names = [f"{sha256(path)}{suffix}" for path in (bundle, other) for suffix in (".json", ".tar.gz")]
    assert sorted(os.listdir(os.path.dirname(store.path("0" * 64)))) == sorted(names)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("0" * 64 + ".tar.gz", "not the wanted one"),
        ("demo.tar.gz", "no sha256"),
        ("0" * 64 + "/../../", "leads out of it"),
    ],
)
def test_a_delivery_of_something_else_is_refused(
    store: Store, bundle: Path, tmp_path: Path, name: str, told: str
) -> None:
    delivery = deliver(tmp_path / "delivery", {name: bundle.read_bytes()})
    with pytest.raises(OperatorError, match=told):
        store.receive(delivery)
    assert store.list() == []


def test_a_delivery_that_cannot_be_read(store: Store, bundle: Path, tmp_path: Path) -> None:
    delivery = Path(deliver(tmp_path / "delivery", {f"{sha256(bundle)}.tar.gz": bundle.read_bytes()}))
    delivery.write_bytes(delivery.read_bytes()[:700])
    for path in (str(delivery), str(tmp_path / "none"), str(bundle.parent)):
        with pytest.raises(OperatorError):
            store.receive(path)
    for kind, told in ((tarfile.DIRTYPE, "no file"), (tarfile.SYMTYPE, "a symbolic link")):
        with tarfile.open(delivery, "w") as archive:
            entry = tarfile.TarInfo("0" * 64 + ".tar.gz")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
        with pytest.raises(OperatorError, match=told):
            store.receive(str(delivery))
    assert store.list() == []


def test_a_signature_is_kept_with_its_bundle_and_goes_with_it(store: Store, bundle: Path) -> None:
    digest = sha256(bundle)
    directory = Path(os.path.dirname(store.add(digest, str(bundle))))
    assert store.signature(digest) == b""
    store.keep_signature(digest, b"signed")
    assert store.signature(digest) == b"signed"
    (directory / f"{digest}.tar.gz").unlink()
    assert store.left_behind() == [digest], "a removal that was cut off"
    store.remove(digest)
    assert os.listdir(directory) == []
