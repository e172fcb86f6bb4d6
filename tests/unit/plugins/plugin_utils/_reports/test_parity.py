# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do nodes agree: against a definition written out again, whatever the order of the nodes."""

from __future__ import annotations

import copy
import itertools
from typing import Any, Dict, Optional

from ansible_collections.plugops.mattermost.plugins.plugin_utils._reports.parity import compare_nodes, compare_with_pins
from hypothesis import given
from hypothesis import strategies as st

ID = "com.example.plugin.files"  # its name looks like one of the values


def _report(version: str = "1.0.0", paths: Any = None, enabled: bool = True, **settings: Any) -> Dict[str, Any]:
    paths = {"plugin.json": "aa", "server/run": "bb*"} if paths is None else paths
    tree = "/".join(f"{name}={digest}" for name, digest in sorted(paths.items()))
    plugin = {"version": version, "tree": tree, "enabled": True, "managed": False, "active": None, "paths": paths}
    return {
        "plugins": {"server_version": "9.10.0", "directory": "/opt/x/plugins", "installed": {ID: plugin}},
        "settings": {"settings": {"Enable": True, **settings}, "states": {ID: enabled}, "path": "/opt/x/config.json"},
    }


def test_agreement() -> None:
    assert compare_nodes({}) == []
    assert compare_nodes({"app1": _report()}) == []
    other = _report()
    other["plugins"]["directory"] = "/srv/plugins"
    other["plugins"]["installed"][ID]["active"] = True
    assert compare_nodes({"app1": _report(), "app2": other}) == []


def test_who_differs_in_which_file() -> None:
    reports = {
        "app1": _report(),
        "app2": _report(paths={"plugin.json": "aa", "server/run": "bb", "added": "cc"}),
        "app3": _report(),
    }
    (difference,) = compare_nodes(reports)
    assert difference.name == f"plugins.{ID}.files"
    assert difference.odd == ["app2"]
    assert difference.files == ["added", "server/run"]
    assert set(difference.values) == set(reports)
    assert str(difference).startswith(f"plugins.{ID}.files differs on app2 - app1: ")
    assert str(difference).endswith("(files: added, server/run)")
    assert difference.as_dict()["files"] == ["added", "server/run"]


def test_no_majority_blames_nobody_alone() -> None:
    reports = {"app1": _report("1.0.0"), "app2": _report("2.0.0")}
    (difference,) = compare_nodes(reports)
    assert (difference.name, difference.odd) == (f"plugins.{ID}.version", ["app1", "app2"])
    four = {f"app{number}": _report("1.0.0" if number < 3 else "2.0.0") for number in range(1, 5)}
    assert compare_nodes(four)[0].odd == ["app1", "app2", "app3", "app4"]


def test_missing_plugin_and_missing_report() -> None:
    without = _report()
    without["plugins"]["installed"] = {}
    found = {
        difference.name: difference for difference in compare_nodes({"a": _report(), "b": without, "c": _report()})
    }
    assert set(found) == {f"plugins.{ID}.{aspect}" for aspect in ("version", "files", "enabled")}
    assert all(difference.odd == ["b"] and difference.values["b"] is None for difference in found.values())
    assert found[f"plugins.{ID}.files"].files == [], "what is not there differs in no file"
    short = _report(paths={"a": "1"})
    del short["plugins"]["installed"][ID]["paths"]  # a report that was not asked to name files
    assert [difference.files for difference in compare_nodes({"a": _report(), "b": short})] == [[]]
    assert {difference.name for difference in compare_nodes({"a": _report(), "b": {}})} == {
        *found,
        "server_version",
        "settings.Enable",
        f"settings.PluginStates.{ID}",
    }


def test_true_is_not_one_and_order_of_keys_is_nothing() -> None:
    (difference,) = compare_nodes({"a": _report(X=1), "b": _report(X=True)})
    assert difference.name == "settings.X"
    one, other = {"a": {"x": 1, "y": [1]}}, {"a": {"y": [1], "x": 1}}
    assert compare_nodes({"a": _report(Plugins=one), "b": _report(Plugins=other)}) == []
    assert compare_nodes({"a": _report(List=[1, 2]), "b": _report(List=[2, 1])})[0].name == "settings.List"


def test_states_of_plugins_that_are_not_there_count_too() -> None:
    (difference,) = compare_nodes({"a": _report(enabled=True), "b": _report(enabled=False), "c": _report()})
    assert (difference.name, difference.odd) == (f"settings.PluginStates.{ID}", ["b"])


def test_many_files_are_counted() -> None:
    many = {f"f{number:02}": "x" for number in range(25)}
    (difference,) = compare_nodes({"a": _report(paths=many), "b": _report(paths=dict.fromkeys(many, "y"))})
    assert difference.files == [*sorted(many)[:20], "and 5 more"]


SETTINGS = st.dictionaries(
    st.sampled_from(["Enable", "EnableUploads", "Directory"]), st.sampled_from([True, False, 1, "x", None]), max_size=3
)
REPORTS = st.lists(
    st.builds(
        lambda version, paths, settings: _report(version, paths, **settings),
        st.sampled_from(["1", "2"]),
        st.dictionaries(st.sampled_from(["a", "b/c"]), st.sampled_from(["1", "2"]), max_size=2),
        SETTINGS,
    )
    | st.just({}),
    min_size=1,
    max_size=4,
)


@given(REPORTS)
def test_whatever_the_order_of_the_nodes(reports: Any) -> None:
    nodes = {f"app{number}": report for number, report in enumerate(reports)}
    before = copy.deepcopy(nodes)
    expected = [difference.as_dict() for difference in compare_nodes(nodes)]
    assert nodes == before
    assert [item["name"] for item in expected] == sorted({item["name"] for item in expected})
    for order in itertools.permutations(nodes):
        assert [item.as_dict() for item in compare_nodes({node: nodes[node] for node in order})] == expected


@given(REPORTS)
def test_odd_are_those_that_the_most_do_not_agree_with(reports: Any) -> None:
    nodes = {f"app{number}": report for number, report in enumerate(reports)}
    for difference in compare_nodes(nodes):
        camps = [
            {node for node, other in difference.values.items() if (type(other), other) == (type(value), value)}
            for value in difference.values.values()
        ]
        largest = max(camps, key=len)
        alone = all(camp == largest or len(camp) < len(largest) for camp in camps)
        assert difference.odd == sorted(set(nodes) - largest if alone else nodes)
        assert difference.odd


# Bytes of bundles, values of plugins' settings, what servers write by themselves.


def test_bundles_and_settings_are_compared_and_no_fingerprint_is_shown() -> None:
    one, two, three = _report(), _report(), _report()
    for report, bundle, token in ((one, "aa", "f1"), (two, "aa", "f1"), (three, "bb", "f2")):
        report["plugins"]["installed"][ID]["bundle"] = bundle
        report["settings"]["fingerprints"] = {ID: {"token": token, "same": "f0"}}
    found = {item.name: item for item in compare_nodes({"app1": one, "app2": two, "app3": three})}
    assert set(found) == {f"plugins.{ID}.bundle", f"settings.Plugins.{ID}.token"}
    assert {item.odd[0] for item in found.values()} == {"app3"}
    shown = found[f"settings.Plugins.{ID}.token"].values
    assert shown == {
        "app1": "value 1 (not shown)",
        "app2": "value 1 (not shown)",
        "app3": "value 2 (not shown)",
    }


def test_a_node_that_keeps_no_bundle_of_the_files_that_it_runs_does_not_differ() -> None:
    one, two = _report(), _report()
    one["plugins"]["installed"][ID]["bundle"] = "aa"
    two["plugins"]["installed"][ID]["bundle"] = None
    assert compare_nodes({"app1": one, "app2": two}) == []
    two["plugins"]["installed"][ID]["bundle"] = "bb"
    assert [item.name for item in compare_nodes({"app1": one, "app2": two})] == [f"plugins.{ID}.bundle"]
    one, two = _report(), _report()
    one["settings"]["fingerprints"] = {ID: {"bundle": "f1"}}
    assert [item.name for item in compare_nodes({"app1": one, "app2": two})] == [f"settings.Plugins.{ID}.bundle"]


def test_what_a_server_seeds_is_no_difference_until_somebody_says_otherwise() -> None:
    one, two = _report(), _report()
    one["settings"]["states"]["com.mattermost.nps"] = True
    assert compare_nodes({"app1": one, "app2": two}) == []
    two["settings"]["states"]["com.mattermost.nps"] = False
    (difference,) = compare_nodes({"app1": one, "app2": two})
    assert difference.name == "settings.PluginStates.com.mattermost.nps"
    one["settings"]["states"], two["settings"]["states"] = {"com.example.new": True}, {}
    assert [item.name for item in compare_nodes({"app1": one, "app2": two})] == [
        "settings.PluginStates.com.example.new"
    ]


# Against a lock file.

PIN = {"present": True, "version": "1.0.0", "enabled": True, "bundle": "aa", "files": ""}


def _pinned(pin: Any, *plugins: Dict[str, Any]) -> Dict[str, Any]:
    reports = {f"app{number}": _report() for number in range(1, len(plugins) + 1)}
    for report, more in zip(reports.values(), plugins):
        report["plugins"]["installed"][ID].update(more)
    found = compare_with_pins(reports, {ID: pin} if pin else {}, "plugins.lock.yml")
    return {item.name.rpartition(".")[2]: (item.values["plugins.lock.yml"], item.odd) for item in found}


def test_a_lock_file_is_held_against_every_node() -> None:
    right = {"bundle": "aa"}
    assert _pinned(PIN, right, right) == {}
    assert _pinned(PIN, right, {"bundle": None}) == {}, "whoever has no bundle has no other one"
    assert _pinned(PIN, right, {"bundle": "bb"}) == {"bundle": ("aa", ["app2"])}
    assert _pinned(PIN, {**right, "version": "2.0.0"}) == {"version": ("1.0.0", ["app1"])}
    assert _pinned({**PIN, "enabled": False}, right, right) == {"enabled": (False, ["app1", "app2"])}
    tree = _report()["plugins"]["installed"][ID]["tree"]
    by_files = {**PIN, "files": tree}
    assert _pinned(by_files, {"bundle": "packed otherwise"}) == {}
    assert _pinned(by_files, right, {"tree": "other"}) == {"files": (tree, ["app2"])}


def test_what_is_there_and_not_pinned_and_the_other_way_round() -> None:
    assert _pinned(None, {}, {}) == {"version": (None, ["app1", "app2"])}
    assert _pinned({"present": False}, {}) == {"version": (None, ["app1"])}
    (*_, missing) = compare_with_pins({"app1": _report()}, {"com.example.z": PIN}, "lock")
    assert missing.odd == ["app1"]
    seeded = _report()
    seeded["plugins"]["installed"] = {"com.mattermost.calls": seeded["plugins"]["installed"][ID]}
    assert compare_with_pins({"app1": seeded}, {}, "lock") == []


def test_what_a_server_brings_along_needs_no_pin() -> None:
    report = _report()
    assert [difference.name for difference in compare_with_pins({"app1": report}, {}, "lock")] == [f"lock.{ID}.version"]
    report["plugins"]["prepackaged"] = {ID: {"version": "1.0.0"}}
    assert compare_with_pins({"app1": report}, {}, "lock") == []
    report["plugins"]["prepackaged"] = {ID: {"version": "0.9.0"}}
    assert len(compare_with_pins({"app1": report}, {}, "lock")) == 1


def test_files_that_only_an_api_could_tell_are_no_difference() -> None:
    def report(tree: Optional[str]) -> Dict[str, Any]:
        plugin = {"version": "1.0.0", "tree": tree, "enabled": True}
        return {"plugins": {"server_version": "9.10.0", "installed": {"com.example.a": plugin}}}

    assert compare_nodes({"a": report("f"), "b": report(None)}) == []
    names = [item.name for item in compare_nodes({"a": report("f"), "b": report(None), "c": report("g")})]
    assert names == ["plugins.com.example.a.files"]
    pin = {"present": True, "version": "1.0.0", "enabled": True, "bundle": "b", "files": "f"}
    assert compare_with_pins({"a": report(None)}, {"com.example.a": pin}, "lock") == []
