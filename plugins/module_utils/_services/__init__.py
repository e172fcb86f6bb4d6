# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service managers: what a unit of systemd specifies, what of it is in effect, and what its sandbox forbids.

What the collection wants of a service is in ``_install``.

Private: may change between minor releases without notice.
"""
