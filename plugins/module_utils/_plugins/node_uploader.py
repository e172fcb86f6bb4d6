# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The uploader of a node: what it needs besides the server, the log and the file of the configuration."""

from __future__ import annotations

import functools
from typing import Dict, Optional

from .._config.source import FILE
from .._core.resource import ensure
from .._log.server_log import last_words
from .._node.node import Node
from .._settings.effective import refuses_to_save
from .._settings.settings import Settings
from .uploader import Uploader


def uploader_of(node: Node) -> Optional[Uploader]:
    """What changes plugins through the running server; None if none answers."""
    server = node.server
    if server is None:
        return None
    save = functools.partial(_save_state_in_file, node) if refuses_to_save(node) else None
    return Uploader(server, save_state=save, last_words=functools.partial(last_words, node))


def _save_state_in_file(node: Node, plugin_id: str, enabled: bool) -> None:
    """For a server that refuses to save a state itself."""
    states: Dict[str, bool] = {plugin_id: enabled}
    ensure(Settings(node, {}, states, {}, channel=FILE), check_mode=False)
