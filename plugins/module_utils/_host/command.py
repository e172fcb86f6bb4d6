# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a package runs a command: as an argument list, never through a shell."""

from __future__ import annotations

from typing import Callable, Sequence, Tuple

# argv -> (exit code, standard output, standard error)
Run = Callable[[Sequence[str]], Tuple[int, str, str]]
