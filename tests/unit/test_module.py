"""What every module's main does with options, results and errors: no secret gets out."""

from __future__ import annotations

import copy
import json
import os
from typing import Any, Callable, Dict, List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._module import answer, mask, printable
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


@given(st.binary(max_size=8), st.text(max_size=8))
def test_names_of_any_bytes_are_answered_as_utf_8(name: bytes, text: str) -> None:
    odd = os.fsdecode(name)
    shown = printable({odd: [odd, (text, "\ud800"), 1, None]})
    ((key, (in_list, (unchanged, half), one, nothing)),) = shown.items()
    json.dumps(shown, ensure_ascii=False).encode("utf-8")
    assert key == in_list == name.decode("utf-8", "backslashreplace")
    assert (unchanged, half, one, nothing) == (text, "\\ud800", 1, None)
