# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What differs from what is wanted: the one source of `changed`, of the diff and of the report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Tuple

from .text import one_line

MASK = "********"


@dataclass(frozen=True)
class Difference:
    """One thing that is not as wanted.

    :param name: stable and dotted, e.g. ``settings.EnableUploads`` or ``service.WorkingDirectory``
    :param found: the JSON value found, None where there is nothing
    :param wanted: the JSON value wanted, None where nothing is wanted
    :param action: what fixes it, in words, e.g. ``set in /opt/mattermost/config/config.json``
    :param secret: neither value may be shown
    """

    name: str
    found: Any
    wanted: Any
    action: str
    secret: bool = False

    def shown(self, value: Any) -> Any:
        """The value as it may be shown: a secret that exists is a mask, an absent one stays None."""
        return MASK if self.secret and value is not None else value

    def as_dict(self) -> Dict[str, Any]:
        """As a result has it. Name and action may hold a name that a stranger gave; values keep an operator's lines."""
        return {
            "name": one_line(self.name),
            "found": self.shown(self.found),
            "wanted": self.shown(self.wanted),
            "action": one_line(self.action),
        }


class Tracker:
    """Collects differences in the order in which they are to be fixed."""

    def __init__(self) -> None:
        self._differences: List[Difference] = []

    def add(self, name: str, found: Any, wanted: Any, action: str, secret: bool = False) -> None:
        """Record that ``name`` is ``found`` and should be ``wanted``; the same JSON is no difference."""
        if _spelled(found) != _spelled(wanted):
            self._differences.append(Difference(name, found, wanted, action, secret))

    def __iter__(self) -> Iterator[Difference]:
        return iter(self._differences)

    def __len__(self) -> int:
        return len(self._differences)

    def names(self) -> List[str]:
        return [difference.name for difference in self._differences]

    def starting_with(self, prefix: str) -> List[Difference]:
        return [difference for difference in self._differences if difference.name.startswith(prefix)]

    def as_list(self) -> List[Dict[str, Any]]:
        return [difference.as_dict() for difference in self._differences]

    def diff(self) -> Dict[str, Any]:
        """Ansible's ``diff``: the differing names only, before and after; differing secrets are told apart in words."""
        before, after = self._sides()
        return {"before": before, "after": after}

    def _sides(self) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        before: Dict[str, Any] = {}
        after: Dict[str, Any] = {}
        for difference in self._differences:
            before[difference.name] = difference.shown(difference.found)
            after[difference.name] = difference.shown(difference.wanted)
            if difference.secret and difference.found is not None and difference.wanted is not None:
                after[difference.name] = f"{MASK} (another value)"
        return before, after


def _spelled(value: Any) -> str:
    """As JSON: tells 1, 1.0 and true apart at any depth, as Python's ``==`` does not."""
    return json.dumps(value, sort_keys=True)
