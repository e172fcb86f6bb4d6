# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories are made with owner and mode as wanted, by many at once, and are given away to nobody on the way."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._host.directories import (
    make_directories,
    make_directory,
    make_whole_directory,
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give directories away")


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@needs_root
@pytest.mark.parametrize("mask", [0, 0o077, 0o777])
def test_a_new_directory_has_owner_and_mode_whatever_the_umask(
    tmp_path: Path, umask: Callable[[int], int], mask: int
) -> None:
    umask(mask)
    make_directory(str(tmp_path / "a"), 0o750, 4123, 4124)
    make_whole_directory(str(tmp_path / "b"), 0o2755, 4123, 4124)
    for name, mode in (("a", 0o750), ("b", 0o2755)):
        found = (tmp_path / name).stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (4123, 4124, mode)
    for make in (make_directory, make_whole_directory):
        with pytest.raises(FileExistsError):
            make(str(tmp_path / "a"), 0o755, 0, 0)


@needs_root
@pytest.mark.parametrize("by", ["a link", "a directory with something in it", "a directory of another"])
def test_a_new_directory_that_is_exchanged_at_once_is_not_given_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir(0o700)
    (secret / "key").write_text("x")
    if by == "a directory of another":
        (secret / "key").unlink()
        os.chown(secret, 4999, 4999)
    mkdir = os.mkdir

    def exchanged(name: str, mode: int, *, dir_fd: int) -> None:
        mkdir(name, mode, dir_fd=dir_fd)
        os.rmdir(name, dir_fd=dir_fd)
        if by == "a link":
            os.symlink(secret, name, dir_fd=dir_fd)
        else:
            os.rename(secret, name, dst_dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", exchanged)
    with pytest.raises(OSError, match=r"exchanged|Not a directory|symbolic"):
        make_directory(str(tmp_path / "new"), 0o755, 4123, 4124)
    assert 4123 not in {path.lstat().st_uid for path in tmp_path.rglob("*")}


def test_what_a_killed_run_has_left_of_a_directory_goes(tmp_path: Path) -> None:
    (tmp_path / ".plugops-new-0011").mkdir()
    make_whole_directory(str(tmp_path / "a"), 0o755, os.geteuid(), os.getegid())
    assert os.listdir(tmp_path) == ["a"]


def test_directories_are_made_with_what_is_missing_above(tmp_path: Path) -> None:
    make_directories(str(tmp_path / "a/b/c"))
    make_directories(str(tmp_path / "a/b/c"))
    assert (tmp_path / "a/b/c").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_directories(str(tmp_path / "file/x"))


def _make_below(path: str, start: Any, results: Any) -> None:
    start.wait()
    try:
        make_directories(path)
        results.put("")
    except OSError as error:
        results.put(repr(error))


def test_of_many_who_make_the_same_directories_none_fails(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for number in range(40):
        start, results = context.Event(), context.Queue()
        path = str(tmp_path / str(number) / "below")
        racers = [context.Process(target=_make_below, args=(path, start, results)) for _ in range(6)]
        for racer in racers:
            racer.start()
        start.set()
        failures = [results.get(timeout=30) for _ in racers]
        for racer in racers:
            racer.join()
        assert failures == [""] * 6
