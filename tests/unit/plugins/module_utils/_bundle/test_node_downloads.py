# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that downloads its bundles itself, from a real server on the loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.bundle import read_bundle
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.node_downloads import NodeDownloads
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.store import Store
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._http.transfer import Transfer

from plugops_tests.servers.download_server import DownloadServer, download_server
from plugops_tests.support.bundles import make_bundle


@pytest.fixture
def server() -> Iterator[DownloadServer]:
    with download_server() as found:
        yield found


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path, "com.example.plugin", "1.0.0", file_count=200)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "state" / "bundles"))


def node(tmp_path: Path, limit: int = 1_000_000) -> NodeDownloads:
    return NodeDownloads(str(tmp_path / "state" / "downloads"), Transfer(10, ""), limit)


def waiting(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "state" / "downloads").rglob("*") if path.is_file())


def test_it_is_in_the_store_alone(tmp_path: Path, server: DownloadServer, bundle: Path, store: Store) -> None:
    sha256 = read_bundle(str(bundle)).sha256
    node(tmp_path).bring(server.offer("/b", bundle.read_bytes()), sha256, store)
    assert Path(store.path(sha256)).read_bytes() == bundle.read_bytes()
    assert waiting(tmp_path) == []


def test_what_was_cut_off_goes_on(tmp_path: Path, server: DownloadServer, bundle: Path, store: Store) -> None:
    content, sha256 = bundle.read_bytes(), read_bundle(str(bundle)).sha256
    url = server.offer("/b", content, cut_after=[1000, 0, 0, 0])
    with pytest.raises(OperatorError, match="cut off"):
        node(tmp_path).bring(url, sha256, store)
    assert not store.has(sha256)
    assert waiting(tmp_path) == [f"{sha256}.tar.gz.part"]
    node(tmp_path).bring(url, sha256, store)
    assert store.has(sha256)
    assert server.sent == len(content)
    assert waiting(tmp_path) == []


def test_another_bundle_or_a_larger_one_is_refused(
    tmp_path: Path, server: DownloadServer, bundle: Path, store: Store
) -> None:
    sha256 = read_bundle(str(bundle)).sha256
    with pytest.raises(OperatorError, match="not the wanted one"):
        node(tmp_path).bring(server.offer("/other", b"something else"), sha256, store)
    with pytest.raises(OperatorError, match="too large"):
        node(tmp_path, limit=10).bring(server.offer("/b", bundle.read_bytes()), sha256, store)
    assert not store.has(sha256)


def test_a_damaged_download_is_not_taken_again(
    tmp_path: Path, server: DownloadServer, bundle: Path, store: Store
) -> None:
    sha256, url = read_bundle(str(bundle)).sha256, server.offer("/b", bundle.read_bytes())
    left = tmp_path / "state" / "downloads" / "bundles" / f"{sha256}.tar.gz"
    left.parent.mkdir(parents=True)
    left.write_bytes(bundle.read_bytes()[:100])
    with pytest.raises(OperatorError):
        node(tmp_path).bring(url, sha256, store)
    node(tmp_path).bring(url, sha256, store)
    assert store.has(sha256)


def test_a_file_of_the_node_stays_where_it_is(tmp_path: Path, bundle: Path, store: Store) -> None:
    sha256 = read_bundle(str(bundle)).sha256
    node(tmp_path).bring(bundle.as_uri(), sha256, store)
    assert store.has(sha256)
    assert bundle.is_file()
