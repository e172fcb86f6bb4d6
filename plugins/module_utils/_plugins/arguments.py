# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``plugins``: what an entry of the operator's list may hold.

Documented in plugins/doc_fragments/plugins.py and in the argument specs of the roles. What an argument spec cannot
express (rules between keys, numbers that YAML made of a version) the controller's parser checks.
"""

from __future__ import annotations

from typing import Any, Dict

from .strategies.registry import NAMES

PLUGIN_ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "id": {"type": "str"},
    "src": {"type": "str"},
    "url": {"type": "str"},
    "version": {"type": "str"},
    "sha256": {"type": "str"},
    "signature": {"type": "str"},
    "enabled": {"type": "bool"},  # no default: if it is not specified a lock file may have it
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "strategy": {"type": "str", "choices": list(NAMES)},
}
PLUGINS_ARGUMENT: Dict[str, Any] = {"type": "list", "elements": "dict", "options": PLUGIN_ARGUMENTS}
