# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategy auto: the first strategy that offers itself."""

from __future__ import annotations

from typing import Sequence

from ..situation import Situation
from .strategy import Choice, Strategy

AUTO = "auto"


class Auto(Strategy):
    """Leaves the choice to the collection.

    :param strategies: in the order in which they are tried
    """

    name = AUTO
    at_next_start = False  # not necessarily: the chosen strategy decides
    needs_files = False
    depends_on_uploads = True

    def __init__(self, strategies: Sequence[Strategy]) -> None:
        self._strategies = strategies

    def _choose(self, situation: Situation) -> Choice:
        """If no strategy is left, the last one that could offer itself raises the reason."""
        offers = (strategy.offer(situation) for strategy in self._strategies)
        return next(offer for offer in offers if offer is not None)
