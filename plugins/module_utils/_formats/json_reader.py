# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON of others, read with one kind of error: anything wrong with it is a ValueError."""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import Any, NoReturn, Union

DEEPEST = 100  # far above what any server or plugin writes, far below Python's own limit
# What follows reads numbers as floats, too, which end at 10**308; reading longer ones takes quadratic time.
_LONGEST_NUMBER = 300
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_STRING = re.compile(r'"[^"]*"?')
_NO_BRACKETS = re.compile(r"[^\[\]{}]+")
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}


def parse_json(data: Union[bytes, str]) -> Any:
    """What Python's json would read, if it is valid and not too large.

    :param data: bytes are UTF-8; it is for the caller to limit the size
    :raises ValueError: no JSON, no UTF-8, nested too deeply, a number that is none or too long
    """
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    check_depth(text)
    return _DECODER.decode(text)


def check_depth(text: str) -> None:
    """Refuse what is nested too deeply: readers go down by calling themselves, and so do those of what they read.

    :raises ValueError: it is
    """
    if text.count("[") + text.count("{") <= DEEPEST:
        return
    # Without strings, in which brackets are text; and those end at a quote once no escaped one is left.
    outside = _STRING.sub("", _ESCAPED.sub("", text) if "\\" in text else text)
    if max(itertools.accumulate(map(_STEP.__getitem__, _NO_BRACKETS.sub("", outside))), default=0) > DEEPEST:
        raise ValueError(f"nested more than {DEEPEST} levels deep")


def _integer(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _fraction(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number that is too large")
    return number


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_fraction, parse_constant=_no_number)
