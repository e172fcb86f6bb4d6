# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller part of mattermost_release: refuses secrets in options that logs show."""

from __future__ import annotations

from ..plugin_utils._play.misplaced_options import NodeAction


class ActionModule(NodeAction):
    """One call of the module."""
