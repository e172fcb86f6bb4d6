# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one error whose text an operator reads."""

from __future__ import annotations

from .text import one_line

# What reading a stranger's input may raise where no reader has foreseen it; other errors are faults of the program.
INPUT_ERRORS = (ValueError, RecursionError, OverflowError, MemoryError)  # UnicodeError is a ValueError
_LONGEST_KIND = 300


class OperatorError(Exception):
    """What is wrong, where, what was found, what was wanted, what to do next.

    Raised by every package; a module turns it into ``fail_json(msg=str(error))``. Never put a secret in it. Its text is
    one line, also with odd names and answers in it (:func:`.text.one_line`); its parts are as they were given.
    """

    def __init__(self, problem: str, *, where: str = "", found: str = "", wanted: str = "", remedy: str = "") -> None:
        self.problem = problem
        self.where = where
        self.found = found
        self.wanted = wanted
        self.remedy = remedy
        super().__init__(one_line(self._text()))

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
    return str(error) if isinstance(error, OperatorError) else kind_and_text(error)


def kind_and_text(error: BaseException) -> str:
    """An error that nobody has foreseen, with its kind; its text may quote what was read, and is cut."""
    text = one_line(str(error), _LONGEST_KIND)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
