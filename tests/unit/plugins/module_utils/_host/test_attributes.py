# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Immutable flags, ACLs and labels, set by the machine's own tools."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterator

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._host import attributes
from ansible_collections.plugops.mattermost.plugins.module_utils._host.attributes import (
    change_flags,
    flag_blockers,
    has_acl,
    label_blockers,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._host.root import Root

from plugops_tests.support.acl import give_acl
from plugops_tests.support.chattr import chattr

LIVE = Root()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "place"
    path.mkdir()
    yield path
    if shutil.which("chattr"):
        subprocess.run(["chattr", "-i", "-a", str(path)], capture_output=True, check=False)


@pytest.mark.parametrize(("letter", "kind"), [("i", "immutable"), ("a", "append-only")])
def test_flag_is_seen_and_gone_again(place: Path, letter: str, kind: str) -> None:
    assert flag_blockers(LIVE, str(place)) == []
    chattr(f"+{letter}", place)
    (found,) = flag_blockers(LIVE, str(place))
    assert (found.kind, found.path, found.remedy, found.fatal) == (kind, str(place), f"chattr -{letter} {place}", True)
    subprocess.run(found.remedy.split(), check=True)
    assert flag_blockers(LIVE, str(place)) == []


def test_other_flags_are_none_of_ours(place: Path) -> None:
    chattr("+d", place)
    assert change_flags(str(place)) == 0


def test_path_of_an_image(place: Path) -> None:
    chattr("+i", place)
    (found,) = flag_blockers(Root(str(place.parent)), "/place")
    assert (found.path, found.remedy) == ("/place", "chattr -i /place")


def test_what_has_no_flags(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")  # nobody writes to it: opening must not wait
    (tmp_path / "link").symlink_to("fifo")
    for path in ("fifo", "link", "missing"):
        assert change_flags(str(tmp_path / path)) == 0
    assert change_flags("/proc/self") == 0


def test_acl(place: Path) -> None:
    os.chmod(place, 0o755)
    assert not has_acl(str(place))
    give_acl(place, 4123, 0)
    assert has_acl(str(place))
    assert not has_acl(str(place / "missing"))


@pytest.mark.parametrize(
    ("enforce", "label", "kinds"),
    [
        ("1", "system_u:object_r:usr_t:s0", []),
        ("1", "unconfined_u:object_r:user_home_t:s0", ["selinux-label"]),
        ("1\n", "system_u:object_r:unlabeled_t:s0\0", ["selinux-label"]),
        ("0", "unconfined_u:object_r:user_home_t:s0", []),
        ("1", "odd", []),
    ],
)
def test_label(place: Path, monkeypatch: pytest.MonkeyPatch, enforce: str, label: str, kinds: list[str]) -> None:
    # Few machines that build this run SELinux; the label is given by what stands between us and the kernel.
    (place / "enforce").write_text(enforce)
    monkeypatch.setattr(attributes.os, "getxattr", lambda path, name: label.encode())
    found = label_blockers(LIVE, str(place), str(place / "enforce"))
    assert [item.kind for item in found] == kinds
    for item in found:
        assert not item.fatal
        assert item.remedy == f"restorecon -R -v {place}"


def test_no_selinux(place: Path) -> None:
    assert label_blockers(LIVE, str(place), str(place / "missing")) == []
    assert label_blockers(Root(str(place)), "/", str(place / "missing")) == []
