# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What decides which strategies can be used on one node, as it was found before anything changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .._core.server_version import ServerVersion


@dataclass(frozen=True)
class Situation:
    """How the server can be reached, and what it takes.

    :param version: of the server; None: not known
    :param reachable: the running server answers on its local-mode socket or its REST API
    :param uploads: it takes uploads, or will once its settings are as wanted
    :param filestore_blocker: why bundles cannot be put into the server's filestore; empty if they can
    :param managed: the server installs one of the plugins from its filestore, over what is unpacked
    :param api_url: of a node that is reached through its REST API alone; empty for every other
    """

    version: Optional[ServerVersion]
    reachable: bool
    uploads: bool = False
    filestore_blocker: str = "not known"
    managed: bool = False
    api_url: str = ""
