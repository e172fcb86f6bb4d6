# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one shape of every module: observe, compare, apply, observe again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Generic, List, TypeVar

from .difference import Tracker
from .errors import OperatorError

Found = TypeVar("Found")


@dataclass(frozen=True)
class Pending:
    """What the running server has not taken over yet, each as a reason in words (empty: nothing)."""

    restart: List[str] = field(default_factory=list)
    reload: List[str] = field(default_factory=list)


class Resource(Generic[Found]):
    """One thing that a module ensures on one node. ``name`` is the first part of its differences' names."""

    name = ""

    def observe(self) -> Found:
        """What is there. Reads, never writes."""
        raise NotImplementedError

    def compare(self, found: Found) -> Tracker:
        """What differs. Pure."""
        raise NotImplementedError

    def check_preconditions(self, found: Found, differences: Tracker) -> None:
        """Refuse, before anything changes, what would fail midway. May query the running server.

        :raises OperatorError: it would fail
        """

    def apply(self, found: Found, differences: Tracker) -> None:
        """Fix the differences, each atomically, in their order."""
        raise NotImplementedError

    def tidy(self) -> None:
        """Remove what killed runs have left, where no other change would come by it."""

    def restart_reasons(self, found: Found, differences: Tracker) -> List[str]:
        """Why a server that runs now must be restarted once the differences are fixed: what it does not notice."""
        return []

    def require_restart(self, reason: str) -> None:
        """Record on the node that its running server needs a restart. For resources that give reasons."""
        raise NotImplementedError

    def pending(self, found: Found) -> Pending:
        """What the running server still has to take over, from its actual state."""
        return Pending()

    def facts(self, found: Found) -> Dict[str, Any]:
        """What was found, as JSON without secrets: the part of the report that this resource gives."""
        return {}

    def warnings(self, found: Found) -> List[str]:
        """What the operator must know although it is no difference."""
        return []


@dataclass(frozen=True)
class Outcome:
    """What one resource came to: the result of every module is made from it.

    :param expected_restart: why a restart will be required once the differences are fixed; empty when they are
    """

    differences: Tracker
    facts: Dict[str, Any]
    pending: Pending
    warnings: List[str]
    expected_restart: List[str] = field(default_factory=list)

    def result(self) -> Dict[str, Any]:
        return {
            "changed": len(self.differences) > 0,
            "differences": self.differences.as_list(),
            "diff": self.differences.diff(),
            "restart_required": bool(self.pending.restart or self.expected_restart),
            "reload_required": bool(self.pending.reload),
            "pending": {
                "restart": [*self.pending.restart, *self.expected_restart],
                "reload": self.pending.reload,
            },
        }


def inspect(resource: Resource[Found]) -> Outcome:
    """Observe and compare, nothing else: check mode, plan, info and audit."""
    found = resource.observe()
    differences = resource.compare(found)
    resource.check_preconditions(found, differences)
    expected = resource.restart_reasons(found, differences) if len(differences) else []
    return Outcome(differences, resource.facts(found), resource.pending(found), resource.warnings(found), expected)


def ensure(resource: Resource[Found], check_mode: bool) -> Outcome:
    """Make it so, and prove it by observing again; in check mode only inspect.

    :raises OperatorError: also when a difference is left after all was applied
    """
    if check_mode:
        return inspect(resource)
    found = resource.observe()
    differences = resource.compare(found)
    resource.check_preconditions(found, differences)
    if len(differences):
        # Before the change: a run that is killed after it must not leave a server that nobody restarts.
        for reason in resource.restart_reasons(found, differences):
            resource.require_restart(reason)
        resource.apply(found, differences)
        found = resource.observe()
        left = resource.compare(found)
        if len(left):
            first = next(iter(left))
            raise OperatorError(
                f"still different after the change: {', '.join(left.names())}",
                found=str(first.shown(first.found)),
                wanted=str(first.shown(first.wanted)),
                remedy="something else on the host sets it back; look for another tool that manages the same thing",
            )
    resource.tidy()
    return Outcome(differences, resource.facts(found), resource.pending(found), resource.warnings(found))
