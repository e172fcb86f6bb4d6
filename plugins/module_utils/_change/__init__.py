# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of a node as a whole: one run at a time, and checkpoints to restore.

The parts of a change are the resources.

Private: may change between minor releases without notice.
"""
