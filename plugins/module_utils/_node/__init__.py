# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One app server: the options that name it, the facts that every resource needs, what every module of it does first.

Resources (settings, directories, working directory, plugins) have packages of their own.

Private: may change between minor releases without notice.
"""
