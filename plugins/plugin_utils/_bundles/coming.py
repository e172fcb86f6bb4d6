# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugins that a checkpoint is to look at: ids, and entries whose bundles lie on the controller."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ...module_utils._core.errors import OperatorError
from .sources import SourceOptions
from .wanted import take_plugins


def take_coming(args: Dict[str, Any], find: Callable[[str], str]) -> None:
    """In a module's arguments put what the bundles hold (``bundles``) in place of the entries of ``plugins``.

    :raises OperatorError: as for mattermost_plugin
    """
    plugins = args.get("plugins")
    named = plugins is not None or args.get("lock") or args.get("bundle_directory")
    if (args.get("state") or "taken") != "taken" or not named:
        SourceOptions.take(args)
        return
    plugins = [] if plugins is None else plugins
    if not isinstance(plugins, list):
        raise OperatorError("plugins must be a list", found=repr(plugins), remedy="write - before each plugin")
    ids = [item for item in plugins if isinstance(item, str)]
    args["plugins"] = [item for item in plugins if not isinstance(item, str)]
    take_plugins(args, find)
    args["plugins"] = ids
