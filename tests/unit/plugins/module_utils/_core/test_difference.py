# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a difference, and that secrets are never shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.difference import MASK, Difference, Tracker
from hypothesis import given
from hypothesis import strategies as st

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 2.5]) | st.text(max_size=3)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(JSON, JSON)
def test_what_differs_as_json_differs(found: Any, wanted: Any) -> None:
    tracker = Tracker()
    tracker.add("x", found, wanted, "set")
    assert (len(tracker) > 0) == (json.dumps(found, sort_keys=True) != json.dumps(wanted, sort_keys=True))


@pytest.mark.parametrize(
    ("found", "wanted"),
    [(1, True), ([1], [True]), ({"a": 0}, {"a": False}), (1, 1.0), (None, False), ("", None), ([], {})],
)
def test_look_alikes(found: Any, wanted: Any) -> None:
    tracker = Tracker()
    tracker.add("x", found, wanted, "set")
    tracker.add("y", wanted, found, "set")
    assert tracker.names() == ["x", "y"]


def test_order_names_and_prefix() -> None:
    tracker = Tracker()
    tracker.add("settings.Enable", False, True, "a")
    tracker.add("plugins.p.version", "1", "1", "b")
    tracker.add("plugins.p.enabled", False, True, "c")
    tracker.add("plugins.a", "1", None, "d")
    assert tracker.names() == ["settings.Enable", "plugins.p.enabled", "plugins.a"]
    assert [difference.action for difference in tracker.starting_with("plugins.")] == ["c", "d"]
    assert tracker.as_list()[0] == {"name": "settings.Enable", "found": False, "wanted": True, "action": "a"}
    assert tracker.diff() == {
        "before": {"settings.Enable": False, "plugins.p.enabled": False, "plugins.a": "1"},
        "after": {"settings.Enable": True, "plugins.p.enabled": True, "plugins.a": None},
    }


SECRETS = st.text("abcxyz", min_size=6, max_size=12)


@given(SECRETS | st.lists(SECRETS, min_size=1) | st.none(), SECRETS | st.dictionaries(SECRETS, SECRETS) | st.none())
def test_secrets_are_never_shown_yet_told_apart(found: Any, wanted: Any) -> None:
    tracker = Tracker()
    tracker.add("settings.Plugins.p.token", found, wanted, "set", secret=True)
    shown = json.dumps([tracker.as_list(), tracker.diff()])
    for secret in json.dumps([found, wanted]).replace("null", "").translate(str.maketrans('[]{},:"', " " * 7)).split():
        assert secret not in shown.replace("settings.Plugins.p.token", "")
    if len(tracker):
        diff = tracker.diff()
        assert diff["before"] != diff["after"], "a diff that shows no difference"
        assert (tracker.as_list()[0]["found"] is None) == (found is None)
        assert (tracker.as_list()[0]["wanted"] is None) == (wanted is None)


def test_mask_of_one_value() -> None:
    secret = Difference("n", "old", None, "remove", secret=True)
    assert (secret.shown("old"), secret.shown(None), secret.shown("")) == (MASK, None, MASK)
    assert Difference("n", "old", None, "remove").shown("old") == "old"
