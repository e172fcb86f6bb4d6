# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.

"""The one shape of every module: observe, compare, apply, observe again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Generic, List, TypeVar

from ._difference import Tracker
from ._errors import OperatorError

Found = TypeVar("Found")


@dataclass(frozen=True)
class Pending:
    """What the running server has not taken over yet, each as a reason in words (empty: nothing)."""

    restart: List[str] = field(default_factory=list)
    reload: List[str] = field(default_factory=list)


class Concern(Generic[Found]):
    """One thing that a module ensures on one node. ``name`` is the first part of its differences' names."""

    name = ""

    def observe(self) -> Found:
        """What is there. Reads, never writes."""
        raise NotImplementedError

    def compare(self, found: Found) -> Tracker:
        """What differs. Pure."""
        raise NotImplementedError

    def apply(self, found: Found, differences: Tracker) -> None:
        """Mend the differences, each atomically, in their order."""
        raise NotImplementedError

    def pending(self, found: Found) -> Pending:
        """What the running server still has to take over, from its actual state."""
        return Pending()

    def facts(self, found: Found) -> Dict[str, Any]:
        """What was found, as JSON without secrets: the part of the report that this concern gives."""
        return {}

    def warnings(self, found: Found) -> List[str]:
        """What the operator must know although it is no difference."""
        return []


@dataclass(frozen=True)
class Outcome:
    """What one concern came to: the result of every module is made from it."""

    differences: Tracker
    facts: Dict[str, Any]
    pending: Pending
    warnings: List[str]

    def result(self) -> Dict[str, Any]:
        return {
            "changed": len(self.differences) > 0,
            "differences": self.differences.as_list(),
            "diff": self.differences.diff(),
            "restart_required": bool(self.pending.restart),
            "reload_required": bool(self.pending.reload),
            "pending": {"restart": self.pending.restart, "reload": self.pending.reload},
        }


def inspect(concern: Concern[Found]) -> Outcome:
    """Observe and compare, nothing else: check mode, plan, info and audit."""
    found = concern.observe()
    return Outcome(concern.compare(found), concern.facts(found), concern.pending(found), concern.warnings(found))


def ensure(concern: Concern[Found], check_mode: bool) -> Outcome:
    """Make it so, and prove it by observing again.

    :raises OperatorError: also when a difference is left after all was applied
    """
    found = concern.observe()
    differences = concern.compare(found)
    if len(differences) and not check_mode:
        concern.apply(found, differences)
        found = concern.observe()
        left = concern.compare(found)
        if len(left):
            first = next(iter(left))
            raise OperatorError(
                f"still different after the change: {', '.join(left.names())}",
                found=str(first.shown(first.found)),
                wanted=str(first.shown(first.wanted)),
                remedy="something else on the host sets it back; look for another tool that manages the same thing",
            )
    return Outcome(differences, concern.facts(found), concern.pending(found), concern.warnings(found))
