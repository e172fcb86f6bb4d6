# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of two versions a server takes for the newer one."""

from __future__ import annotations

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.plugin_version import is_newer
from hypothesis import given
from hypothesis import strategies as st

# The order of semver.org's own example, with build metadata that does not count.
ORDERED = [
    "0.9.10",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1+build.5",
    "1.0.0",
    "1.2.0+build",
    "1.10.0",
    "2.0.0",
]


def test_the_order() -> None:
    for number, version in enumerate(ORDERED):
        assert [other for other in ORDERED if is_newer(version, other)] == ORDERED[:number]


@pytest.mark.parametrize("text", ["", "1", "1.0", "1.0.0.0", "v1.0.0", "1.0.x", "01.0.0", "1.0.0-", " 1.0.0"])
def test_what_is_no_strict_version_is_never_newer_nor_older(text: str) -> None:
    assert not is_newer(text, "0.0.1")
    assert not is_newer("9.9.9", text)


NUMBERS = st.tuples(*[st.integers(0, 300)] * 3)


@given(NUMBERS, NUMBERS)
def test_numbers_are_compared_as_numbers(one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    assert is_newer(".".join(map(str, one)), ".".join(map(str, other))) == (one > other)
