# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one shape of every module, with a resource that keeps its state in a dict."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.difference import Tracker
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.resource import (
    Pending,
    Resource,
    ensure,
    inspect,
)


class Lamp(Resource[Dict[str, Any]]):
    """``stuck`` values do not change whatever is applied."""

    name = "lamp"

    def __init__(self, state: Dict[str, Any], wanted: Dict[str, Any], stuck: Any = (), secret: bool = False) -> None:
        self.state, self.wanted, self.stuck, self.secret = state, wanted, stuck, secret
        self.calls: List[str] = []

    def observe(self) -> Dict[str, Any]:
        self.calls.append("observe")
        return dict(self.state)

    def compare(self, found: Dict[str, Any]) -> Tracker:
        tracker = Tracker()
        for key, value in self.wanted.items():
            tracker.add(f"lamp.{key}", found.get(key), value, f"switch {key}", self.secret)
        return tracker

    def apply(self, found: Dict[str, Any], differences: Tracker) -> None:
        self.calls.append(f"apply {differences.names()}")
        self.state.update({key: value for key, value in self.wanted.items() if key not in self.stuck})

    def pending(self, found: Dict[str, Any]) -> Pending:
        return Pending(restart=["the bulb is hot"] if found.get("on") else [])

    def facts(self, found: Dict[str, Any]) -> Dict[str, Any]:
        return found

    def warnings(self, found: Dict[str, Any]) -> List[str]:
        return ["bright"] if found.get("on") else []


def test_mends_and_proves_it() -> None:
    lamp = Lamp({"on": False, "colour": "red"}, {"on": True, "colour": "red"})
    outcome = ensure(lamp, check_mode=False)
    assert lamp.calls == ["observe", "apply ['lamp.on']", "observe"]
    assert outcome.facts == {"on": True, "colour": "red"}
    assert outcome.warnings == ["bright"]
    assert outcome.result() == {
        "changed": True,
        "differences": [{"name": "lamp.on", "found": False, "wanted": True, "action": "switch on"}],
        "diff": {"before": {"lamp.on": False}, "after": {"lamp.on": True}},
        "restart_required": True,
        "reload_required": False,
        "pending": {"restart": ["the bulb is hot"], "reload": []},
    }


class Fused(Lamp):
    """What would fail half-way is known before."""

    def check_preconditions(self, found: Dict[str, Any], differences: Tracker) -> None:
        self.calls.append(f"check {differences.names()}")
        if "no bulb" in self.state:
            raise OperatorError("there is no bulb")


@pytest.mark.parametrize("check_mode", [True, False])
def test_preconditions_are_checked_before_anything_changes(check_mode: bool) -> None:
    lamp = Fused({"on": False, "no bulb": True}, {"on": True})
    with pytest.raises(OperatorError, match="no bulb"):
        ensure(lamp, check_mode)
    assert lamp.calls == ["observe", "check ['lamp.on']"]
    assert lamp.state["on"] is False
    del lamp.state["no bulb"], lamp.calls[:]
    ensure(lamp, check_mode)
    change = [] if check_mode else ["apply ['lamp.on']", "observe"]
    assert lamp.calls == ["observe", "check ['lamp.on']", *change]


def test_nothing_to_do_touches_nothing() -> None:
    lamp = Lamp({"on": True}, {"on": True})
    assert ensure(lamp, check_mode=False).result()["changed"] is False
    assert lamp.calls == ["observe"]


@pytest.mark.parametrize("look", [inspect, lambda resource: ensure(resource, check_mode=True)])
def test_check_mode_predicts_what_a_run_reports(look: Any) -> None:
    lamp = Lamp({"on": False}, {"on": True, "colour": "blue"})
    predicted = look(lamp).result()
    assert lamp.state == {"on": False}
    assert lamp.calls == ["observe"]
    done = ensure(lamp, check_mode=False).result()
    assert (predicted["differences"], predicted["diff"]) == (done["differences"], done["diff"])


def test_what_does_not_stay_changed_is_an_error() -> None:
    lamp = Lamp({"on": False, "colour": "red"}, {"on": True, "colour": "blue"}, stuck=("colour",))
    with pytest.raises(OperatorError, match=r"still different after the change: lamp\.colour - found: red; wanted"):
        ensure(lamp, check_mode=False)


def test_no_secret_in_that_error() -> None:
    lamp = Lamp({"token": "old-secret"}, {"token": "new-secret"}, stuck=("token",), secret=True)
    with pytest.raises(OperatorError, match=r"lamp\.token") as raised:
        ensure(lamp, check_mode=False)
    assert "secret" not in str(raised.value)
