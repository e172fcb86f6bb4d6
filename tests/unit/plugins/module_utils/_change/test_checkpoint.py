# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which checkpoint a node goes back to, and which may go."""

from __future__ import annotations

from typing import List, Optional

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._change.checkpoint import (
    Checkpoint,
    RecordedPlugin,
    State,
    check_name,
    find,
    outdated,
    previous,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError


def state(**versions: str) -> State:
    plugins = {name: RecordedPlugin(version, f"tree {version}", True, "unpacked") for name, version in versions.items()}
    return State(plugins, {})


def checkpoint(
    name: str, change: str = "", reverts: str = "", only: Optional[List[str]] = None, **versions: str
) -> Checkpoint:
    return Checkpoint(1, name, "", state(**versions), change, reverts, only)


NOW = state(a="9", b="9")


def test_the_state_before_the_last_change() -> None:
    assert previous([checkpoint("1", "x"), checkpoint("2", "y")], NOW, None).name == "2"


def test_runs_in_a_row_with_one_aim_are_one_change() -> None:
    known = [checkpoint("1", "x"), checkpoint("2", "y"), checkpoint("3", "y"), checkpoint("4", "y")]
    assert previous(known, NOW, None).name == "2"


def test_a_rollback_is_no_change() -> None:
    known = [checkpoint("1", "x"), checkpoint("undo", reverts="1")]
    assert previous(known, NOW, None).name == "1"
    assert previous([*known, checkpoint("3", "x")], NOW, None).name == "3"


def test_one_plugin_goes_back_to_before_its_own_last_change() -> None:
    known = [checkpoint("1", "x", a="8", b="8"), checkpoint("2", "y", a="9", b="8")]
    assert previous(known, NOW, ["b"]).name == "2"
    assert previous(known, NOW, ["a"]).name == "1"
    rolled_back = [*known, checkpoint("undo", reverts="1", only=["a"], a="9", b="9")]
    after = state(a="8", b="9")
    assert previous(rolled_back, after, ["a"]).name == "1"
    assert previous(rolled_back, after, ["b"]).name == "2"
    assert previous(rolled_back, after, None).name == "2"


def test_none_is_an_error_that_names_those_that_there_are() -> None:
    with pytest.raises(OperatorError, match="no checkpoint of a change of c"):
        previous([checkpoint("1", a="9", b="9")], NOW, ["c"])
    with pytest.raises(OperatorError, match="one, two"):
        find([checkpoint("one"), checkpoint("two")], "three")


def test_the_way_back_from_the_last_change_is_kept() -> None:
    known = [checkpoint("1", "x"), checkpoint("2", "y"), checkpoint("3", "y"), checkpoint("4", "y")]
    assert [item.name for item in outdated(known, 1)] == ["1", "3"]
    rolled_back = [checkpoint("1", "x"), checkpoint("2", "y"), checkpoint("undo", reverts="1")]
    assert [item.name for item in outdated(rolled_back, 1)] == []


@pytest.mark.parametrize("name", ["", "../x", ".x", "a/b", "x" * 101, "ä"])
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(OperatorError, match="cannot be the name"):
        check_name(name)
