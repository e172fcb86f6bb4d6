# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every file of a node is looked at, read and changed through this package, and nowhere else.

The modules run as root over directories that the server's unprivileged account owns. So a path is walked name by name
from descriptor to descriptor, and a link is followed only where root (or the user that runs the module) has made it.
Nothing here knows Mattermost.

PRIVATE: may change between minor releases without notice.
"""
