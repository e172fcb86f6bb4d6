# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a roll-out went, in words."""

from __future__ import annotations

from typing import Any, Dict

import pytest
from ansible_collections.plugops.mattermost.plugins.plugin_utils._reports.rollout import failure, stopped, unfinished

WHY = {
    "task": "Assert that the app server is healthy",
    "msg": "It did not become healthy within 60 s: com.example.a does not run.",
}


def of(**app2: Any) -> Dict[str, Dict[str, Any]]:
    return {"app1": {"stage": "done"}, "app2": {**WHY, **app2}, "app3": {"stage": "ready"}, "app4": {}}


@pytest.mark.parametrize("stage", ["ready", "untouched", "done", "undone"])
def test_it_goes_on(stage: str) -> None:
    assert stopped(of(stage=stage)) == []
    assert failure("app2", of(stage=stage)) == ""


@pytest.mark.parametrize("stage", ["preparing", "blocked", "changing", "failed"])
def test_it_stops(stage: str) -> None:
    assert stopped(of(stage=stage)) == ["app2"]


def test_a_failed_node_that_was_restored() -> None:
    assert failure("app2", of(stage="failed", restored=True)) == (
        "It did not become healthy within 60 s: com.example.a does not run "
        "(task: Assert that the app server is healthy). "
        "This app server was restored to its state before the change: settings, plugins and drop-in. "
        "Have the change: app1. Were not touched: app3. What to do: fix the cause, then run site.yml again."
    )


@pytest.mark.parametrize(
    ("rollout", "text"),
    [
        ({}, "Nothing was changed on this app server. Have"),
        (
            {"restored": False, "restore_msg": "no space."},
            "COULD NOT be restored: no space. It is still out of service.",
        ),
        ({"drained": True}, "This app server was not restored. It is still out of service. Have"),
        ({"restored": True, "drained": True}, "settings, plugins and drop-in. It is still out of service. Have"),
    ],
)
def test_what_became_of_it(rollout: Dict[str, Any], text: str) -> None:
    assert text in failure("app2", of(stage="failed", **rollout))


def test_blocked_before_anything_was_changed() -> None:
    rollouts = {"app1": {"stage": "ready"}, "app2": {"stage": "blocked", **WHY}, "app3": {"stage": "untouched"}}
    text = failure("app2", rollouts)
    assert text.startswith("No app server was changed: It did not become healthy")
    assert "Were not touched: app1. Had nothing to change: app3." in text


def test_nodes_that_were_restored_or_lost_are_named() -> None:
    rollouts = {"app1": {"stage": "undone"}, "app2": {"stage": "failed", **WHY}, "app3": {"stage": "changing"}}
    text = failure("app2", rollouts)
    assert "Had the change and were restored: app1." in text
    assert "Lost while being changed, and not restored: app3." in text


def test_one_with_the_change_that_could_not_be_restored() -> None:
    rollouts = {"app1": {"stage": "failed", "restored": False, "restore_msg": "no space."}}
    assert failure("app1", rollouts).startswith(
        "Another app server failed, and this one was to be restored too. "
        "This app server COULD NOT be restored: no space."
    )


@pytest.mark.parametrize(
    ("rollout", "begun", "expected"),
    [
        ({"stage": "done"}, {"run": "other"}, False),
        ({"stage": "changing"}, None, True),
        ({"stage": "failed", "restored": True}, None, False),
        ({"stage": "failed", "restored": False}, None, True),
        ({"stage": "failed", "restored": True, "drained": True}, None, True),
        ({"stage": "undone", "restored": True}, None, False),
        ({"stage": "ready"}, {"run": "other"}, True),
        ({"stage": "blocked"}, {"run": "other"}, True),
        ({"stage": "untouched"}, None, False),
    ],
)
def test_what_a_later_run_has_to_end(rollout: Dict[str, Any], begun: Any, expected: bool) -> None:
    assert unfinished(rollout, {"unfinished": begun}) is expected
