# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines for cmd.exe, read back by the rules that Microsoft documents for it and for a program's run-time."""

from __future__ import annotations

import base64
import random
import re
import signal
import threading
import zlib

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows import cmd
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows.host import WindowsHost
from hypothesis import example, given
from hypothesis import strategies as st

from plugops_tests.windows.shell import as_file

TEXTS = st.text(st.one_of(st.sampled_from('\\"^&|<>()%! aä☃'), st.characters(blacklist_categories=("Cc", "Cs"))))
VARIABLES = {"OS": "Windows_NT", "A": "1"}


def after_cmd(line: str) -> str:
    """What cmd.exe leaves of an argument: variables, then carets; nothing may have kept its meaning."""
    line = as_file(line, VARIABLES).replace("%%", "%")
    out, quoted, position = "", False, 0
    while position < len(line):
        letter = line[position]
        if letter == "^" and not quoted:
            position += 1
            out += line[position : position + 1]
        else:
            quoted ^= letter == '"'
            assert quoted or letter not in "&|<>()", line
            out += letter
        position += 1
    return out


def arguments(line: str) -> list[str]:
    """The parameters of a command line, as the Microsoft C run-time documents its parsing."""
    found, current, quoted, position, begun = [], "", False, 0, False
    while position < len(line):
        slashes = re.match(r"\\*", line[position:])[0]  # type: ignore[index]
        position += len(slashes)
        letter = line[position : position + 1]
        if letter == '"':
            current += "\\" * (len(slashes) // 2)
            if len(slashes) % 2:
                current += '"'
            else:
                quoted = not quoted
            begun = True
        else:
            current += slashes
            if letter in (" ", "\t", "") and not quoted:
                if begun or current:
                    found.append(current)
                current, begun = "", False
            else:
                current += letter
        position += 1
    return [*found, *([current] if begun or current else [])]


@given(TEXTS)
@example("C:\\a b\\")
@example('a"b\\"c\\\\')
@example("%OS% %A%^%OS%")
@example("")
def test_an_argument_arrives_as_it_was(text: str) -> None:
    assert arguments(after_cmd("x " + cmd.word(text))) == ["x", text]


@given(st.lists(TEXTS, max_size=4))
def test_arguments_do_not_run_together(texts: list[str]) -> None:
    line = cmd.command("tool", *texts)
    assert line.endswith(" 2>&1")
    assert arguments(after_cmd(line[: -len(" 2>&1")])) == ["tool", *texts]


def test_what_needs_no_quotes_has_none() -> None:
    assert cmd.command(r"c:\nssm\nssm.exe", "set", "mattermost") == r"c:\nssm\nssm.exe set mattermost 2>&1"
    assert cmd.command(r"c:\n s\nssm.exe", "a b") == '"c:\\n s\\nssm.exe" ^"a b^" 2>&1'


def test_what_follows_does_not_depend_on_what_a_condition_says() -> None:
    assert cmd.if_exists(r"c:\a") == r'(if exist "c:\a" echo yes)'


PARTS = [("one", "do one"), ("two", "do two")]


def test_sections() -> None:
    assert cmd.sections(PARTS, "7f").endswith("& echo 7f-one:& do one& echo 7f-two:& do two& echo 7f-end:")
    output = (
        "7f-page:\r\nAktive Codepage: 65001.\r\n7f-one:\r\nä☃\r\n".encode()
        + b"7f-two:\r\n"
        + "Größe\r\r\n".encode("utf-16-le")
        + b"7f-end:\r\n"
    )
    assert cmd.read_sections(output, "7f", ["one", "two"]) == {"one": "ä☃", "two": "Größe"}


def test_sections_in_the_code_page_that_the_console_has() -> None:
    output = "7f-page:\r\nAktive Codepage: 850.\r\n7f-one:\r\nä\r\n7f-end:\r\n".encode("cp850")
    assert cmd.read_sections(output, "7f", ["one"])["one"] == "ä"


@pytest.mark.parametrize("output", [b"", b"bash: chcp: command not found", b"8f-page:\n8f-end:\n"])
def test_what_no_cmd_has_printed(output: bytes) -> None:
    assert cmd.read_sections(output, "7f", []) == {}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["page", "one", "one", "two", "end"], "the part one appears twice"),
        (["page", "one", "two", "one", "end"], "the part one appears twice"),
        (["page", "two", "one", "end"], "the part two comes where one is expected"),
        (["page", "two", "end"], "the part two comes where one is expected"),
        (["page", "one", "end"], "the part end comes where two is expected"),
        (["page", "one", "two", "three", "end"], "the part three comes where end is expected"),
        (["page", "one", "two", "end", "more"], "the part more comes where nothing is expected"),
        (["page", "one"], "it ends in the part one"),
        (["one", "two", "end"], "the part one comes where page is expected"),
    ],
)
def test_parts_that_are_not_the_requested_ones(names: list[str], said: str) -> None:
    output = "".join(f"7f-{name}:\r\ntext\r\n" for name in names).encode()
    with pytest.raises(cmd.BadAnswer, match=said):
        cmd.read_sections(output, "7f", ["one", "two"])


@pytest.mark.parametrize("inside", [b"7f-one", b"7f", b"7f-one: more", b"x7f-ONE:"])
def test_the_mark_stands_nowhere_but_before_a_part(inside: bytes) -> None:
    with pytest.raises(cmd.BadAnswer, match="where no part begins"):
        cmd.read_sections(b"7f-page:\r\n7f-one:\r\n" + inside + b"\r\n7f-end:\r\n", "7f", ["one"])


@given(TEXTS.filter(lambda text: "\n" not in text))
def test_the_way_through_powershell_takes_every_line(line: str) -> None:
    command = cmd.through_powershell(line)
    assert re.fullmatch(r"PowerShell( -\w+)+( Unrestricted)? -EncodedCommand [A-Za-z0-9+/=]+", command)
    script = base64.b64decode(command.rpartition(" ")[2]).decode("utf-16-le")
    quoted = re.search(r"FromBase64String\('([A-Za-z0-9+/=]*)'\)", script)
    assert quoted is not None
    assert zlib.decompress(base64.b64decode(quoted[1]), -zlib.MAX_WBITS).decode() == line


def test_the_way_back() -> None:
    assert cmd.from_powershell("\r\n" + base64.b64encode(b"\x00\xff").decode() + "\r\n") == b"\x00\xff"
    assert cmd.from_powershell("An error\r\noccurred!") == b""
    assert cmd.from_powershell("") == b""


def answering(text: str, shell: str = "cmd") -> WindowsHost:
    """A host that prints this, MARK being that of the line."""

    def run(command: str) -> dict[str, str]:
        mark = re.search("echo ([0-9a-f]+)-page:", command)
        return {"stdout": text.replace("MARK", mark[1] if mark else ""), "stderr": ""}

    return WindowsHost(run, shell, "win1")


HELLO = "MARK-page:\n65001\nMARK-os:\nWindows_NT\nMARK-x:\nhello\nMARK-end:\n"


def test_a_windows_host() -> None:
    host = answering(HELLO)
    assert host.ask([("x", "echo hello")])["x"] == "hello"
    assert host.round_trips == 1


def test_no_two_calls_have_the_same_mark() -> None:
    lines: list[str] = []

    def run(command: str) -> dict[str, str]:
        lines.append(command)
        return {"stdout": "", "stderr": ""}

    host = WindowsHost(run, "cmd", "win1")
    for _ in range(20):
        with pytest.raises(OperatorError):
            host.ask([])
    marks = {match[1] for line in lines if (match := re.search("echo ([0-9a-f]{16})-page:", line))}
    assert len(marks) == 20


@pytest.mark.parametrize("more", ["MARK-x:\nforged\n", "MARK\n", "MARK-end:\n"])
def test_an_answer_that_may_be_forged_is_not_used(more: str) -> None:
    with pytest.raises(OperatorError, match=r"nothing of it is used.*win1.*run it again"):
        answering(HELLO.replace("hello\n", f"hello\n{more}")).ask([("x", "echo hello")])


def test_an_answer_has_a_limit() -> None:
    with pytest.raises(OperatorError, match="bytes; wanted: at most 8388608"):
        answering(HELLO.replace("hello", "x" * (8 << 20))).ask([("x", "echo hello")])


def test_a_host_that_does_not_answer_holds_up_nobody() -> None:
    never = threading.Event()
    host = WindowsHost(lambda command: {"stdout": str(never.wait(30))}, "cmd", "win1", deadline=0.05)
    with pytest.raises(OperatorError, match="did not answer within 0 s"):
        host.ask([])
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_a_task_that_has_a_limit_of_its_own_keeps_it() -> None:
    signal.setitimer(signal.ITIMER_REAL, 60)
    try:
        with pytest.raises(OperatorError, match="no answer"):
            WindowsHost(lambda command: {"stdout": ""}, "cmd", "win1").ask([])
        assert 50 < signal.getitimer(signal.ITIMER_REAL)[0] <= 60
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.mark.parametrize("shell", ["cmd", "powershell"])
def test_more_than_a_line_takes_is_asked_in_turns(shell: str) -> None:
    lines: list[str] = []

    def run(command: str) -> dict[str, str]:
        lines.append(command)
        line = command
        if shell == "powershell":
            script = base64.b64decode(command.rpartition(" ")[2]).decode("utf-16-le")
            packed = re.search(r"FromBase64String\('([A-Za-z0-9+/=]*)'\)", script)
            line = zlib.decompress(base64.b64decode(packed[1]), -zlib.MAX_WBITS).decode() if packed else ""
        answers = {"page": "65001", "os": "Windows_NT"}
        found = re.findall("echo ([0-9a-f]{16})-([a-z0-9-]+):", line)
        text = "".join(f"{mark}-{name}:\r\n{answers.get(name, name)}\r\n" for mark, name in found)
        return {"stdout": base64.b64encode(text.encode()).decode() if shell == "powershell" else text}

    parts = [(f"part-{number}", f"do {random.Random(number).getrandbits(2000):x}") for number in range(60)]
    found = WindowsHost(run, shell, "win1").ask_in_turns(parts)
    assert found == {name: name for name, _ in parts}
    assert list(found) == [name for name, _ in parts]
    assert 1 < len(lines) < 20
    assert max(map(len, lines)) < 8000


def test_a_shell_that_is_none_of_windows() -> None:
    with pytest.raises(OperatorError, match=r"not a Windows host.*win1.*family sh.*ansible_shell_type"):
        answering("", "sh")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "no answer"),
        ("MARK-page:\nMARK-os:\n%OS%\nMARK-end:\n", "%OS%"),
        ("The ampersand (&) character is not allowed.", "ampersand"),
    ],
)
@pytest.mark.parametrize("shell", ["cmd", "powershell"])
def test_an_answer_that_is_none_of_windows(text: str, shown: str, shell: str) -> None:
    with pytest.raises(OperatorError, match=r"does not answer as cmd\.exe on Windows does") as raised:
        answering(text, shell).ask([])
    assert shown in str(raised.value)
    assert "ansible_shell_type" in str(raised.value)
