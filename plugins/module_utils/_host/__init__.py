# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Linux host: the only place of the collection that touches files of a node, and who may do what there.

Paths are walked by descriptor, links of other accounts are not followed, reads have limits, writes are atomic (see
SECURITY.md). Accounts, mounts, attributes and processes are read here too. Nothing here knows what Mattermost is.

Private: may change between minor releases without notice.
"""
