# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a directory, against what the kernel makes of the same path."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._host.path_walk import opened, walk
from ansible_collections.plugops.mattermost.plugins.module_utils._host.root import Root
from hypothesis import given, settings
from hypothesis import strategies as st

LIVE = Root()


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "opt/mattermost/client").mkdir(parents=True)
    (tmp_path / "srv/plugins").mkdir(parents=True)
    return tmp_path


def test_directory_and_its_steps(host: Path) -> None:
    path_walk = walk(Root(str(host)), "/opt/mattermost//./client/")
    assert [step.path for step in path_walk.steps] == ["/opt", "/opt/mattermost"]
    assert path_walk.last is not None
    found = os.stat(host / "opt/mattermost/client")
    assert (path_walk.end, path_walk.last.path) == ("/opt/mattermost/client",) * 2
    assert (path_walk.last.uid, path_walk.last.gid, path_walk.last.inode) == (found.st_uid, found.st_gid, found.st_ino)
    assert (path_walk.missing, path_walk.blocked) == ((), None)


def test_live_way_begins_at_the_root() -> None:
    assert [step.path for step in walk(LIVE, "/proc/self/task").steps][:2] == ["/", "/proc"]


def test_missing_part_and_all_behind_it(host: Path) -> None:
    path_walk = walk(Root(str(host)), "/opt/mattermost/a/b")
    assert path_walk.missing == ("/opt/mattermost/a", "/opt/mattermost/a/b")
    assert (path_walk.end, path_walk.last, path_walk.blocked) == ("/opt/mattermost/a/b", None, None)
    assert [step.path for step in path_walk.steps] == ["/opt", "/opt/mattermost"]


@pytest.mark.parametrize("target", ["/srv/plugins", "../../srv/plugins", "../../srv/./plugins/../plugins"])
def test_link_leads_to_its_target_and_both_ways_count(host: Path, target: str) -> None:
    (host / "opt/mattermost/plugins").symlink_to(target)
    path_walk = walk(Root(str(host)), "/opt/mattermost/plugins")
    assert path_walk.end == "/srv/plugins"
    assert [step.path for step in path_walk.steps] == ["/opt", "/opt/mattermost", "/srv"]


def test_missing_part_behind_a_good_link_is_missing_not_dangling(host: Path) -> None:
    (host / "opt/mm").symlink_to("mattermost")
    path_walk = walk(Root(str(host)), "/opt/mm/plugins")
    assert path_walk.missing == ("/opt/mattermost/plugins",)


def test_dangling_link_is_named(host: Path) -> None:
    (host / "opt/mattermost/plugins").symlink_to("/srv/gone/deep")
    for path in ("/opt/mattermost/plugins", "/opt/mattermost/plugins/inner"):
        path_walk = walk(Root(str(host)), path)
        assert path_walk.blocked is not None
        assert (path_walk.blocked.kind, path_walk.blocked.path) == ("not-a-directory", "/opt/mattermost/plugins")
        assert "/srv/gone" in path_walk.blocked.evidence
        assert "create /srv/gone" in path_walk.blocked.remedy


def test_link_to_a_dangling_link(host: Path) -> None:
    (host / "opt/a").symlink_to("b")
    (host / "opt/b").symlink_to("gone")
    blocked = walk(Root(str(host)), "/opt/a").blocked
    assert blocked is not None
    assert blocked.path == "/opt/a"
    assert "/opt/gone" in blocked.evidence


def test_loop(host: Path) -> None:
    (host / "opt/a").symlink_to("b")
    (host / "opt/b").symlink_to("a")
    blocked = walk(Root(str(host)), "/opt/a/c").blocked
    assert blocked is not None
    assert blocked.kind == "not-a-directory"
    assert "loop" in blocked.evidence


@pytest.mark.parametrize("kind", ["file", "FIFO", "socket"])
@pytest.mark.parametrize("behind", ["", "/inner"])
def test_something_else_in_the_way(host: Path, kind: str, behind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = host / "opt/mattermost/plugins"
    if kind == "file":
        place.write_text("keep me")
    elif kind == "FIFO":
        os.mkfifo(place)
    else:
        monkeypatch.chdir(place.parent)  # a socket's path may have 107 bytes
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("plugins")
    blocked = walk(Root(str(host)), f"/opt/mattermost/plugins{behind}").blocked
    assert blocked is not None
    assert (blocked.kind, blocked.path) == ("not-a-directory", "/opt/mattermost/plugins")
    assert f"it is a {kind}" in blocked.evidence


def test_link_in_an_image_does_not_leave_it(host: Path) -> None:
    (host / "opt/mattermost/plugins").symlink_to("/etc")
    assert walk(Root(str(host)), "/opt/mattermost/plugins").blocked is not None
    assert walk(LIVE, str(host / "opt/mattermost/plugins")).end == "/etc"


@given(st.lists(st.sampled_from(["a", "b", "c", "..", "."]), min_size=1, max_size=5), st.data())
@settings(max_examples=60)
def test_ends_where_the_kernel_ends(
    tmp_path_factory: pytest.TempPathFactory, parts: List[str], data: st.DataObject
) -> None:
    top = tmp_path_factory.mktemp("way")
    (top / "a/b/c").mkdir(parents=True)
    (top / "b").mkdir()
    targets = st.sampled_from(["a", "b", "../a", "../b", "c", "a/b", "..", "gone", str(top / "a")])
    for place in ("a/a", "a/b/b", "b/a", "b/c", "c"):
        if data.draw(st.booleans()):
            (top / place).symlink_to(data.draw(targets))
    path = "/".join([str(top), *parts])
    path_walk = walk(LIVE, path)
    if os.path.isdir(path):
        assert path_walk.last is not None
        assert os.path.samefile(path, path_walk.last.path)
        assert path_walk.end == os.path.realpath(path)
    else:
        assert path_walk.last is None
        assert path_walk.blocked is not None or not os.path.lexists(path_walk.end)
        if path_walk.missing and ".." not in parts:
            os.makedirs(path)  # the kernel's own way to it
            assert os.path.realpath(path) == path_walk.end


def test_opened_refuses_a_link_anywhere(host: Path) -> None:
    root = Root(str(host))
    with opened(root, "/opt/mattermost/client") as handle:
        assert os.fstat(handle).st_ino == os.stat(host / "opt/mattermost/client").st_ino
    (host / "opt/mattermost").rename(host / "opt/real")
    (host / "opt/mattermost").symlink_to("real")
    with pytest.raises(NotADirectoryError), opened(root, "/opt/mattermost/client"):
        pass


def test_opened_leaves_no_descriptor(host: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for path in ("/opt/mattermost/client", "/opt/gone"):
        try:
            with opened(Root(str(host)), path):
                pass
        except FileNotFoundError:
            assert path == "/opt/gone"
    assert os.listdir("/proc/self/fd") == before
