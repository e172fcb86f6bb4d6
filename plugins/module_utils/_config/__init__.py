# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""config.json: its keys and types, where it lies, what masks it, and an editor that keeps its spelling.

The resource that ensures PluginSettings is in ``_settings``.

Private: may change between minor releases without notice.
"""
