# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP with limits and deadlines: connections, streamed transfers, resumable downloads.

The API of Mattermost is in ``_server``.

Private: may change between minor releases without notice.
"""
