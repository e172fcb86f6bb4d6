# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of the operator's variables, compared with those that the roles document: a misspelt one has no effect."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import AbstractSet, Any, Dict, FrozenSet, List, Sequence

from ansible.module_utils.common.yaml import yaml_load

from ...module_utils._core.errors import OperatorError

PREFIX = "mattermost_"
_SHORT = 8  # characters after the prefix below which one edit is as much as a misspelling may differ by
_HOSTS_LISTED = 5
_COLLECTION = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 3))


@lru_cache(maxsize=None)
def documented_names() -> FrozenSet[str]:
    """The variables in the argument specs of this collection's roles.

    :raises OperatorError: an argument spec cannot be read
    """
    roles = os.path.join(_COLLECTION, "roles")
    names: List[str] = []
    try:
        for role in sorted(os.listdir(roles)):
            with open(os.path.join(roles, role, "meta", "argument_specs.yml"), encoding="utf-8") as source:
                specs = yaml_load(source)["argument_specs"]
            names += [name for spec in specs.values() for name in spec["options"]]
    except OSError as error:
        raise OperatorError(
            "the argument specs of the collection's roles cannot be read",
            where=str(error.filename or roles),
            found=error.strerror or str(error),
            remedy="install the collection again",
        ) from error
    return frozenset(name for name in names if name.startswith(PREFIX))


@lru_cache(maxsize=None)
def module_names() -> FrozenSet[str]:
    """The modules of this collection; plays register their results under these names."""
    modules = os.path.join(_COLLECTION, "plugins", "modules")
    return frozenset(os.path.splitext(name)[0] for name in os.listdir(modules))


def operators_names(variables: Mapping[str, Any]) -> List[str]:
    """The names that somebody wrote, with our prefix: neither the results of tasks nor facts of the host.

    :param variables: of a host, not templated
    """
    facts = variables.get("ansible_facts")
    found = facts if isinstance(facts, Mapping) else {}
    return sorted(
        name
        for name, value in variables.items()
        if name.startswith(PREFIX) and name not in found and not _is_result(value)
    )


def _is_result(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("changed"), bool)


def closest(name: str, known: AbstractSet[str]) -> str:
    """The known name of which this one is a misspelling; empty if there is none."""
    stem = name[len(PREFIX) :]
    limit = 1 if len(stem) < _SHORT else 2
    distances = {other: edits(stem, other[len(PREFIX) :], limit) for other in known}
    near = sorted((distance, other) for other, distance in distances.items() if distance <= limit)
    return near[0][1] if near else ""


def edits(one: str, other: str, limit: int) -> int:
    """How many characters are inserted, removed, replaced or exchanged with their neighbour between two texts.

    :param limit: a larger number is not counted to its end
    """
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before: Sequence[int] = []
    row: Sequence[int] = range(len(other) + 1)
    for i, char in enumerate(one, 1):
        earlier, before, current = before, row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, current[j - 1] + 1, before[j - 1] + (char != wanted))
            if i > 1 and j > 1 and char == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, earlier[j - 2] + 1)
            current.append(cost)
        row = current
    return row[-1]


def _listed(hosts: Sequence[str]) -> str:
    more = len(hosts) - _HOSTS_LISTED
    return ", ".join(hosts[:_HOSTS_LISTED]) + (f" and {more} more" if more > 0 else "")


class NameCheck:
    """Sorts the unknown names of several hosts into misspelt ones and others.

    :param allowed: further names that belong to the operator
    """

    def __init__(self, allowed: AbstractSet[str]) -> None:
        self._known = documented_names()
        self._allowed = allowed
        self._hosts: Dict[str, List[str]] = {}

    def add(self, host: str, names: Sequence[str]) -> None:
        """Look at the names of one host."""
        for name in names:
            if name not in self._known and name not in self._allowed:
                self._hosts.setdefault(name, []).append(host)

    def misspelt(self) -> List[str]:
        """A message for each name that is close to a documented one."""
        return [
            f"unknown variable {name} on {_listed(hosts)}: did you mean {closest(name, self._known)}?"
            for name, hosts in sorted(self._hosts.items())
            if closest(name, self._known)
        ]

    def others(self) -> List[str]:
        """The names that are close to none, and no names of modules."""
        return [name for name in sorted(self._hosts) if not closest(name, self._known) and name not in module_names()]
