# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs that were killed have left of their deliveries."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.delivery import clear_deliveries, delivery_name

MINE, GONE = delivery_name(["app1", "/a"], "mine"), delivery_name(["app1", "/a"], "gone")
OTHER_NODE = [delivery_name(["app1", "/b"], "mine"), delivery_name(["app2", "/a"], "gone")]


@pytest.fixture
def tmp(tmp_path: Path) -> Path:
    """A user's remote_tmp: our delivery, that of a run that is gone, other nodes', and directories of other tasks."""
    for number, name in enumerate([MINE, GONE, "AnsiballZ_ping.py", *OTHER_NODE], start=1):
        (tmp_path / f"ansible-tmp-{number}").mkdir()
        (tmp_path / f"ansible-tmp-{number}" / name).touch()
    return tmp_path


def left(tmp: Path) -> list[str]:
    return sorted(file.name for file in tmp.rglob("*") if file.is_file())


def test_the_holder_of_the_lock_removes_what_others_have_left(tmp: Path) -> None:
    clear_deliveries(str(tmp / "ansible-tmp-1" / MINE), "mine")
    assert left(tmp) == sorted(["AnsiballZ_ping.py", *OTHER_NODE])
    assert len(list(tmp.iterdir())) == 3


@pytest.mark.parametrize("holder", [None, "gone"])
def test_without_the_lock_it_is_not_known_who_is_at_work(tmp: Path, holder: str | None) -> None:
    clear_deliveries(str(tmp / "ansible-tmp-1" / MINE), holder)
    assert left(tmp) == sorted([GONE, "AnsiballZ_ping.py", *OTHER_NODE])


def test_a_directory_that_is_a_link_is_not_followed(tmp: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / GONE).touch()
    (tmp / "ansible-tmp-9").symlink_to(elsewhere)
    clear_deliveries(str(tmp / "ansible-tmp-1" / MINE), "mine")
    assert (elsewhere / GONE).exists()


def test_what_is_not_in_a_directory_of_ansible_keeps_its_directory(tmp_path: Path) -> None:
    delivery = tmp_path / "bundles.tar"
    delivery.touch()
    clear_deliveries(str(delivery), None)
    assert left(tmp_path) == []
