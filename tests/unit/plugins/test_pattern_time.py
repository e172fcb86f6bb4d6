# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every pattern of the collection meets text of strangers in time that grows with the text's length and no faster.

The patterns are taken from the source, compiled ones and those that are written in a call. Each meets texts that are
made of what it looks for: its beginning again and again without its end, and each of its repetitions without an end.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterator, List, Pattern, Set, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._log.patterns import _KNOWN

from plugops_tests.support.playbooks import REPOSITORY

COLLECTION = "ansible_collections.plugops.mattermost.plugins"
_parser = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
_LENGTH = 8 * 1024
_NOTICED_SECONDS = 0.01  # less says nothing about how it grows; what is quadratic takes several times that
_MOST_GROWTH = 2.9  # for twice the length: 2 for what is linear, 4 for what is quadratic


def _sources() -> List[Path]:
    return sorted(path for name in ("module_utils", "plugin_utils", "action", "filter", "modules", "callback")
                  for path in (REPOSITORY / "plugins" / name).rglob("*.py"))  # fmt: skip


def _compiled(value: Any) -> Iterator[Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _compiled(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _compiled(item)


def _called(path: Path) -> Iterator[Tuple[str, str, str]]:
    """Calls of patterns: the pattern as it is written (empty if it has a name), its name, the method."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
            continue
        owner, method = call.func.value, call.func.attr
        if isinstance(owner, ast.Name) and owner.id != "re":
            yield "", owner.id, method
        elif isinstance(owner, ast.Name) and call.args and isinstance(call.args[0], ast.Constant):
            yield call.args[0].value, "", method
        elif isinstance(owner, ast.Call) and list(_called_at(owner)):
            yield from ((text, "", method) for text in _called_at(owner))


def _called_at(call: ast.Call) -> Iterator[str]:
    """The text of ``re.compile("...")``."""
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) and call.func.value.id == "re":
        yield from (argument.value for argument in call.args[:1] if isinstance(argument, ast.Constant))


@dataclass(frozen=True)
class Use:
    """A pattern, and how it is looked for."""

    pattern: Pattern[Any]
    methods: FrozenSet[str]


def _uses() -> Dict[str, Use]:
    calls = {path: list(_called(path)) for path in _sources()}
    by_name: Dict[str, Set[str]] = {}
    for _, name, method in (call for found in calls.values() for call in found):
        by_name.setdefault(name, set()).add(method)
    uses: Dict[str, Use] = {}
    for path, found in calls.items():
        place = path.relative_to(REPOSITORY / "plugins").with_suffix("")
        module = importlib.import_module(f"{COLLECTION}.{'.'.join(place.parts)}")
        for name, value in vars(module).items():
            for number, pattern in enumerate(_compiled(value)):
                uses[f"{place}:{name}:{number}"] = Use(pattern, _looks(by_name.get(name, set())))
        for text, _, method in found:
            if text and method in LOOKS:
                uses[f"{place}:{method}:{text!r}"] = Use(re.compile(text), _looks({method}))
    for number, known in enumerate(_KNOWN):
        for kind, text in (("", known.pattern), (":after", known.after)):
            uses[f"known:{number}:{known.code}{kind}"] = Use(re.compile(text), frozenset({"search"}))
    return uses


LOOKS = ("match", "fullmatch", "search", "sub", "split", "findall", "finditer")


def _looks(methods: Set[str]) -> FrozenSet[str]:
    """Of a pattern whose use is not seen, and of one that is replaced wherever it is found: everything."""
    known = methods & {"match", "fullmatch", "search"}
    return frozenset(known if known and known == methods & set(LOOKS) else known | {"search"})


def _sample(parsed: Any, groups: Dict[int, str], many: int = 1) -> str:
    """A text that the parsed pattern finds, more or less; ``many`` of what may be repeated without end."""
    text = ""
    for kind, value in parsed:
        name = str(kind)
        if name == "LITERAL":
            text += chr(value)
        elif name in ("ANY", "NOT_LITERAL"):
            text += "a"
        elif name == "IN":
            text += _one_of(value)
        elif name == "BRANCH":
            text += _sample(value[1][0], groups, many)
        elif name == "SUBPATTERN":
            groups[value[0]] = _sample(value[3], groups, many)
            text += groups[value[0]]
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            part = _sample(value[2], groups, many)
            text += part * max(value[0], min(many // (len(part) or 1) + 1, value[1]))
        elif name == "GROUPREF":
            text += groups.get(value, "")
    return text


def _one_of(choices: Any) -> str:
    negated = str(choices[0][0]) == "NEGATE"
    for char in [*"a0b./-= \t\n\"'[({<%\\Z", *map(chr, range(0x3000)), "\ud800", "\uffff"]:
        if _fits(choices[1:] if negated else choices, char) != negated:
            return char
    raise AssertionError(choices)


_CATEGORIES = {"DIGIT": r"\d", "WORD": r"\w", "SPACE": r"\s", "NOT_DIGIT": r"\D", "NOT_WORD": r"\W", "NOT_SPACE": r"\S"}


def _fits(choices: Any, char: str) -> bool:
    for kind, value in choices:
        name = str(kind)
        if name == "LITERAL" and ord(char) == value:
            return True
        if name == "RANGE" and value[0] <= ord(char) <= value[1]:
            return True
        if name == "CATEGORY" and re.match(_CATEGORIES[str(value)[len("CATEGORY_") :]], char):
            return True
    return False


def _hostile(pattern: Pattern[Any], length: int = _LENGTH) -> List[Any]:
    """Beginnings of what it finds, each again and again, and once with its last repetition without an end."""
    text = pattern.pattern
    parsed = list(_parser.parse(text.decode("latin-1") if isinstance(text, bytes) else text, pattern.flags))
    units: Set[str] = set()
    for end in range(1, len(parsed) + 1):
        units |= {_sample(parsed[:end], {}), _sample(parsed[:end], {}) + " ", _sample(parsed[:end], {}, 40)}
        units.add(_sample(parsed[end - 1 : end], {}))
        branches = parsed[end - 1][1][1] if str(parsed[end - 1][0]) == "BRANCH" else []
        units |= {_sample(branch, {}) for branch in branches}
    lines = [(unit * (length // len(unit) + 1))[:length] for unit in sorted(units) if unit]
    lines += [_sample(parsed[:end], {}, length)[:length] for end in range(1, len(parsed) + 1)]
    return [line.encode("utf-8", "replace") for line in lines] if isinstance(text, bytes) else lines


USES = _uses()


@pytest.mark.parametrize("name", USES)
def test_a_pattern_takes_no_more_time_than_the_text_is_long(name: str) -> None:
    assert not _grows_too_fast(USES[name])


def _grows_too_fast(use: Use) -> str:
    """The beginning of a text that takes far more than twice as long as its half; empty: none."""
    for number, line in enumerate(_hostile(use.pattern)):
        seconds = _seconds(use, line)
        if seconds > _NOTICED_SECONDS:
            half = _hostile(use.pattern, _LENGTH // 2)[number]
            if seconds > _MOST_GROWTH * _seconds(use, half):
                return f"{seconds} s for {line[:100]!r}"
    return ""


def _seconds(use: Use, line: Any) -> float:
    started = time.process_time()
    for method in use.methods:
        getattr(use.pattern, method)(line)
    return time.process_time() - started


def test_quadratic_ones_would_be_found() -> None:
    assert len(USES) > 200
    for pattern in (r"checksum.*?: is a directory", r"(.*)://", r"\s*$x", r"a+b"):
        assert _grows_too_fast(Use(re.compile(pattern, re.DOTALL), frozenset({"search"}))), pattern
