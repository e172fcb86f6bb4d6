# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Mattermost server: its API, its errors, how to log in, and what servers of each version do.

Nothing here touches a node's files.

Private: may change between minor releases without notice.
"""
