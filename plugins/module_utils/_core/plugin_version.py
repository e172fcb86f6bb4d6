# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of plugins as servers compare them: strict semantic versions, X.Y.Z with or without a pre-release."""

from __future__ import annotations

import re
from typing import Optional, Tuple

_NUMBER = r"(0|[1-9][0-9]*)"
_STRICT = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII
)
# Numbers sort before words; a release after all of its pre-releases.
_Part = Tuple[int, int, str]
_Order = Tuple[int, int, int, bool, Tuple[_Part, ...]]


def is_newer(candidate: str, existing: str) -> bool:
    """Whether a server would take ``candidate`` for newer; what is no strict version is newer than nothing, and
    nothing is newer than it."""
    new, old = _order(candidate), _order(existing)
    return new is not None and old is not None and new > old


def _order(version: str) -> Optional[_Order]:
    match = _STRICT.fullmatch(version)
    if match is None:
        return None
    major, minor, patch, before = match.groups()
    parts = tuple(_part(text) for text in (before or "").split(".") if text)
    return int(major), int(minor), int(patch), before is None, parts


def _part(text: str) -> _Part:
    return (0, int(text), "") if text.isdigit() else (1, 0, text)
