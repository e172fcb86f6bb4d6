# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of a server: its lines in both formats, the patterns of known faults, bounded readers of file and journal.

What a fault means for the operator is in ``_audit``.

Private: may change between minor releases without notice.
"""
