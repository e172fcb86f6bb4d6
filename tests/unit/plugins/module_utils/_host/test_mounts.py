# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts, against real ones in a mount namespace of their own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._host.mounts import (
    Mount,
    mount_blockers,
    mount_of,
    parse_mountinfo,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._host.root import Root

from plugops_tests.support.playbooks import REPOSITORY

COLLECTIONS = REPOSITORY / "collections"
# Runs in the namespace: mounts vanish with it, whatever happens.
LOOK = """
import json, sys
from ansible_collections.plugops.mattermost.plugins.module_utils._host.mounts import mount_blockers
from ansible_collections.plugops.mattermost.plugins.module_utils._host.root import Root
answer = [found.as_dict() for found in mount_blockers(Root(sys.argv[2] or None), sys.argv[1], sys.argv[3] == "1")]
print(json.dumps(answer))
"""


def look_at_mount(point: Path, options: str, path: str, root: str = "", must_execute: bool = True) -> List[Any]:
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount")
    script = (
        'mount -t tmpfs -o "$1" plugops-test "$2"; mkdir "$2/deep dir"; mount -o "remount,$3" "$2"; shift 3; exec "$@"'
    )
    argv = [sys.executable, "-c", LOOK, path, root, "1" if must_execute else "0"]
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "--propagation=private",
            "sh",
            "-ec",
            script,
            "sh",
            "mode=0755",
            str(point),
            options,
            *argv,
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    )
    if done.returncode != 0 and "unshare" in done.stderr:
        pytest.skip(f"no mount namespaces here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, list)
    return answer


@pytest.fixture
def point(tmp_path: Path) -> Path:
    place = tmp_path / "mount point"
    place.mkdir()
    return place


@pytest.mark.parametrize("inner", ["", "/deep dir"])
def test_read_only(point: Path, inner: str) -> None:
    (found,) = look_at_mount(point, "ro", f"{point}{inner}")
    assert (found["kind"], found["path"], found["fatal"]) == ("mount-read-only", f"{point}{inner}", True)
    assert f"it lies on {point} (plugops-test, tmpfs, ro," in found["evidence"]
    assert f"mount -o remount,rw {shlex.quote(str(point))}," in found["remedy"]


def test_noexec_counts_where_programs_start(point: Path) -> None:
    (found,) = look_at_mount(point, "noexec", str(point))
    assert found["kind"] == "mount-noexec"
    assert f"remount,exec {shlex.quote(str(point))}," in found["remedy"]
    assert look_at_mount(point, "noexec", str(point), must_execute=False) == []


def test_both(point: Path) -> None:
    kinds = [found["kind"] for found in look_at_mount(point, "ro,noexec", str(point))]
    assert kinds == ["mount-read-only", "mount-noexec"]


def test_in_an_image_paths_are_the_hosts_and_noexec_says_nothing(point: Path) -> None:
    (found,) = look_at_mount(point, "ro,noexec", "/deep dir", root=str(point))
    assert (found["kind"], found["path"]) == ("mount-read-only", "/deep dir")


def test_an_ordinary_mount(point: Path) -> None:
    assert look_at_mount(point, "rw,exec", str(point)) == []
    assert [found.kind for found in mount_blockers(Root(), "/proc/self", False)] == []


def test_mountinfo_of_this_machine_agrees_with_findmnt() -> None:
    paths = ["/", "/proc", "/sys/kernel", "/dev/shm", os.getcwd()]
    mounts = parse_mountinfo(Path("/proc/self/mountinfo").read_text())
    for path in paths:
        done = subprocess.run(
            ["findmnt", "-nro", "TARGET", "--target", path], capture_output=True, check=True, text=True
        )
        found = mount_of(os.path.realpath(path), mounts)
        assert found is not None
        assert {found.point} == set(done.stdout.splitlines())  # a point that is mounted over is listed twice


def test_later_mounts_hide_earlier_ones_and_names_are_unescaped() -> None:
    text = (
        "1 0 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
        "2 1 8:2 / /opt/a\\040b ro,noexec shared:1 master:2 - xfs /dev/mapper/x\\134y rw\n"
        "3 1 0:5 / /opt rw - tmpfs tmpfs rw\n"
        "4 1 0:6 / /opt ro - tmpfs second rw\n"
        "broken\n"
    )
    mounts = parse_mountinfo(text)
    assert mounts[1] == Mount("/opt/a b", "ro,noexec", "xfs", "/dev/mapper/x\\y")
    assert len(mounts) == 4
    assert mount_of("/opt/a b/c", mounts) == mounts[1]
    assert mount_of("/opt/x", mounts) == mounts[3]
    assert mount_of("/optical", mounts) == mounts[0]
    assert mount_of("/opt", []) is None
