# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON of others: what is read, and that all that is wrong is one kind of error."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._formats.json_reader import DEEPEST, parse_json
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_reads_what_python_reads(value: object) -> None:
    text = json.dumps(value)
    assert parse_json(text) == parse_json(text.encode("utf-8")) == json.loads(text)


@given(st.binary() | st.text(alphabet='[]{}",:\\ 0e+.-u"nNaItrue').map(lambda text: text.encode("utf-8")))
def test_whatever_is_wrong_is_a_value_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert parse_json(data) == json.loads(data.decode("utf-8"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "Expecting value"),
        (b"\xff", "utf-8"),
        (b'"\xed\xa0\x80"', "utf-8"),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), "levels deep"),
        (b"[" * 1_000_000, "levels deep"),
        (b'{"a":' * 200_000, "levels deep"),
        (b'["\\"",' + b"[" * DEEPEST + b"]" * (DEEPEST + 1), "levels deep"),
        (b"9" * 301, "301 digits"),
        (b"-" + b"9" * 1_000_000, "digits"),
        (b"1e999", "too large"),
        (b"NaN", "no JSON number"),
        (b"-Infinity", "no JSON number"),
        (b'{"a": 1', "delimiter"),
        (b"{} {}", "Extra data"),
    ],
)
def test_wrong(data: bytes, why: str) -> None:
    started = time.monotonic()
    with pytest.raises(ValueError, match=why):
        parse_json(data)
    assert time.monotonic() - started < 2


def test_the_deepest_that_is_read() -> None:
    parse_json("[" * DEEPEST + "]" * DEEPEST)


def test_siblings_are_not_deep() -> None:
    assert len(parse_json(json.dumps([[]] * 1000))) == 1000


@pytest.mark.parametrize("inner", ["[" * 1000, '"' + "[" * 1000, "\\" + '"' + "{" * 1000, "]" * 5 + "\\\\"])
def test_brackets_in_strings_are_text(inner: str) -> None:
    assert parse_json(json.dumps([inner, {inner: inner}])) == [inner, {inner: inner}]


def test_a_lone_surrogate_stays_one() -> None:
    assert parse_json(r'"\udc80"') == "\udc80"  # the name of a file that is no UTF-8
