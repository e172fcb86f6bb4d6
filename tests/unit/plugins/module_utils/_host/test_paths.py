# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The walk to a file, and what is read there: links, loops, depth and things that are no files."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Callable

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._host import reading
from ansible_collections.plugops.mattermost.plugins.module_utils._host.paths import UntrustedLink, at, held, resolve
from ansible_collections.plugops.mattermost.plugins.module_utils._host.reading import (
    exists,
    is_directory,
    is_file,
    lstat,
    names_in,
    open_directory,
    open_file,
    read_file,
    sha256_of,
    status,
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make links of other accounts")
OTHER = 65534


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "real/inner").mkdir(parents=True)
    (tmp_path / "real/inner/file").write_text("content")
    return tmp_path


def _link(path: Path, to: str, uid: int = 0) -> None:
    path.symlink_to(to)
    if os.geteuid() == 0:
        os.lchown(path, uid, uid)


def test_links_of_this_user_and_of_root_are_followed(place: Path) -> None:
    _link(place / "link", "real")
    _link(place / "again", str(place / "link"))
    assert read_file(str(place / "again/inner/file"), 100) == b"content"
    assert resolve(str(place / "again/inner/missing")) == str(place / "real/inner/missing")
    assert is_directory(str(place / "again"))


@needs_root
@pytest.mark.parametrize("where", ["middle", "last"])
def test_a_link_of_another_account_is_followed_nowhere(place: Path, where: str) -> None:
    path = place / ("link/inner/file" if where == "middle" else "link")
    _link(place / "link", "real" if where == "middle" else "real/inner/file", OTHER)
    asks: list[Callable[[str], object]] = [
        lambda name: read_file(name, 100),
        status,
        resolve,
        sha256_of,
        lambda name: open_directory(name).__enter__(),
    ]
    for ask in asks:
        with pytest.raises(UntrustedLink, match=f"a link of uid {OTHER}, only links made by root are followed"):
            ask(str(path))
    assert not is_file(str(path))


@needs_root
def test_a_link_of_roots_with_a_second_name_may_have_been_put_there(place: Path) -> None:
    _link(place / "link", "real")
    os.link(place / "link", place / "second", follow_symlinks=False)
    with pytest.raises(UntrustedLink, match="a link with 2 names"):
        resolve(str(place / "second/inner"))


@needs_root
def test_a_link_itself_can_be_looked_at(place: Path) -> None:
    _link(place / "link", "real", OTHER)
    assert stat.S_ISLNK(lstat(str(place / "link")).st_mode)
    assert exists(str(place / "link"))


def test_a_resolved_path_is_followed_strictly(place: Path) -> None:
    with held(str(place / "real/inner")) as handle:
        assert os.listdir(f"/proc/self/fd/{handle}") == ["file"]
    _link(place / "link", "real")
    with pytest.raises(NotADirectoryError), held(str(place / "link/inner")):
        pass


def test_loops_and_depth_have_an_end(place: Path) -> None:
    _link(place / "loop", "loop")
    with pytest.raises(OSError, match="symbolic links"):
        resolve(str(place / "loop/x"))
    with pytest.raises(OSError, match="directories deep"):
        resolve(_deep(place))


def _deep(place: Path) -> str:
    handle = os.open(place, os.O_RDONLY)
    for _ in range(250):
        os.mkdir("d", dir_fd=handle)
        inner = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)
    return str(place) + "/d" * 251


def test_nothing_leads_out_of_a_top(place: Path) -> None:
    _link(place / "real/up", "../../../../../etc")
    _link(place / "real/absolute", "/inner")
    top = str(place / "real")
    assert resolve("/up/passwd", top) == "/etc/passwd"
    assert resolve("/absolute/file", top) == "/inner/file"
    assert resolve("../../inner", top) == "/inner"
    with at("/absolute/file", top=top) as spot:
        assert (spot.path, spot.name) == ("/inner/file", "file")


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero
    except PermissionError:
        pytest.skip("may not make device nodes here")


@pytest.mark.parametrize("make", [_fifo, _device, Path.mkdir])
def test_what_is_no_regular_file_is_not_opened(place: Path, make: Callable[[Path], None]) -> None:
    make(place / "thing")
    for ask in (lambda name: read_file(name, 100), sha256_of, open_file):
        with pytest.raises(OSError, match="no regular file") as raised:
            ask(str(place / "thing"))
        assert raised.value.filename == str(place / "thing")


def test_beyond_its_limit_a_file_is_not_read(place: Path) -> None:
    path = str(place / "real/inner/file")
    assert read_file(path, 7) == b"content"
    with pytest.raises(OSError, match="larger than 6 bytes, and not read"):
        read_file(path, 6)
    with pytest.raises(OSError, match="larger than 6 bytes"):
        sha256_of(path, 6)
    with open(place / "huge", "wb") as out:
        out.truncate(1 << 42)
    with pytest.raises(OSError, match="larger than 64 MiB"):
        read_file(str(place / "huge"), reading.OWN_RECORD_LIMIT)


def test_names_and_missing_things(place: Path) -> None:
    assert names_in(str(place / "real")) == ["inner"]
    with pytest.raises(FileNotFoundError, match="gone"):
        lstat(str(place / "gone"))
    with pytest.raises(NotADirectoryError):
        names_in(str(place / "real/inner/file"))
    assert not exists(str(place / "gone/x"))
