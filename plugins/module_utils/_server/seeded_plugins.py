# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugins that servers know without being told: each puts some ids into PluginStates by itself.

Which ones depends on the version and on the edition; a plugin that any server seeds is never one that an operator left
behind. Source: model/config.go (PluginSettings.SetDefaults), for jira and zoom v4.6.0 app/plugin.go.
"""

from __future__ import annotations

# With the versions in which that was seen.
_SEEDED = frozenset(
    {
        "com.mattermost.apps",  # 6.7 to 7
        "com.mattermost.calls",  # from 7 on
        "com.mattermost.nps",  # from 5.36 on
        "com.mattermost.plugin-channel-export",  # 5.36, Enterprise edition
        "com.mattermost.plugin-incident-management",  # 5.36, Enterprise edition
        "focalboard",  # 6 and 7
        "jira",  # 4.5 to 5.1, in the server's binary
        "mattermost-ai",  # 11
        "playbooks",  # from 6 on
        "zoom",  # 4.5 to 5.1, in the server's binary
    }
)


def is_seeded(plugin_id: str) -> bool:
    """Whether some servers put this plugin into PluginStates by themselves."""
    return plugin_id.lower() in _SEEDED
