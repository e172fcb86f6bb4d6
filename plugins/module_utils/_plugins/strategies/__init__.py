# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategies: one object each, in a file of its own, registered in ``registry``.

These files decide and compare, and load little; what changes a node is imported where a strategy makes its installer.

Private: may change between minor releases without notice.
"""
