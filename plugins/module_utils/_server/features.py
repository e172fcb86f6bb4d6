# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers do, by version: every fact of this kind that the collection depends on, with its source."""

from __future__ import annotations

from .._core.server_version import ServerVersion

# From 10.5 on unpacking is documented as unsupported; from 11.0 the server deletes what it did not install itself.
UNPACK_UNSUPPORTED_SINCE = ServerVersion(10, 5)
UNPACK_DELETED_SINCE = ServerVersion(11, 0)
# From 5.2 on the server brings plugins along in a folder.
PREPACKAGED_SINCE = ServerVersion(5, 2)
# From 5.14 on the server installs from its filestore at every start.
FILESTORE_SINCE = ServerVersion(5, 14)
