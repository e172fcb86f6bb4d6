# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in options that are not kept secret: refused on the controller, before a log of a node shows them.

A module writes its options into its host's log when it starts, and answers with them. It refuses these, too, but late.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from ansible.plugins.action.normal import ActionModule as NormalAction

from ...module_utils._core.errors import OperatorError

_MORE_THAN_AN_ADDRESS = "@?#"  # an account, a query, a fragment: a token is given in any of them
_PLUGINS = "plugins"  # the key of PluginSettings, in lower case as servers take it


def refuse_misplaced(args: Mapping[str, Any]) -> None:
    """Refuse a secret in an option that is logged.

    :param args: of a task for an app server
    :raises OperatorError: it gives a secret where it would be shown; the error does not
    """
    url = args.get("api_url")
    if isinstance(url, str) and any(char in url for char in _MORE_THAN_AN_ADDRESS):
        raise OperatorError(
            "api_url holds more than an address",
            found="not shown, it may hold a secret",
            wanted="http:// or https://, a name, and if need be a port and a path",
            remedy="give an account as api_username and api_password, or a token as api_token; keep it in a vault",
        )
    settings = args.get("settings")
    if isinstance(settings, Mapping) and any(str(name).lower() == _PLUGINS for name in settings):
        raise OperatorError(
            "settings holds the settings of plugins, among which are secrets",
            found="not shown",
            remedy="give them by plugin id in the option that is kept out of logs: plugins of "
            "mattermost_plugin_settings, plugin_settings of mattermost_plugin_info, and of the role "
            "mattermost_plugin_settings",
        )


class NodeAction(NormalAction):
    """The action of a module for an app server that has nothing else to do on the controller."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        try:
            refuse_misplaced(self._task.args)
        except OperatorError as error:
            return {"failed": True, "msg": str(error)}
        return dict(super().run(tmp, task_vars))
