# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The syntax of unit files and environment files, against systemd's own readers."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Dict, List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._services.systemd_unit_syntax import (
    command_words,
    expand_specifiers,
    expand_variables,
    is_variable,
    parse_environment_file,
    split_words,
    unit_lines,
)
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from plugops_tests.support import systemd_oracle

UNIT = "etc/systemd/system/mm-one@a-b.service"
ASKING = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="session")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> None:
    reason = systemd_oracle.missing(tmp_path_factory.mktemp("oracle"))
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def environment_reader() -> None:
    if not os.access(systemd_oracle.ENVIRONMENT_READER, os.X_OK):
        pytest.skip("no reader of environment.d on this machine")


def load(data: bytes) -> systemd_oracle.Answer:
    with tempfile.TemporaryDirectory() as directory:
        unit = Path(directory, UNIT)
        unit.parent.mkdir(parents=True)
        unit.write_bytes(data)
        return systemd_oracle.load(Path(directory), unit.name)


def ask(data: bytes) -> systemd_oracle.Unit:
    answer = load(data)
    assume(answer.unit is not None)  # systemd refuses some files as a whole
    assert answer.unit is not None
    return answer.unit


# ---- lines

LINE_PIECES = [
    "Environment=V00",
    "77",
    "22",
    "\n",
    "\r\n",
    "\\\n",
    "\\",
    " ",
    "\t",
    "# c",
    ";",
    "[Service]",
    "[X]",
    "[",
    "=",
    "A",
]


@ASKING
@example(["Environment=V0077", "\\\n", "# comment\n", "\n", "Environment=V0022\n"])
@example(["Environment=V00", "\\\n", "\n", "Environment=V0077\n"])
@given(st.lists(st.sampled_from(LINE_PIECES), max_size=14))
def test_lines_as_systemd_reads_them(oracle: None, pieces: List[str]) -> None:
    # Variables, because systemd shows all of them: which lines it saw and how it joined them.
    data = "[Service]\nExecStart=/bin/true\n{}\n".format("".join(pieces)).encode()
    ours: Dict[str, str] = {}
    for line in unit_lines(data):
        if (line.section, line.key) == ("Service", "Environment"):
            for word in split_words(line.value):
                name, equals, value = word.partition("=")
                if equals and is_variable(name, value):
                    ours[name] = value
            if not line.value:
                ours.clear()
    assert sorted(f"{name}={value}" for name, value in ours.items()) == sorted(ask(data).every("Environment"))


def test_line_numbers_and_sections() -> None:
    data = b"\xef\xbb\xbf[Unit]\nA=1\n\n# no\n[Service]\nB = 2 \\\n; no\n  3\nC=4=5\nno assignment\n=x\n\xff=1\nD=\\\n"
    assert [tuple(line) for line in unit_lines(data)] == [
        ("Unit", "A", "1", 2),
        ("Service", "B", "2    3", 6),
        ("Service", "C", "4=5", 9),
        ("Service", "", "x", 11),
        ("Service", "D", "", 13),
    ]


@pytest.mark.parametrize("end", ["\\", "\\\n# comment"])
def test_file_that_ends_in_a_continued_line(oracle: None, end: str) -> None:
    data = f"[Service]\nExecStart=/bin/true\nEnvironment=A=1{end}".encode()
    theirs = load(data).unit
    assert theirs is not None
    assert theirs.every("Environment") == ["A=1"]
    assert [line.value for line in unit_lines(data) if line.key == "Environment"] == ["A=1"]


# ---- words and commands

WORD_PIECES = [
    " ", "  ", "\t", "a", "B=", "=", "x", "'", '"', "\\", "n", "s", "\\n", "\\x41", "\\101", "\\u00e9", "\\q", "$",
    "%%", "é", ";", " ; ", " \\; ", "#", "@", "-c",
]  # fmt: skip
PIECES = st.lists(st.sampled_from(WORD_PIECES), max_size=12).map("".join)


@ASKING
@example("A='b c' \"D=e f\" G=h\\x20i")
@example("A=1 'B=2")
@example("A=\"x\"'y'z")
@given(PIECES)
def test_environment_words(oracle: None, text: str) -> None:
    assume(not text.endswith("\\"))  # a continued line: see the test of lines
    value = "FIRST=1 " + text
    theirs = ask(f"[Service]\nExecStart=/bin/true\nEnvironment={value}\n".encode()).every("Environment")
    ours: Dict[str, str] = {}
    for word in split_words(value.strip()):
        name, equals, rest = (expand_specifiers(word, "mm-one@a-b.service") or "").partition("=")
        if equals and is_variable(name, rest):
            ours[name] = rest.split("\n")[0]  # the dump breaks lines there
    assert sorted(f"{name}={rest}" for name, rest in ours.items()) == sorted(theirs)


@ASKING
@example("-c '/etc/m m.json' --flag=\"a b\"")
@example("a ; /bin/second b")
@example("a \\; b")
@example("' ; '")
@example("a\\qb")
@example("a \\ ")
@given(PIECES)
def test_command_words(oracle: None, text: str) -> None:
    assume(not text.endswith("\\"))
    data = f"[Service]\nType=oneshot\nExecStart=/bin/first {text}\nExecStart=/bin/last\n".encode()
    theirs = [systemd_oracle.unquote(line) for line in ask(data).every("Command Line")]
    words, expand = command_words(f"/bin/first {text}".strip())
    assert expand
    ours = [expand_specifiers(word, "mm-one@a-b.service") or "" for word in words]
    assume(theirs[0][0] == "/bin/first")  # systemd refuses some commands as a whole
    assert ours == theirs[0]


def test_command_prefixes() -> None:
    assert command_words("-/bin/a b") == (["/bin/a", "b"], True)
    assert command_words("!!:/bin/a ${b}") == (["/bin/a", "${b}"], False)
    assert command_words("@/bin/a shown b") == (["/bin/a", "b"], True)
    assert command_words("") == ([], False)


def test_variables_in_commands() -> None:
    environment = {"A": "one two", "B": "'x y' z", "EMPTY": ""}
    words = ["$A", "$A", "${A}", "$B", "-c=${A}/$A", "$EMPTY", "${EMPTY}", "$$A", "${NONE}x"]
    assert expand_variables(words, environment) == (
        ["$A", "one", "two", "one two", "x y", "z", "-c=one two/$A", "", "$A", "x"]
    )


# ---- specifiers

SPECIFIERS = [
    "%n",
    "%N",
    "%p",
    "%P",
    "%i",
    "%I",
    "%j",
    "%J",
    "%f",
    "%t",
    "%S",
    "%C",
    "%L",
    "%E",
    "%T",
    "%V",
    "%h",
    "%u",
]
SPECIFIERS += ["%U", "%g", "%G", "%%"]


@pytest.mark.parametrize("specifier", SPECIFIERS)
def test_specifier(oracle: None, specifier: str) -> None:
    unit = load(f"[Service]\nExecStart=/bin/true\nWorkingDirectory=/x/{specifier}/y\n".encode()).unit
    ours = expand_specifiers(f"/x/{specifier}/y", "mm-one@a-b.service")
    assert ours is not None
    assert unit is not None
    assert os.path.normpath(ours) == unit.one("WorkingDirectory")


def test_unknown_specifier(oracle: None) -> None:
    assert expand_specifiers("/a/%Q", "a.service") is None
    assert expand_specifiers("/a/%H/%m", "a.service") == "/a/%H/%m"
    refused = load(b"[Service]\nExecStart=/bin/true\nWorkingDirectory=/a/%Q\n")
    assert refused.unit is None
    assert "Failed to resolve unit specifiers" in refused.log


# ---- environment files

FILE_PIECES = [
    "A",
    "B=",
    "C=",
    "=",
    "'",
    '"',
    "\\",
    "\n",
    "\\\n",
    " ",
    "\t",
    "#",
    ";",
    "x",
    "y z",
    "export ",
    "\r\n",
    "é",
    "`",
]


def ask_environment(data: bytes) -> Dict[str, str]:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "environment.d").mkdir()
        Path(directory, "environment.d", "a.conf").write_bytes(data)
        done = subprocess.run(
            [systemd_oracle.ENVIRONMENT_READER],
            env={"XDG_CONFIG_HOME": directory, "HOME": directory, "PATH": os.environ["PATH"]},
            capture_output=True,
            check=True,
        )
    return dict(word.split("=", 1) for word in systemd_oracle.unquote(done.stdout.decode()))


@ASKING
@example(["A=\n", "B=1\n"])
@example(['B="x', "\n", 'y"'])
@example(["B='x \\", "\n", "y' "])
@example(["B=x \\", "\n", " y  \n"])
@example(["B='x'  y  "])
@example(["B=x ", "\\\n", "\n"])
@example(['B="x\\\\y"'])
@example([";A='\n", "B=2"])
@example(["B=x  "])
@example(['B="a\\"b\\c"'])
@given(st.lists(st.sampled_from(FILE_PIECES), max_size=14))
def test_environment_file(environment_reader: None, pieces: List[str]) -> None:
    data = "".join(pieces).encode()
    theirs = ask_environment(data)
    comments = [line for line in data.decode().splitlines() if line.strip()[:1] in ("#", ";")]
    assume(not any(line.endswith("\\") for line in comments))  # read differently before systemd 255
    ours = parse_environment_file(data)
    # This reader of systemd's does not take over empty values, a service gets them; a service gets no carriage return.
    filled = {name: value for name, value in ours.items() if value and "\r" not in theirs.get(name, "")}
    assert {name: theirs.get(name) for name in filled} == filled
    assert {name for name in "ABC" if name in theirs and "\r" not in theirs[name]} <= set(ours)


def test_names_that_are_no_variables() -> None:
    assert parse_environment_file(b"export A=1\n1A=2\nA B=3\n=4\nC=5\n") == {"C": "5"}
    assert parse_environment_file(b"A=1\nA=2\nB=\xff\n") == {"A": "2"}
    assert parse_environment_file(b"# c \\\nA=1\n") == {"A": "1"}
