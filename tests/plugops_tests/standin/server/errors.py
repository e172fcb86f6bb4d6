# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error that an API answer carries."""

from __future__ import annotations


class AppError(Exception):
    """id and message go to the client; the detail only into the log (and to developers)."""

    def __init__(self, where: str, error_id: str, message: str, status: int, detail: str = "") -> None:
        super().__init__(error_id)
        self.where, self.error_id, self.message, self.status, self.detail = where, error_id, message, status, detail

    def __str__(self) -> str:
        return f"{self.where}: {self.message}, {self.detail}"
