# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What most app servers run, or one of them, becomes what the lock file pins."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Dict, List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.adoption import Adoption, adopt
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.entry import Entry
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.lock_file import Lock
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.lock_file_update import (
    differences_of,
    present_lock,
    updated,
    write_lock,
)
from hypothesis import given
from hypothesis import strategies as st

ID = "com.example.todo"
LOCK = Lock("/srv/plugins.lock.yml")
OLD, NEW = "aa" * 32, "bb" * 32


def plugin(version: str = "1.0.0", bundle: Any = OLD, **more: Any) -> Dict[str, Any]:
    return {"version": version, "tree": f"tree of {version}", "enabled": True, "bundle": bundle, **more}


def reports(**nodes: Dict[str, Dict[str, Any]]) -> Dict[str, Dict[str, Any]]:
    return {node: {"plugins": {"installed": installed}} for node, installed in nodes.items()}


def pins(found: Adoption) -> Dict[str, Any]:
    return {pin.id: (pin.version, pin.sha256, pin.tree, pin.enabled) for pin in found.pins}


def test_the_majority_is_the_truth() -> None:
    said = reports(app1={ID: plugin()}, app2={ID: plugin("2.0.0", NEW)}, app3={ID: plugin()})
    assert pins(adopt(said, "majority", LOCK, {})) == {ID: ("1.0.0", OLD, "tree of 1.0.0", True)}
    assert pins(adopt(said, "app2", LOCK, {})) == {ID: ("2.0.0", NEW, "tree of 2.0.0", True)}
    said = reports(app1={ID: plugin()}, app2={}, app3={})
    assert pins(adopt(said, "majority", LOCK, {})) == {}
    assert set(pins(adopt(said, "app1", LOCK, {}))) == {ID}


@pytest.mark.parametrize("other", [{}, {ID: plugin("2.0.0")}, {ID: plugin(enabled=False)}])
def test_without_a_majority_somebody_must_say_who_is_right(other: Dict[str, Any]) -> None:
    with pytest.raises(OperatorError, match=f"no majority of the app servers agrees on {ID}") as raised:
        adopt(reports(app1={ID: plugin()}, app2=other), "majority", LOCK, {})
    assert "app1: 1.0.0 enabled" in raised.value.found
    assert "app2: " in raised.value.found


def test_any_node_of_the_majority_may_have_the_bundle() -> None:
    said = reports(app1={ID: plugin(bundle=None)}, app2={ID: plugin()}, app3={ID: plugin("2.0.0", NEW)})
    assert pins(adopt(said, "majority", LOCK, {}))[ID][1] == OLD
    found = adopt(said, "app1", LOCK, {})
    assert found.pins == []
    assert "app1" in found.unknown[ID]


def test_what_the_server_brings_along_is_left_out() -> None:
    said = reports(app1={"com.mattermost.nps": plugin(bundle=None), "playbooks": plugin(), ID: plugin("")})
    found = adopt(said, "majority", LOCK, {})
    assert found.left_out == ["com.mattermost.nps"]
    assert set(pins(found)) == {"playbooks"}
    assert found.unknown == {ID: "its manifest has no version"}


@pytest.mark.parametrize(("brought", "left_out"), [("1.0.0", [ID]), ("1.1.0", [])])
def test_what_lies_prepackaged_in_the_same_version_is_left_out(brought: str, left_out: List[str]) -> None:
    said = reports(app1={ID: plugin(bundle=None)})
    said["app1"]["plugins"]["prepackaged"] = {ID: {"version": brought}}
    assert adopt(said, "app1", LOCK, {}).left_out == left_out


def test_where_the_bundle_is() -> None:
    said = reports(app1={ID: plugin()})
    (pin,) = adopt(said, "majority", LOCK, {OLD: "/srv/bundles/todo.tar.gz"}).pins
    assert pin.src == "bundles/todo.tar.gz"
    known = Entry(where="", id=ID, version="1.0.0", sha256=OLD, url="https://example.com/todo", signature="todo.sig")
    (pin,) = adopt(said, "majority", Lock(LOCK.path, {ID: known}), {OLD: "/srv/bundles/todo.tar.gz"}).pins
    assert (pin.src, pin.url, pin.signature) == ("", "https://example.com/todo", "todo.sig")
    other = Entry(where="", id=ID, version="0.9.0", sha256=NEW, url="https://example.com/todo")
    (pin,) = adopt(said, "majority", Lock(LOCK.path, {ID: other}), {}).pins
    assert (pin.src, pin.url) == ("", "")


@pytest.mark.parametrize(
    ("said", "truth", "problem"),
    [
        ({}, "majority", "no report"),
        (reports(app1={}), "app2", "no report of the app server"),
        ({"app1": {"errors": [{"msg": "no rights"}]}}, "majority", "no rights"),
    ],
)
def test_nothing_to_adopt(said: Dict[str, Any], truth: str, problem: str) -> None:
    with pytest.raises(OperatorError, match=problem):
        adopt(said, truth, LOCK, {})


# The file.

ENTRIES = st.dictionaries(
    st.sampled_from(["com.a", "com.b", "com.c"]),
    st.builds(
        lambda version, sha256, enabled: {"version": version, "sha256": sha256 * 32, "enabled": enabled},
        st.sampled_from(["1.0.0", "1.10"]),
        st.sampled_from(["aa", "bb"]),
        st.booleans(),
    ),
)


def _lock(fields: Dict[str, Dict[str, Any]]) -> Lock:
    return Lock(LOCK.path, {i: Entry(where=f"{LOCK.path}, {i}", id=i, **said) for i, said in fields.items()})


@given(ENTRIES, ENTRIES, st.booleans())
def test_an_update_says_the_new_keeps_the_rest_and_is_done_at_once(old: Any, new: Any, purge: bool) -> None:
    before, wanted = _lock(old), list(_lock(new).pins.values())
    after = updated(before, wanted, purge)
    assert dict(after.pins) == dict(_lock(new if purge else {**old, **new}).pins)
    assert updated(after, wanted, purge) == after
    differing = {item.name.rpartition(".")[0] for item in differences_of(before, after)} - {""}
    expected = {i for i in {*before.pins, *after.pins} if before.pins.get(i) != after.pins.get(i)}
    assert differing == {f"lock.{i}" for i in expected}


def test_it_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "plugins.lock.yml"
    before = present_lock(str(path))
    after = Lock(str(path), _lock({"com.a": {"version": "1.10", "sha256": OLD, "enabled": True}}).pins)
    assert "lock" in differences_of(before, after).names()
    write_lock(after)
    assert path.stat().st_mode & 0o777 == 0o644
    assert len(differences_of(present_lock(str(path)), after)) == 0
    path.chmod(0o600)
    write_lock(copy.copy(after))
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(OperatorError, match="cannot be written"):
        write_lock(Lock(str(tmp_path / "no" / "lock.yml"), after.pins))
