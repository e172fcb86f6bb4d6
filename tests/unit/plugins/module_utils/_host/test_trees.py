# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees by descriptors: few of them open at once, within limits, and never into what is mounted there."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from pathlib import Path

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._host import trees
from ansible_collections.plugops.mattermost.plugins.module_utils._host.reading import open_directory
from ansible_collections.plugops.mattermost.plugins.module_utils._host.trees import TreeLimit, remove_tree, walk

from plugops_tests.support.release_host import mounted

DEPTH = 5000
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount and to remove what is another's")


def _deep(top: Path, depth: int = DEPTH) -> None:
    handle = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=handle)
        inner = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)


def _paths(top: Path) -> list[str]:
    with open_directory(str(top)) as handle:
        return [entry.path for entry in walk(handle, str(top))]


def test_a_deep_tree_is_removed_with_few_descriptors(tmp_path: Path) -> None:
    _deep(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 100, before[1]))
    try:
        remove_tree(str(tmp_path / "d"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert os.listdir(tmp_path) == []


def test_a_walk_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
    monkeypatch.setattr(trees, "MAX_ENTRIES", 3)
    assert sorted(_paths(tmp_path)) == ["a", "b", "c"]
    (tmp_path / "d").touch()
    with pytest.raises(TreeLimit, match="more than 3 entries"):
        _paths(tmp_path)


def test_a_walk_has_a_depth(tmp_path: Path) -> None:
    _deep(tmp_path, trees.MAX_DEPTH)
    assert len(_paths(tmp_path)) == trees.MAX_DEPTH
    _deep(tmp_path / "/".join(["d"] * trees.MAX_DEPTH), 1)
    with pytest.raises(TreeLimit, match=f"more than {trees.MAX_DEPTH} deep"):
        _paths(tmp_path)
    remove_tree(str(tmp_path / "d"))


def test_no_link_is_walked(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside/file").touch()
    (tmp_path / "link").symlink_to("inside")
    assert sorted(_paths(tmp_path)) == ["inside", "inside/file", "link"]


@needs_root
@pytest.mark.parametrize("kind", ["another file system", "the same one"])
@pytest.mark.parametrize("where", ["d/inner/point", "d"])
def test_what_is_mounted_in_a_tree_stays(tmp_path: Path, kind: str, where: str) -> None:
    precious, point = tmp_path / "precious", tmp_path / where
    precious.mkdir()
    point.mkdir(parents=True)
    with mounted(point, *(("-t", "tmpfs", "none") if kind == "another file system" else ("--bind", str(precious)))):
        (point / "file").write_text("of the operator")
        with pytest.raises(OSError, match="a file system is mounted there, and nothing of it is removed") as raised:
            remove_tree(str(tmp_path / "d"))
        assert raised.value.errno == errno.EXDEV
        assert (point / "file").read_text() == "of the operator"
    remove_tree(str(tmp_path / "d"))
    assert not (tmp_path / "d").exists()


@needs_root
def test_what_is_below_a_mount_is_removed(tmp_path: Path) -> None:
    """The tree as a whole may lie on a volume of its own."""
    with mounted(tmp_path / "volume", "-t", "tmpfs", "none"):
        subprocess.run(["mkdir", "-p", tmp_path / "volume/d/e/f"], check=True)
        remove_tree(str(tmp_path / "volume/d"))
        assert os.listdir(tmp_path / "volume") == []
