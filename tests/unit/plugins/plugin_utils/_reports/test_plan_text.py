# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan in words."""

from __future__ import annotations

from typing import Any, Dict

import pytest
from ansible_collections.plugops.mattermost.plugins.plugin_utils._reports.plan_text import plan_lines, rollback_lines

DIFFERENCE = {"name": "settings.EnableUploads", "found": False, "wanted": True, "action": "set in /c/config.json"}


def test_plan() -> None:
    reports = {
        "app2": {
            "differences": [],
            "errors": [],
            "pending": {"restart": ["plugins changed", "cwd"]},
            "expected_restart": ["its directory changes"],
        },
        "app1": {
            "differences": [DIFFERENCE, {"name": "plugins.p", "found": "1.0", "wanted": None, "action": "remove it"}],
            "errors": [{"concern": "plugins", "msg": "no way"}],
        },
    }
    assert plan_lines(reports) == [
        "app1: 2 to change",
        "  settings.EnableUploads: False -> True",
        "      set in /c/config.json",
        "  plugins.p: 1.0 -> (none)",
        "      remove it",
        "  NOT POSSIBLE (plugins): no way",
        "app2: nothing to do, and a restart (plugins changed; cwd; its directory changes)",
    ]


def test_long_values_are_cut_and_short_ones_are_not() -> None:
    report = {"differences": [{"name": "n", "found": "x" * 68, "wanted": "y" * 69, "action": "a"}]}
    assert plan_lines({"app1": report})[1] == f"  n: {'x' * 68} -> {'y' * 65}..."


@pytest.mark.parametrize(
    "report",
    [
        {"failed": True, "msg": "no python"},
        {"unreachable": True, "msg": "no python"},
        {"failed": True, "msg": "no python", "differences": [DIFFERENCE]},
    ],
)
def test_a_node_that_gave_no_report_is_never_fine(report: Dict[str, Any]) -> None:
    assert plan_lines({"app1": report}) == ["app1: no report: no python"]


@pytest.mark.parametrize("report", [{"failed": True}, {"unreachable": True}, {}, {"skipped": True}])
def test_nor_is_one_that_does_not_say_why(report: Dict[str, Any]) -> None:
    (line,) = plan_lines({"app1": report})
    assert line.startswith("app1: no report: ")


def test_errors_alone_are_not_nothing_to_do() -> None:
    lines = plan_lines({"app1": {"differences": [], "errors": [{"concern": "settings", "msg": "broken"}]}})
    assert lines == ["app1: 0 to change", "  NOT POSSIBLE (settings): broken"]


def test_a_plan_is_lines_of_its_own_alone() -> None:
    odd = "x\x1b[2K\n  ok: nothing to do\u202e"
    difference = {"name": odd, "found": odd, "wanted": odd, "action": odd}
    report = {"differences": [difference], "errors": [{"concern": odd, "msg": odd}], "expected_restart": [odd]}
    lines = plan_lines({odd: report, "down": {"msg": odd}})
    assert all(line.isprintable() for line in lines)
    checkpoint = {"name": odd, "taken": odd}
    lines = rollback_lines(
        {odd: {**report, "checkpoint": checkpoint, "checkpoints": [checkpoint]}, "down": {"msg": odd}}
    )
    assert all(line.isprintable() for line in lines)
