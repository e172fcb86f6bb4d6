# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Misspelt names among those that an operator may give to variables."""

from __future__ import annotations

import pytest
from ansible_collections.plugops.mattermost.plugins.plugin_utils._play.variable_names import (
    NameCheck,
    closest,
    documented_names,
    edits,
    module_names,
    operators_names,
)

KNOWN = documented_names()


def misspelt(*names: str, allowed: frozenset[str] = frozenset()) -> list[str]:
    check = NameCheck(allowed)
    check.add("app1", names)
    return check.misspelt()


def test_the_names_are_those_of_all_roles() -> None:
    assert {"mattermost_plugins", "mattermost_nssm", "mattermost_parity_dest", "mattermost_known_variables"} <= KNOWN
    assert all(name.startswith("mattermost_") for name in KNOWN)
    assert len(KNOWN) > 55


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_documented_name_is_not_reported(name: str) -> None:
    check = NameCheck(frozenset())
    check.add("app1", [name])
    assert (check.misspelt(), check.others()) == ([], [])


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_slip_in_any_documented_name_is(name: str) -> None:
    """A character missing, doubled, or exchanged with the next one."""
    middle = (len("mattermost_") + len(name)) // 2
    slips = {
        name[:-1],
        name[:middle] + name[middle] + name[middle:],
        name[: middle - 1] + name[middle] + name[middle - 1] + name[middle + 1 :],
    }
    for slip in slips - KNOWN:
        assert closest(slip, KNOWN), slip


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("mattermost_plugin_setings", "mattermost_plugin_settings"),
        ("mattermost_pluginsettings", "mattermost_plugin_settings"),
        ("mattermost_plugin_config", "mattermost_plugin_configs"),
        ("mattermost_plugin", "mattermost_plugins"),
        ("mattermost_instal_dir", "mattermost_install_dir"),
        ("mattermost_api_tokne", "mattermost_api_token"),
        ("mattermost_usr", "mattermost_user"),
    ],
)
def test_a_misspelt_name_is_reported_with_the_one_that_is_meant(name: str, meant: str) -> None:
    assert misspelt(name) == [f"unknown variable {name} on app1: did you mean {meant}?"]


@pytest.mark.parametrize(
    "name", ["mattermost_version", "mattermost_database", "mattermost_home", "mattermost_site_url", "mattermost_ldap"]
)
def test_a_name_of_another_role_is_none(name: str) -> None:
    check = NameCheck(frozenset())
    check.add("app1", [name])
    assert (check.misspelt(), check.others()) == ([], [name])


def test_what_the_operator_allows_is_not_reported() -> None:
    names = ("mattermost_users", "mattermost_home")
    check = NameCheck(frozenset(names))
    check.add("app1", names)
    assert (check.misspelt(), check.others()) == ([], [])
    assert len(misspelt("mattermost_users")) == 1


def test_names_of_modules_are_misspelt_at_most() -> None:
    check = NameCheck(frozenset())
    check.add("app1", sorted(module_names()))
    assert check.others() == []
    assert [message.split()[2] for message in check.misspelt()] == ["mattermost_plugin"]


@pytest.mark.parametrize(
    ("hosts", "named"),
    [(2, "app1, app2"), (5, "app1, app2, app3, app4, app5"), (7, "app1, app2, app3, app4, app5 and 2 more")],
)
def test_one_message_names_the_hosts(hosts: int, named: str) -> None:
    check = NameCheck(frozenset())
    for number in range(1, hosts + 1):
        check.add(f"app{number}", ["mattermost_pluginz"])
    assert check.misspelt() == [f"unknown variable mattermost_pluginz on {named}: did you mean mattermost_plugins?"]


def test_results_and_facts_are_not_what_an_operator_wrote() -> None:
    variables = {
        "ansible_facts": {"mattermost_pluginz": "1"},
        "mattermost_pluginz": "1",
        "mattermost_plugin": {"changed": False, "failed": False},
        "mattermost_settingz": {"changed": "of a dictionary that is no result"},
        "mattermost_sockett": None,
        "other": 1,
    }
    assert operators_names(variables) == ["mattermost_settingz", "mattermost_sockett"]
    assert operators_names({}) == []


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("", "", 0),
        ("abc", "abc", 0),
        ("abc", "acb", 1),
        ("abc", "abcd", 1),
        ("abcd", "bcde", 2),
        ("kitten", "sitting", 3),
    ],
)
def test_edits(one: str, other: str, expected: int) -> None:
    for limit in (3, 5):
        assert edits(one, other, limit) == edits(other, one, limit) == expected


def test_edits_beyond_the_limit_are_not_counted_to_the_end() -> None:
    assert edits("a", "abcdefgh", 2) == 3
