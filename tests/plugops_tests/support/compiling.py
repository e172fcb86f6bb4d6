# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever tests start keeps what Python compiles, also from archives (support/compiled)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Tuple

PLACE = Path(__file__).resolve().parent / "compiled"


def keep() -> None:
    """From here on, in every process that this one starts."""
    os.environ["PYTHONPATH"] = str(PLACE)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def on_hosts() -> Tuple[str, ...]:
    """What test hosts (bookworm) must have bound in to keep it, too; nothing where this process does not."""
    kept = os.environ.get("PYTHONPATH") == str(PLACE)
    return (f"{PLACE}:/usr/local/lib/python3.11/dist-packages",) if kept else ()
