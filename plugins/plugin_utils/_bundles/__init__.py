# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wanted bundles on the controller: entries, where they come from, signatures, the lock file.

Private: may change between minor releases without notice.
"""
