# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The account that a service runs under."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple


@dataclass(frozen=True)
class Account:
    """A user with the group that its files get.

    :param group: name of ``gid``, the number as text where it has none
    :param groups: every group id that the service's process has, ``gid`` included
    """

    name: str
    uid: int
    gid: int
    group: str
    groups: Tuple[int, ...]

    @property
    def owner(self) -> str:
        """As chown(1) takes it: ``mattermost:mattermost``."""
        return f"{self.name}:{self.group}"
