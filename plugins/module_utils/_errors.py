# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.

"""The one error whose text an operator reads."""

from __future__ import annotations


class OperatorError(Exception):
    """What is wrong, where, what was found, what was wanted, what to do next.

    Raised by every room; a module turns it into ``fail_json(msg=str(error))``. Never put a secret in it.
    """

    def __init__(self, problem: str, *, where: str = "", found: str = "", wanted: str = "", remedy: str = "") -> None:
        self.problem = problem
        self.where = where
        self.found = found
        self.wanted = wanted
        self.remedy = remedy
        super().__init__(self._text())

    def _text(self) -> str:
        text = f"{self.problem} ({self.where})" if self.where else self.problem
        pair = [f"found: {self.found}" if self.found else "", f"wanted: {self.wanted}" if self.wanted else ""]
        pair = [part for part in pair if part]
        if pair:
            text += " - " + "; ".join(pair)
        text = _sentence(text)
        return f"{text} What to do: {_sentence(self.remedy)}" if self.remedy else text


def text_of(error: Exception) -> str:
    """An error for the operator; that of a system call with the path that it is about."""
    if isinstance(error, OSError):
        return f"{error.strerror or error} ({error.filename or 'no path'})"
    return str(error)


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
