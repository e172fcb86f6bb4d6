# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module's main does with options, results and errors: no secret gets out."""

from __future__ import annotations

import copy
import json
from typing import Any, Callable, Dict, List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._node.module import answer, mask, warn
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.recursive(
    st.none() | st.integers() | st.text("sxyz", min_size=3, max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["open", "secret", "other"]), VALUES))
def test_masked_values_are_gone_and_the_rest_is_as_it_was(params: Dict[str, Any]) -> None:
    before = copy.deepcopy(params)
    shown = mask(params, ["secret", "other", "missing"])
    assert params == before
    assert set(shown) == set(params)
    assert shown.get("open") == params.get("open")
    for option in ("secret", "other"):
        assert shown.get(option) in ("VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", None, "", 0, [], {})


class Left(Exception):
    """In place of the end of the process."""


class FakeModule:
    """The part of AnsibleModule that an answer needs."""

    def __init__(self, diff: bool = False, **params: Any) -> None:
        self.params = params
        self._diff = diff
        self.no_log_values = {"a-long-secret", "short"}
        self.said: List[Dict[str, Any]] = []

    def _leave(self, **result: Any) -> None:
        self.said.append(result)
        raise Left

    def exit_json(self, **result: Any) -> None:
        self._leave(**result)

    def fail_json(self, **result: Any) -> None:
        self._leave(failed=True, **result)


def _ask(module: FakeModule, work: Callable[[], Dict[str, Any]], secret_options: Any = ()) -> Dict[str, Any]:
    with pytest.raises(Left):
        answer(module, work, secret_options)
    (said,) = module.said
    return said


def _raising(error: Exception) -> Callable[[], Dict[str, Any]]:
    def work() -> Dict[str, Any]:
        raise error

    return work


def test_result_with_and_without_diff() -> None:
    result = {"changed": True, "diff": {"before": {}, "after": {}}}
    assert _ask(FakeModule(), lambda: dict(result)) == {"changed": True}
    assert _ask(FakeModule(diff=True), lambda: dict(result)) == result


@pytest.mark.parametrize("work", [lambda: {"changed": False}, _raising(OperatorError("x")), _raising(OSError(2, "y"))])
def test_secret_options_are_masked_in_every_answer(work: Callable[[], Dict[str, Any]]) -> None:
    module = FakeModule(plugins={"p": {"token": "q7Xz4"}}, via="file")
    said = _ask(module, work, ["plugins"])
    assert said["invocation"]["module_args"] == {"plugins": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "via": "file"}
    assert "q7Xz4" not in json.dumps(said)


def test_short_values_do_not_turn_results_into_asterisks() -> None:
    module = FakeModule()
    _ask(module, dict)
    assert module.no_log_values == {"a-long-secret"}


def test_errors_in_words() -> None:
    said = _ask(FakeModule(), _raising(OperatorError("wrong", remedy="mend it")))
    assert said == {"failed": True, "msg": "wrong. What to do: mend it."}
    said = _ask(FakeModule(), _raising(PermissionError(13, "Permission denied", "/opt/mattermost")))
    assert said["msg"].startswith("Permission denied (/opt/mattermost). What to do: ")
    assert "PermissionError" in said["exception"]


def test_bugs_are_not_dressed_up() -> None:
    with pytest.raises(KeyError):
        answer(FakeModule(), _raising(KeyError("bug")))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("embedded null byte"),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
        OverflowError("cannot convert float infinity to integer"),
        RecursionError("maximum recursion depth exceeded"),
        MemoryError(),
    ],
)
def test_what_no_reader_foresaw_in_an_input_is_an_answer_with_its_kind(error: Exception) -> None:
    said = _ask(FakeModule(api_password="q7Xz4"), _raising(error))
    assert said["failed"] is True
    assert said["msg"].startswith(type(error).__name__)
    assert "What to do: " in said["msg"]
    assert type(error).__name__ in said["exception"]
    assert "q7Xz4" not in json.dumps(said)


def test_an_error_text_obeys_no_terminal_and_shows_no_secret() -> None:
    said = _ask(FakeModule(), _raising(ValueError("\x1b]0;pwned\x07 token=SEKRET12345\nok: [app1]")))
    assert "\\x1b]0;pwned\\x07" in said["msg"]
    assert "\n" not in said["msg"]
    assert "\x1b" not in json.dumps(said, ensure_ascii=False)
    assert "SEKRET12345" not in said["exception"]


def test_a_warning_is_one_line_that_no_terminal_obeys() -> None:
    said: List[str] = []

    class Warning:
        warn = staticmethod(said.append)

    warn(Warning(), ["plugins/esc\x1b]0;pwned\x07\x1b[31m: left\n\u202eok"])  # type: ignore[arg-type]
    assert said == ["plugins/esc\\x1b]0;pwned\\x07\\x1b[31m: left\\n\\u202eok"]
