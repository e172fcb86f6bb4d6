"""Command lines for cmd.exe, read back by the rules that Microsoft documents for it and for a program's run-time."""

from __future__ import annotations

import base64
import re
import zlib

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.plugin_utils import _cmd as cmd
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows_host import WindowsHost
from hypothesis import example, given
from hypothesis import strategies as st

from windows.shell import as_file

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
    assert cmd.sections(PARTS).endswith("& echo plugops-one:& do one& echo plugops-two:& do two& echo plugops-end:")
    output = (
        "plugops-page:\r\nAktive Codepage: 65001.\r\nplugops-one:\r\nä☃\r\n".encode()
        + b"plugops-two:\r\n"
        + "Größe\r\r\n".encode("utf-16-le")
        + b"plugops-end:\r\n"
    )
    assert cmd.read_sections(output) == {"one": "ä☃", "two": "Größe", "end": ""}


def test_sections_in_the_code_page_that_the_console_has() -> None:
    output = "plugops-page:\r\nAktive Codepage: 850.\r\nplugops-one:\r\nä\r\nplugops-end:\r\n".encode("cp850")
    assert cmd.read_sections(output)["one"] == "ä"


@pytest.mark.parametrize("output", [b"", b"bash: chcp: command not found", b"plugops-page:\n"])
def test_what_no_cmd_has_printed(output: bytes) -> None:
    assert cmd.read_sections(output) == {}


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
    return WindowsHost(lambda command: {"stdout": text, "stderr": ""}, shell, "win1")


def test_a_windows_host() -> None:
    host = answering("plugops-page:\n65001\nplugops-os:\nWindows_NT\nplugops-x:\nhello\nplugops-end:\n")
    assert host.ask([("x", "echo hello")])["x"] == "hello"
    assert host.round_trips == 1


def test_a_shell_that_is_none_of_windows() -> None:
    with pytest.raises(OperatorError, match=r"not a Windows host.*win1.*family sh.*ansible_shell_type"):
        answering("", "sh")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "no answer"),
        ("plugops-page:\nplugops-os:\n%OS%\nplugops-end:\n", "%OS%"),
        ("The ampersand (&) character is not allowed.", "ampersand"),
    ],
)
@pytest.mark.parametrize("shell", ["cmd", "powershell"])
def test_an_answer_that_is_none_of_windows(text: str, shown: str, shell: str) -> None:
    with pytest.raises(OperatorError, match=r"does not answer as cmd\.exe on Windows does") as raised:
        answering(text, shell).ask([])
    assert shown in str(raised.value)
    assert "ansible_shell_type" in str(raised.value)
