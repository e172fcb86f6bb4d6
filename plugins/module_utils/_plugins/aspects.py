# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can differ of one plugin: the last part of the name of a difference, ``plugins.<id>.<aspect>``."""

from __future__ import annotations

from typing import List

from .._core.difference import Tracker
from .wanted import WantedPlugin

VERSION, FILES, STORED, SIGNATURE, PREPACKAGED, ENABLED, ACTIVE = (
    "version",
    "files",
    "stored",
    "signature",
    "prepackaged",
    "enabled",
    "active",
)
BUNDLE_ASPECTS = (VERSION, FILES, STORED)  # these need the bundle
ASPECTS = (*BUNDLE_ASPECTS, PREPACKAGED, ENABLED, ACTIVE)  # these need a strategy


def name_of(plugin: WantedPlugin, aspect: str = "") -> str:
    """The name of a difference of a plugin; without aspect: that it is there at all."""
    return f"plugins.{plugin.id}.{aspect}" if aspect else f"plugins.{plugin.id}"


def aspects_of(plugin: WantedPlugin, differences: Tracker) -> List[str]:
    """What of a plugin differs that needs a strategy."""
    names = set(differences.names())
    return [aspect for aspect in ASPECTS if name_of(plugin, aspect) in names]
