# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource plugins: which are wanted, what a node has of them, and the strategies that install them.

Private: may change between minor releases without notice.
"""
