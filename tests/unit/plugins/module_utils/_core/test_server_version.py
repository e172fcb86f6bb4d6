# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server versions: what operators write, what servers say, and their order."""

from __future__ import annotations

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.server_version import (
    ServerVersion,
    parse_server_version,
)
from hypothesis import given
from hypothesis import strategies as st

numbers = st.integers(min_value=0, max_value=9999)
triples = st.tuples(numbers, numbers, numbers)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("5.36.1", (5, 36, 1)),
        ("v5.36.1", (5, 36, 1)),
        ("5.36", (5, 36, 0)),
        (" 4.4.0\n", (4, 4, 0)),
        ("10.0.0-rc1", (10, 0, 0)),
        # X-Version-Id as servers sent it
        ("6.7.2..a49a8a6f4f3d9b1b3c1d2a6e5f709b3a.false", (6, 7, 2)),
        ("11.6.0.11.6.0.65860b0f4c2a7d7be1e5a0a1f3a1d5aa.false", (11, 6, 0)),
        ("5.36.0.dev.d41d8cd98f00b204e9800998ecf8427e.true", (5, 36, 0)),
    ],
)
def test_reads(text: str, wanted: tuple[int, int, int]) -> None:
    assert parse_server_version(text) == ServerVersion(*wanted)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "five",
        "5.",
        "5.36.",
        "5.36.1.2",
        "5,36",
        "-5.36",
        "5.36.1 beta",
        "5.36\n5.37",
        "5.99999",
        "\u0665.\u0663",
        "vv5.1",
    ],
)
def test_refuses_with_the_text_found(text: str) -> None:
    with pytest.raises(OperatorError) as error:
        parse_server_version(text)
    assert repr(text) in str(error.value)
    assert error.value.remedy


def test_patch_defaults_to_zero() -> None:
    assert ServerVersion(5, 24) == parse_server_version("5.24.0")


@given(triples)
def test_text_and_back(triple: tuple[int, int, int]) -> None:
    version = ServerVersion(*triple)
    assert parse_server_version(str(version)) == version
    assert parse_server_version(f"{version}.{version}.0123abcd.true") == version


@given(triples, triples)
def test_ordered_as_tuples_of_numbers(left: tuple[int, int, int], right: tuple[int, int, int]) -> None:
    one, two = ServerVersion(*left), ServerVersion(*right)
    assert (one < two, one == two, one >= two) == (left < right, left == right, left >= right)


@given(st.text(max_size=40))
def test_any_other_text_is_an_operator_error(text: str) -> None:
    try:
        parse_server_version(text)
    except OperatorError:
        pass
