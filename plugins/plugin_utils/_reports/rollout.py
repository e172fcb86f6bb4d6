# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a roll-out in words: why it stopped, what was restored, which app servers have the change."""

from __future__ import annotations

from typing import Any, List, Mapping

# Stages of a node, as the role's tasks record them in app_server_rollout.
PREPARING, READY, UNTOUCHED, BLOCKED, CHANGING, DONE, FAILED, UNDONE = (
    "preparing",
    "ready",
    "untouched",
    "blocked",
    "changing",
    "done",
    "failed",
    "undone",
)
_STOPPING = (PREPARING, BLOCKED, CHANGING, FAILED)


def stopped(rollouts: Mapping[str, Mapping[str, Any]]) -> List[str]:
    """The nodes that stop the roll-out: no other node may be changed after them.

    :param rollouts: node -> its app_server_rollout
    """
    return sorted(node for node, rollout in rollouts.items() if rollout.get("stage") in _STOPPING)


def unfinished(rollout: Mapping[str, Any], report: Mapping[str, Any]) -> bool:
    """Whether a later run has something to end at this node, even if nothing differs there any more.

    :param report: of mattermost_plugin_info, the last one of this run
    """
    if rollout.get("stage") == CHANGING:
        return True
    if rollout.get("stage") in (DONE, FAILED, UNDONE):
        return bool(rollout.get("drained")) or rollout.get("restored") is False
    return bool(report.get("unfinished"))  # not changed, so what another run has left remains


def failure(node: str, rollouts: Mapping[str, Mapping[str, Any]]) -> str:
    """Why the roll-out stopped at this node, and the state of all nodes; empty if it did not stop there.

    Ansible itself reports a node that was lost meanwhile as unreachable.
    """
    if rollouts.get(node, {}).get("stage") not in (BLOCKED, FAILED):
        return ""
    words = [_what_happened(rollouts[node])]
    for stage, text in ((DONE, "Have the change"), (READY, "Were not touched"), (UNTOUCHED, "Had nothing to change")):
        nodes = sorted(other for other, rollout in rollouts.items() if rollout.get("stage") == stage)
        if nodes:
            words.append(f"{text}: {', '.join(nodes)}.")
    lost = sorted(other for other, rollout in rollouts.items() if rollout.get("stage") == CHANGING)
    if lost:
        words.append(f"Lost while being changed, and not restored: {', '.join(lost)}.")
    restored = sorted(other for other, rollout in rollouts.items() if rollout.get("stage") == UNDONE)
    if restored:
        words.append(f"Had the change and were restored: {', '.join(restored)}.")
    words.append("What to do: fix the cause, then run site.yml again.")
    return " ".join(words)


def _what_happened(rollout: Mapping[str, Any]) -> str:
    if "msg" not in rollout:
        return f"Another app server failed, and this one was to be restored too. {_afterwards(rollout)}"
    why = f"{_sentence(rollout.get('msg', ''))} (task: {rollout.get('task', '')})"
    if rollout["stage"] == BLOCKED:
        return f"No app server was changed: {why}."
    return f"{why}. {_afterwards(rollout)}"


def _afterwards(rollout: Mapping[str, Any]) -> str:
    drained = " It is still out of service." if rollout.get("drained") or rollout.get("restored") is False else ""
    if rollout.get("restored"):
        return f"This app server was restored to its state before the change: settings, plugins and drop-in.{drained}"
    if "restored" in rollout:
        return f"This app server COULD NOT be restored: {_sentence(rollout.get('restore_msg', ''))}.{drained}"
    return f"This app server was not restored.{drained}" if drained else "Nothing was changed on this app server."


def _sentence(text: Any) -> str:
    return str(text).rstrip(". \n")
