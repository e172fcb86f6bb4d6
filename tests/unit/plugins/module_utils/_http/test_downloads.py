# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads from a real server on the loopback that cuts connections, lies about lengths and redirects."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import stat
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._http.downloads import SIGNATURE_LIMIT, Downloads
from ansible_collections.plugops.mattermost.plugins.module_utils._http.transfer import Transfer, shown_url

from plugops_tests.servers.download_server import DownloadServer, download_server, make_ca

CONTENT = random.Random(4).randbytes(1_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LIMIT = 2_000_000


@pytest.fixture(autouse=True)
def _plain_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "NETRC"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def server() -> Iterator[DownloadServer]:
    with download_server() as found:
        yield found


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def downloads(cache: Path, limit: int = LIMIT, timeout: float = 10, ca_path: str = "") -> Downloads:
    return Downloads(str(cache), Transfer(timeout, ca_path), limit)


def kept(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "bundles").iterdir())


def part(cache: Path, content: bytes) -> Path:
    """What an earlier run left behind."""
    path = cache / "bundles" / f"{SHA256}.tar.gz.part"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_a_bundle_is_downloaded_once(server: DownloadServer, cache: Path) -> None:
    url = server.offer("/b.tar.gz", CONTENT)
    path = downloads(cache).bundle(url, SHA256)
    assert Path(path).read_bytes() == CONTENT
    assert downloads(cache).bundle(url, SHA256) == path
    assert len(server.requests) == 1
    assert kept(cache) == [f"{SHA256}.tar.gz"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


@pytest.mark.parametrize("cuts", [[1], [400_000], [300_000, 300_000, 1, 300_000], [999_999]])
def test_a_cut_download_goes_on_where_it_stopped(server: DownloadServer, cache: Path, cuts: list[int]) -> None:
    url = server.offer("/b.tar.gz", CONTENT, cut_after=list(cuts))
    assert Path(downloads(cache).bundle(url, SHA256)).read_bytes() == CONTENT
    assert server.sent == len(CONTENT), "no byte twice"
    offsets = [sum(cuts[:number]) for number in range(1, len(cuts) + 1)]
    assert server.header("Range") == [None, *(f"bytes={offset}-" for offset in offsets)]


def test_a_download_that_another_run_began_goes_on(server: DownloadServer, cache: Path) -> None:
    url = server.offer("/b.tar.gz", CONTENT)
    part(cache, CONTENT[:600_000])
    assert Path(downloads(cache).bundle(url, SHA256)).read_bytes() == CONTENT
    assert server.sent == 400_000
    assert kept(cache) == [f"{SHA256}.tar.gz"]


@pytest.mark.parametrize("beginning", [b"x" * 1000, CONTENT + b"x", b"y" * 1_000_000])
def test_the_beginning_of_another_file_is_given_up(server: DownloadServer, cache: Path, beginning: bytes) -> None:
    url = server.offer("/b.tar.gz", CONTENT)
    part(cache, beginning)
    assert Path(downloads(cache).bundle(url, SHA256)).read_bytes() == CONTENT


def test_all_but_the_renaming_was_done_before(server: DownloadServer, cache: Path) -> None:
    url = server.offer("/b.tar.gz", CONTENT)
    part(cache, CONTENT)
    assert Path(downloads(cache).bundle(url, SHA256)).read_bytes() == CONTENT
    assert server.sent == 0


def test_a_server_without_ranges_sends_all_again(server: DownloadServer, cache: Path) -> None:
    url = server.offer("/b.tar.gz", CONTENT, ranges=False, cut_after=[500_000])
    assert Path(downloads(cache).bundle(url, SHA256)).read_bytes() == CONTENT
    assert server.sent == 1_500_000


@pytest.mark.parametrize("content_range", ["bytes 0-999999/1000000", "none", "bytes 500001-999999/1000000"])
def test_another_part_than_requested_is_not_appended(server: DownloadServer, cache: Path, content_range: str) -> None:
    url = server.offer("/b.tar.gz", CONTENT, content_range=content_range)
    part(cache, CONTENT[:500_000])
    assert Path(downloads(cache).bundle(url, SHA256)).read_bytes() == CONTENT


def test_a_file_whose_length_is_not_told(server: DownloadServer, cache: Path) -> None:
    url = server.offer("/b.tar.gz", CONTENT, length="none")
    assert Path(downloads(cache).bundle(url, SHA256)).read_bytes() == CONTENT


def test_less_than_the_told_length_is_no_download(server: DownloadServer, cache: Path) -> None:
    url = server.offer("/b.tar.gz", CONTENT, length="1000001", ranges=False)
    with pytest.raises(OperatorError, match="cut off again and again") as raised:
        downloads(cache).bundle(url, SHA256)
    assert "1000000 of 1000001 bytes" in raised.value.found
    assert kept(cache) == [f"{SHA256}.tar.gz.part"]


def test_without_a_length_a_cut_shows_in_the_hash_and_is_tried_again(server: DownloadServer, cache: Path) -> None:
    url = server.offer("/b.tar.gz", CONTENT, length="none", cut_after=[10])
    with pytest.raises(OperatorError, match="not the wanted one"):
        downloads(cache).bundle(url, SHA256)
    assert Path(downloads(cache).bundle(url, SHA256)).read_bytes() == CONTENT


def test_another_bundle_is_refused_and_not_kept(server: DownloadServer, cache: Path) -> None:
    url = server.offer("/b.tar.gz", CONTENT + b"!")
    with pytest.raises(OperatorError, match="not the wanted one") as raised:
        downloads(cache).bundle(url, SHA256)
    assert raised.value.wanted == f"sha256 {SHA256}"
    assert hashlib.sha256(CONTENT + b"!").hexdigest() in raised.value.found
    assert f"{SHA256}.tar.gz" not in kept(cache)


@pytest.mark.parametrize("length", ["true", "none", "999999999"])
def test_too_large(server: DownloadServer, cache: Path, length: str) -> None:
    url = server.offer("/b.tar.gz", CONTENT, length=length)
    with pytest.raises(OperatorError, match="too large") as raised:
        downloads(cache, limit=999_999).bundle(url, SHA256)
    assert raised.value.wanted == "at most 999999 bytes"
    assert (cache / "bundles" / f"{SHA256}.tar.gz.part").stat().st_size <= 999_999
    server.offer("/b.tar.gz", CONTENT)
    downloads(cache, limit=1_000_000).bundle(url, SHA256)


def test_a_signature_is_small(server: DownloadServer, cache: Path) -> None:
    url = server.offer("/b.sig", b"signature")
    assert Path(downloads(cache).signature(url, SHA256)).read_bytes() == b"signature"
    with pytest.raises(OperatorError, match="too large"):
        downloads(cache).signature(server.offer("/c.sig", b"x" * (SIGNATURE_LIMIT + 1)), SHA256)


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_refusals_name_status_and_place_but_no_password(server: DownloadServer, cache: Path, status: int) -> None:
    server.offer("/b.tar.gz", status=status)
    url = f"http://user:s3cr3t@127.0.0.1:{server.port}/b.tar.gz?token=t0ken"
    with pytest.raises(OperatorError, match=f"HTTP {status}") as raised:
        downloads(cache).bundle(url, SHA256)
    assert f"127.0.0.1:{server.port}/b.tar.gz" in raised.value.where
    assert "s3cr3t" not in str(raised.value)
    assert "t0ken" not in str(raised.value)
    assert len(server.requests) == 1


def test_nobody_listens(server: DownloadServer, cache: Path) -> None:
    with download_server() as gone:
        url = gone.url("/b.tar.gz")
    with pytest.raises(OperatorError, match="cannot be reached"):
        downloads(cache).bundle(url, SHA256)


def test_a_silent_server(server: DownloadServer, cache: Path) -> None:
    release = threading.Event()
    url = server.offer("/b.tar.gz", silent=release)
    try:
        with pytest.raises(OperatorError, match="cut off") as raised:
            downloads(cache, timeout=0.2).bundle(url, SHA256)
    finally:
        release.set()
    assert "timed out" in raised.value.found


# Redirects and schemes.


def test_a_redirect_is_followed(server: DownloadServer, cache: Path) -> None:
    real = server.offer("/real.tar.gz", CONTENT, cut_after=[10])
    url = server.offer("/b.tar.gz", redirect=real)
    assert Path(downloads(cache).bundle(url, SHA256)).read_bytes() == CONTENT
    assert server.sent == len(CONTENT)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/b", "data:,x"])
def test_a_redirect_to_another_scheme_is_refused(server: DownloadServer, cache: Path, target: str) -> None:
    url = server.offer("/b.tar.gz", redirect=target)
    with pytest.raises(OperatorError) as raised:
        downloads(cache).bundle(url, SHA256)
    assert url in raised.value.where
    assert kept(cache) == [f"{SHA256}.tar.gz.part"]
    assert (cache / "bundles" / kept(cache)[0]).read_bytes() == b""


def test_a_password_goes_to_its_own_server_alone(server: DownloadServer, cache: Path) -> None:
    server.offer("/b.tar.gz", redirect=server.offer("/real.tar.gz", CONTENT))
    downloads(cache).bundle(f"http://user:p%40ss@127.0.0.1:{server.port}/b.tar.gz", SHA256)
    assert server.header("Authorization") == ["Basic dXNlcjpwQHNz", None]


def test_passwords_come_from_netrc_too(server: DownloadServer, cache: Path, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login user password p@ss\ndefault login a password b\n")
    (tmp_path / ".netrc").chmod(0o600)
    downloads(cache).bundle(server.offer("/b.tar.gz", CONTENT), SHA256)
    assert server.header("Authorization") == ["Basic dXNlcjpwQHNz"]
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login user passwort s3cr3t\n")
    with pytest.raises(OperatorError, match="passwords of servers") as raised:
        downloads(tmp_path / "other").bundle(server.url("/b.tar.gz"), SHA256)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/b", "https:///b", "http://example.com:port/b", "https://example.com/a b", "http://[::1/b"],
)
def test_no_url_of_a_file(cache: Path, url: str) -> None:
    with pytest.raises(OperatorError, match="no URL of a file"):
        downloads(cache).bundle(url, SHA256)


def test_a_file_url_names_the_file_itself(cache: Path) -> None:
    assert downloads(cache).bundle("file:///srv/a%20b.tar.gz", SHA256) == "/srv/a b.tar.gz"
    assert downloads(cache).bundle("file://localhost/srv/b.tar.gz", SHA256) == "/srv/b.tar.gz"
    with pytest.raises(OperatorError, match="a file of the machine"):
        downloads(cache).bundle("file://example.com/srv/b.tar.gz", SHA256)
    assert not cache.exists()


def test_shown() -> None:
    assert shown_url("https://u:p@h:1/a?b#c") == "https://h:1/a?…"
    assert shown_url("https://h/a") == "https://h/a"


# TLS and proxies.


def test_a_certificate_of_a_ca_of_ones_own(tmp_path: Path, cache: Path) -> None:
    ca, certificate = make_ca(tmp_path)
    with download_server(certificate) as server:
        url = server.offer("/b.tar.gz", CONTENT, cut_after=[400_000])
        with pytest.raises(OperatorError, match="not trusted") as raised:
            downloads(cache).bundle(url, SHA256)
        assert "download_ca_path" in raised.value.remedy
        assert server.requests == []
        assert Path(downloads(cache, ca_path=str(ca)).bundle(url, SHA256)).read_bytes() == CONTENT
        other = server.url("/b.tar.gz", host="localhost")
        with pytest.raises(OperatorError, match="not trusted"):
            downloads(tmp_path / "other", ca_path=str(ca)).bundle(other, SHA256)


def test_https_does_not_lead_to_http(server: DownloadServer, tmp_path: Path, cache: Path) -> None:
    ca, certificate = make_ca(tmp_path)
    weaker = server.offer("/b.tar.gz", CONTENT)
    with download_server(certificate) as secure:
        url = secure.offer("/b.tar.gz", redirect=weaker)
        with pytest.raises(OperatorError, match="another scheme") as raised:
            downloads(cache, ca_path=str(ca)).bundle(url, SHA256)
    assert raised.value.found == weaker
    assert server.requests == []


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_no_ca_certificates(tmp_path: Path, cache: Path, content: Any) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(OperatorError, match="CA certificates cannot be read"):
        downloads(cache, ca_path=str(tmp_path / "ca.pem")).bundle("https://127.0.0.1:1/b", SHA256)


def test_a_proxy_from_the_environment(server: DownloadServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.offer("/b.tar.gz", CONTENT)
    monkeypatch.setenv("http_proxy", server.url(""))
    downloads(cache).bundle("http://bundles.invalid/b.tar.gz", SHA256)
    assert [path for path, _ in server.requests] == ["http://bundles.invalid/b.tar.gz"]
    monkeypatch.setenv("no_proxy", "bundles.invalid")
    with pytest.raises(OperatorError, match="cannot be reached"):
        downloads(cache).bundle("http://bundles.invalid/b.tar.gz", "0" * 64)


# Several at once.


def _download(arguments: Any) -> str:
    cache, url = arguments
    return downloads(Path(cache)).bundle(url, SHA256)


def test_many_processes_download_once(server: DownloadServer, cache: Path) -> None:
    url = server.offer("/b.tar.gz", CONTENT, cut_after=[100_000])
    with multiprocessing.get_context("fork").Pool(6) as pool:
        paths = pool.map(_download, [(str(cache), url)] * 12, chunksize=1)
    assert len(set(paths)) == 1
    assert Path(paths[0]).read_bytes() == CONTENT
    assert server.sent == len(CONTENT)
    assert kept(cache) == [f"{SHA256}.tar.gz"]


def test_a_cache_that_cannot_be_written(server: DownloadServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match="cannot be stored"):
        downloads(tmp_path / "file").bundle(server.offer("/b.tar.gz", CONTENT), SHA256)
