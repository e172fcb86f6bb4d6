# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugins that servers know without having been told."""

from __future__ import annotations

# Ids that servers put into PluginStates by themselves, and whose plugins they bring along: by version, and some only
# in enterprise builds.
_SEEDED = frozenset(
    {
        "com.mattermost.apps",
        "com.mattermost.calls",
        "com.mattermost.nps",
        "com.mattermost.plugin-channel-export",
        "com.mattermost.plugin-incident-management",
        "focalboard",
        "jira",
        "mattermost-ai",
        "playbooks",
        "zoom",
    }
)


def is_seeded(plugin_id: str) -> bool:
    """Whether servers know this plugin, and state it, without having been told."""
    return plugin_id.lower() in _SEEDED
