# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The play that runs: which run it is, options in the wrong place, the hosts of a test cluster.

Private: may change between minor releases without notice.
"""
