# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every other package builds on: errors for operators, differences, resources, blockers, versions, safe text.

Pure: nothing here reads a file, runs a command or knows what Mattermost is.

Private: may change between minor releases without notice.
"""
