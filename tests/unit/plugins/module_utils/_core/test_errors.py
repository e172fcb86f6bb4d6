# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text that an operator reads."""

from __future__ import annotations

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError, kind_and_text
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OperatorError("no manifest"), "no manifest."),
        (OperatorError("no manifest."), "no manifest."),
        (OperatorError("no manifest", where="/a.tar.gz"), "no manifest (/a.tar.gz)."),
        (OperatorError("wrong", found="1"), "wrong - found: 1."),
        (OperatorError("wrong", wanted="2", remedy="set it."), "wrong - wanted: 2. What to do: set it."),
        (
            OperatorError("wrong", where="here", found="1", wanted="2", remedy="set it"),
            "wrong (here) - found: 1; wanted: 2. What to do: set it.",
        ),
    ],
)
def test_text(error: OperatorError, text: str) -> None:
    assert str(error) == text


@given(st.sampled_from([".", "..", "plugins/..", "./"]))
def test_a_value_that_ends_in_dots_is_told_whole(value: str) -> None:
    assert f"found: {value}" in str(OperatorError("wrong", found=value, remedy=f"replace {value}"))
    assert f"replace {value}" in str(OperatorError("wrong", found=value, remedy=f"replace {value}"))


def test_parts_stay_readable_for_programs() -> None:
    error = OperatorError("p", where="w", found="f", wanted="x", remedy="r")
    assert (error.problem, error.where, error.found, error.wanted, error.remedy) == ("p", "w", "f", "x", "r")


def test_names_and_answers_in_an_error_obey_no_terminal_and_make_no_line_of_their_own() -> None:
    error = OperatorError("refused", where="/a\x1b[2K", found="x\nok: [app1]\r\u202e", remedy="mv /a\x9b /b")
    assert str(error) == r"refused (/a\x1b[2K) - found: x\nok: [app1]\r\u202e. What to do: mv /a\x9b /b."
    assert error.where == "/a\x1b[2K"


def test_an_unforeseen_error_is_told_with_its_kind_and_cut() -> None:
    assert kind_and_text(MemoryError()) == "MemoryError"
    assert kind_and_text(ValueError("a\nb")) == r"ValueError: a\nb"
    assert len(kind_and_text(ValueError("x" * 10_000))) < 400
