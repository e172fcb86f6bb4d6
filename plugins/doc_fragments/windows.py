# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of what all modules for Windows services have in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  service:
    description: Name of the service, not its display name.
    type: str
    default: mattermost
attributes:
  action:
    description: Runs on the controller, through the host's own connection. The host requires no Python.
    support: full
  platform:
    description: Where the module runs.
    platforms: windows
    support: full
"""
