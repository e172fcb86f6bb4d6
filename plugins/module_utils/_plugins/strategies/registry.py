# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All strategies. A new one is a file beside this one, and its line here."""

from __future__ import annotations

from .auto import AUTO, Auto
from .filestore import InFilestore
from .prepackaged import Prepackaged
from .strategy import Strategy
from .unpack import Unpack
from .upload import Upload

PREPACKAGED = Prepackaged()
WITHOUT_SERVER = Unpack()  # removes plugins and sets states in files where no server answers

# In the order in which auto tries them; the last one that offers itself raises if nothing is left.
STRATEGIES = (
    Upload(),
    InFilestore(),
    WITHOUT_SERVER,
    PREPACKAGED,
)
_BY_NAME = {strategy.name: strategy for strategy in (Auto(STRATEGIES), *STRATEGIES)}

NAMES = tuple(_BY_NAME)  # the choices of every option ``strategy``
DEFAULT = AUTO


def strategy_named(name: str) -> Strategy:
    """What an operator requests by this name, one of :data:`NAMES`."""
    return _BY_NAME[name]
