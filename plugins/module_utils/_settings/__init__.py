# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource PluginSettings: in config.json or in a running server.

The editor of the file is in ``_config``, the API in ``_server``.

Private: may change between minor releases without notice.
"""
