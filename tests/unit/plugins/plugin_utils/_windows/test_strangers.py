# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service's own account can write on its Windows host never becomes a command, nor another part of an answer.

The host is a table of what each part of a line prints, in the bytes in which cmd.exe hands them over.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, List, Union

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.resource import ensure
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows import (
    icacls,
    links,
    nssm,
    sddl,
    system,
    winpath,
)
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows.app_directory import AppDirectory
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows.directories import PluginDirectories
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows.host import WindowsHost
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows.service_account import known_sid
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows.service_run import ServiceRun
from hypothesis import example, given
from hypothesis import strategies as st

KEY = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\mattermost"
NSSM = r"C:\Program Files\nssm\nssm.exe"
EVIL = r"C:\mattermost\data\evil.exe"
BELOW_ROOT = "D:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;0x1200a9;;;BU)(A;OICIID;0x1301bf;;;AU)"
CLOSED = "D:PAI(A;;FA;;;SY)(A;;FA;;;BA)(A;;0x1200a9;;;BU)"
EMPTY = "ERROR: The system was unable to find the specified registry key or value."
DIRECTORY, LINK = '"d--------"', '"d-------l"'
Said = Union[str, bytes]


def service(image: str = NSSM, account: str = r"NT AUTHORITY\NetworkService") -> str:
    return f"{KEY}\r\n    ImagePath    REG_EXPAND_SZ    {image}\r\n    ObjectName    REG_SZ    {account}"


class Cmd:
    """A cmd.exe, and the lines that it was given."""

    def __init__(self, **said: Said) -> None:
        self.lines: List[str] = []
        self.said: Dict[str, Said] = {
            "page": "Active code page: 65001",
            "os": "Windows_NT",
            "elevated": r"HKEY_USERS\S-1-5-19\Environment",
            "service": service(),
            "application": rf"{KEY}\Parameters" + "\r\n    Application    REG_EXPAND_SZ    C:\\mattermost\\bin\\mm.exe",
            "directory": rf"{KEY}\Parameters" + "\r\n    AppDirectory    REG_EXPAND_SZ    C:\\mattermost",
            "state": "        STATE              : 4  RUNNING\r\n        PID                : 77",
            "restart": EMPTY,
            "directories-restart": EMPTY,
            "system": '"C:\\Windows"\r\n"C:\\ProgramData\\Microsoft"\r\n"C:\\Program Files\\Common Files"',
            "exists": f'"{NSSM}"',
            "wanted": '"C:\\mattermost"',
            "nssm": f'"{NSSM}"',
            "nssm-file": f"nssm.exe\r\n{CLOSED}",
            "nssm-place": f"nssm\r\n{CLOSED}",
            "base": "yes",
            "base-rights": f"mattermost\r\n{BELOW_ROOT}",
            # Of mattermost, plugins, client and client\\plugins, as cmd.exe writes them.
            **{f"links-{number}": DIRECTORY for number in range(4)},
            "directory-path": '"C:\\mattermost\\plugins"',
            "client-path": '"C:\\mattermost\\client\\plugins"',
        }
        for name in ("directory", "client"):
            self.said.update({f"{name}-exists": "yes", f"{name}-is-directory": "yes", f"{name}-parent": "yes"})
            self.said[f"{name}-rights"] = f"plugins\r\n{BELOW_ROOT}"
        self.said.update({name.replace("_", "-"): text for name, text in said.items()})

    def run(self, line: str) -> Dict[str, Any]:
        self.lines.append(line)
        out = b""
        for before, name in re.findall(r"echo ((?:[0-9a-f]{16}|plugops)-)([a-z0-9-]+):", line):
            text = self.said.get(name, "")
            out += f"{before}{name}:\r\n".encode() + (text if isinstance(text, bytes) else text.encode()) + b"\r\n"
        return {"stdout": out.decode("utf-8", "surrogateescape"), "stderr": ""}

    def host(self) -> WindowsHost:
        return WindowsHost(self.run, "cmd", "win1")

    def restart(self) -> Dict[str, Any]:
        return ServiceRun(self.host(), "mattermost", timeout=2).ensure(True, False)

    def directories(self, **options: str) -> PluginDirectories:
        return PluginDirectories(self.host(), "mattermost", r"C:\mattermost", **options)

    def everything(self) -> str:
        return "\n".join(self.lines)


def event(text: str) -> str:
    return (
        '<Event><System><Provider Name="nssm"/><EventID>1008</EventID></System><EventData>'
        f"<Data>{text}</Data><Data/><Data>mattermost</Data><Data>C:\\mattermost</Data></EventData></Event>"
    )


def forged(mark: str) -> str:
    return f"x\r\n{mark}-service:\r\n{service(EVIL)}\r\n{mark}-junk:\r\n"


def test_a_text_of_the_event_log_is_no_answer_of_the_registry() -> None:
    """The program that a restart starts is the registry's, whatever a service has reported."""
    cmd = Cmd(started=event(forged("plugops")))
    assert cmd.restart()["state"] == "RUNNING"
    assert "evil" not in cmd.everything()
    assert f'"{NSSM}" restart mattermost' in cmd.everything()
    assert "wevtutil" not in cmd.everything()


def test_a_restart_never_asks_for_what_strangers_write_and_the_directory_asks_it_last() -> None:
    cmd = Cmd(started=event("C:\\x"))
    resource = AppDirectory(cmd.host(), "mattermost", r"C:\mattermost")
    cmd.said["exists"] = "yes"
    assert resource.observe().running_directory == r"C:\mattermost"
    names = re.findall(r"echo [0-9a-f]{16}-([a-z0-9-]+):", cmd.lines[0])
    assert names[-2:] == ["started", "end"]
    cmd = Cmd()
    cmd.directories().observe()
    names = re.findall(r"echo [0-9a-f]{16}-([a-z0-9-]+):", cmd.lines[0])
    last = ["directory-entries-output", "directory-entries", "client-entries-output", "client-entries", "end"]
    assert names[-5:] == last


def test_even_one_who_knows_the_mark_can_only_spoil_the_answer() -> None:
    cmd = Cmd()
    plain = cmd.run

    def run(line: str) -> Dict[str, Any]:
        mark = re.search("echo ([0-9a-f]{16})-", line)
        assert mark is not None
        cmd.said["started"] = event(forged(mark[1]))
        return plain(line)

    resource = AppDirectory(WindowsHost(run, "cmd", "win1"), "mattermost", r"C:\mattermost")
    with pytest.raises(OperatorError, match="nothing of it is used"):
        resource.observe()


def as_a_name(text: str) -> str:
    """The name of a file whose letters are these bytes, as ``icacls /save`` writes it."""
    content = text.encode() + b" " * (len(text) % 2)
    return content.decode("utf-16-le")


def test_a_name_whose_bytes_are_a_part_of_an_answer() -> None:
    """Windows writes names in two bytes a letter; any bytes are letters of some script."""
    name = as_a_name("\r\nplugops-service:\r\n" + service(EVIL) + "\r\nplugops-junk:\r\n")
    saved = f"{name}\r\n{BELOW_ROOT}\r\n".encode("utf-16-le")
    cmd = Cmd(client_entries=saved)
    assert cmd.directories().observe().service.image == NSSM


@pytest.mark.parametrize(
    "name",
    [
        'x" & calc.exe & "',
        "%CMDCMDLINE%",
        "%PATHEXT%",
        "!PATH!",
        "a^b",
        "a&b",
        "a`b",
        "a|b",
        "＂ ＆ calc ＂",  # noqa: RUF001
        "％TEMP％",  # noqa: RUF001
        "a\u202eb",
        "a\tb",
        "a\x1bb",
        "x" * 256,
    ],
)
def test_a_name_that_a_command_could_misread_is_refused_and_given_to_none(name: str) -> None:
    cmd = Cmd(directory_entries=f"{name}\r\n{CLOSED}")
    with pytest.raises(OperatorError, match="has a name that no command can take safely") as raised:
        ensure(cmd.directories(), False)
    assert name not in cmd.everything()
    assert ascii(name[:260]) in str(raised.value)
    assert re.search(r"[\x00-\x1f\u202e]", str(raised.value)) is None


def test_a_name_whose_bytes_are_a_command() -> None:
    """Many letters without a zero byte make a list look as if it were in the console's code page."""
    name = as_a_name(f'\nx" & evil.exe & "\n{CLOSED}\n' + "y" * 300)
    cmd = Cmd(directory_entries=f"{name}\r\n{CLOSED}\r\n".encode("utf-16-le"))
    with pytest.raises(OperatorError, match="no command can take safely"):
        ensure(cmd.directories(), False)
    assert "evil.exe" not in cmd.everything()


@pytest.mark.parametrize("path", [r"C:\%CMDCMDLINE%\x", r"%CmdCmdLine%\x", r"C:\%cmdcmdline:~1,2%"])
def test_the_variable_that_holds_quotes_is_in_no_path(path: str) -> None:
    with pytest.raises(OperatorError, match="is not the path of a directory"):
        winpath.check_wanted(path, "AppDirectory")


def test_names_of_plugins_and_of_people_are_plain() -> None:
    for name in ("com.example.plugin", "playbooks", "a b (2)", "Söhne-☃", "moved, old; copy", "x'y", "a=b+c@d#e$f~1"):
        assert winpath.is_plain_name(name), name


def test_a_right_on_an_entry_is_given_in_a_directory_that_is_held() -> None:
    """Without /t, which walks through junctions; and only a directory gets one."""
    entries = f"com.example.one\r\n{CLOSED}\r\na file\r\n{CLOSED}\r\nled\r\n{CLOSED}"
    cmd = Cmd(directory_entries=entries, kinds_0=DIRECTORY, kinds_1="", kinds_2=LINK)
    resource = cmd.directories()
    found = resource.observe()
    assert list(found.directories[0].closed) == ["com.example.one"]
    assert "'a file', 'led'" in resource.warnings(found)[0]
    resource.apply(found, resource.compare(found))
    granting = cmd.lines[-1]
    assert "/t" not in re.findall(r"/\w+", granting)
    assert granting.count("icacls.exe") == 1
    place = r"C:\mattermost\plugins\com.example.one"
    line = rf'"%SystemRoot%\System32\icacls.exe" "{place}" /grant ^"*S-1-5-20:^(OI^)^(CI^)M^" /l /q 2>&1'
    assert (
        f'set "L=1"& pushd "{place}" 2>nul&& set "L="& '
        r'(for %i in (. .. ..\..) do @if not "%~ai"=="d--------" set "L=1")& '
        f"(if defined L (echo {links.NOT_RUN}) else {line})& popd"
    ) in granting


@pytest.mark.parametrize("level", range(4))
def test_no_right_is_given_through_a_junction(level: int) -> None:
    closed = f"plugins\r\n{CLOSED}"
    cmd = Cmd(directory_rights=closed, client_rights=closed, **{f"links_{level}": LINK})
    with pytest.raises(OperatorError, match=r"a link or junction is in the path.*name the directory that it leads to"):
        ensure(cmd.directories(), False)
    assert "/grant" not in cmd.everything()


def test_a_junction_of_the_operators_own_is_no_matter_where_nothing_is_to_be_changed() -> None:
    cmd = Cmd(links_0=LINK)
    outcome = ensure(cmd.directories(), False)
    assert (len(outcome.differences), outcome.warnings) == (0, [])


def test_directories_are_made_level_by_level_in_one_that_is_held() -> None:
    there = {f"client_{name}": "" for name in ("is_directory", "exists", "parent", "rights")}
    cmd = Cmd(**there, links_2="", links_3="")
    resource = cmd.directories()
    found = resource.observe()
    resource.apply(found, resource.compare(found))
    made = [line for line in cmd.lines if "mkdir" in line]
    held, above = r"C:\mattermost", r"C:\mattermost\client"
    for line, place, new in zip(made, (held, above), (above, rf"{above}\plugins")):
        assert f'pushd "{place}" 2>nul&&' in line
        assert f'else mkdir "{new}" 2>&1)' in line
    assert len(made) == 2


def test_a_host_that_does_not_tell_links_gets_no_change() -> None:
    for said in ("ECHO is on.", "d--------", f"{DIRECTORY}\r\n{DIRECTORY}", '"%~ai"'):
        with pytest.raises(
            OperatorError, match=r"does not tell whether a directory is a link.*C:\\mattermost\\plugins"
        ):
            Cmd(links_1=said).directories().observe()


def test_what_was_not_seen_is_not_changed() -> None:
    line = links.guarded(r"C:\a\b", {r"C:\a": "d--------"}, "doing")
    assert '(for %i in (.) do @set "L=1")& (for %i in (..) do @if not "%~ai"=="d--------" set "L=1")' in line
    assert links.guarded("D:\\", {}, "doing").startswith('set "L=1"& pushd "D:\\." 2>nul&& set "L="& (if defined L')


@pytest.mark.parametrize(
    "image",
    [
        "nssm.exe",
        r"..\nssm.exe",
        r"\nssm\nssm.exe",
        r"C:nssm.exe",
        r"C:\nssm\nssm.cmd",
        r"C:\%CMDCMDLINE%\nssm.exe",
        r"%CMDCMDLINE%\nssm.exe",
        r"C:\%TEMP%\nssm.exe",
        r"C:\!x!\nssm.exe",
        r"C:\nssm|x\nssm.exe",
        "C:\\nssm\x1b\\nssm.exe",
        r"C:\nssm\a.txt:nssm.exe",
    ],
)
def test_a_program_whose_path_is_not_plain_is_not_started(image: str) -> None:
    cmd = Cmd(service=service(image))
    with pytest.raises(
        OperatorError, match=r"this program is not started.*ImagePath of the service.*set nssm to its path"
    ):
        cmd.restart()
    assert "restart mattermost" not in cmd.everything()


@pytest.mark.parametrize("image", [NSSM, r"C:\R&D (x86)\nssm.exe", r"%ProgramFiles(x86)%\nssm\nssm.exe"])
def test_a_program_whose_path_is_plain(image: str) -> None:
    cmd = Cmd(service=service(image if image.startswith("%") else f'"{image}"'))
    cmd.restart()
    assert f'"{image}" restart mattermost' in cmd.everything()


@pytest.mark.parametrize(
    ("program", "directory"),
    [
        (BELOW_ROOT, CLOSED),
        (CLOSED, BELOW_ROOT),
        (CLOSED, CLOSED + "(A;;0x2;;;NS)"),  # a library beside the program
        (CLOSED + "(A;;WO;;;WD)", CLOSED),
        ("", CLOSED),
    ],
)
def test_a_program_that_the_account_can_replace_is_not_started(program: str, directory: str) -> None:
    cmd = Cmd(nssm_file=f"nssm.exe\r\n{program}" if program else "", nssm_place=f"nssm\r\n{directory}")
    with pytest.raises(OperatorError, match=r"the account of the service could replace it.*inheritance:r"):
        cmd.restart()
    assert "restart mattermost" not in cmd.everything()


SYSTEM = [
    "C:\\",
    "D:\\",
    r"\\server\share",
    r"C:\Windows",
    r"c:\windows\System32\x",
    r"D:\Windows\x",
    r"C:\Program Files",
    r"C:\Program Files (x86)\.",
    r"C:\Program Files\Common Files\x",
    r"C:\ProgramData",
    r"C:\ProgramData\Microsoft\Windows\Start Menu\Programs\StartUp",
    r"C:\Users",
    r"C:\Users\Administrator",
    r"C:\mattermost\..\Windows",
    r"\\localhost\C$\Windows\x",
    r"\\?\C:\Windows",
    r"C:\PROGRA~1\x",
    r"C:\$Recycle.Bin\x",
    r"E:\WINNT2\x",
    r"E:\apps",
]
KNOWN = r"""
"E:\WINNT2"
"C:\ProgramData\Microsoft"
"E:\apps\Common Files"
"%ProgramFiles(x86)%\Common Files"
"E:\apps"
"%ProgramFiles(x86)%"
"C:\ProgramData"
"C:\Users\Public"
"C:\Users\admin"
""".strip()


@pytest.mark.parametrize("path", SYSTEM)
def test_a_directory_of_windows_gets_no_right(path: str) -> None:
    with pytest.raises(
        OperatorError, match=r"where no service account may get any right.*name another one in directory"
    ):
        system.refuse(path, "Directory", "directory", KNOWN)


@pytest.mark.parametrize(
    "path",
    [
        r"C:\mattermost\plugins",
        r"C:\Program Files\Mattermost\plugins",
        r"C:\ProgramData\Mattermost\plugins",
        r"C:\Users\mattermost\plugins",
        r"D:\mattermost plugins",
        r"E:\apps\mattermost\plugins",
        r"\\server\share\plugins",
        r"C:\windows of the house\plugins",
        r"C:\mattermost\PLUGIN~1",
    ],
)
def test_directories_of_a_server(path: str) -> None:
    system.refuse(path, "Directory", "directory", KNOWN)


def test_the_question_has_an_answer_for_each_place() -> None:
    assert system.question().count("echo ") == len(KNOWN.split("\n"))


def test_a_directory_of_windows_is_refused_before_anything_else_is_done() -> None:
    cmd = Cmd(directory_path='"C:\\Windows\\Temp"')
    with pytest.raises(OperatorError, match="Directory would be in a directory of Windows itself"):
        ensure(cmd.directories(directory=r"%SystemRoot%\Temp"), False)
    assert len(cmd.lines) == 1


TEXT = st.one_of(
    st.text(max_size=300),
    st.text(st.sampled_from("\r\n\t :;()\"'<>%0123456789ABCDEFxDAS-Data/&#\\REG_SZPID\ud800"), max_size=300),
    st.lists(
        st.sampled_from(
            ["D:", "(A;;FA;;;NS)", "(", ")", '"', "0999", "9" * 5000, "0x", ";", "HKEY_", "    ImagePath    REG_SZ    ",
             "<Data>", "</Data>", "&#x110000;", "&#99999999999999;", "STATE : 4  RUNNING", "PID : 1", "\n", "FAILED 5"]
        ),
        max_size=30,
    ).map("".join),
)  # fmt: skip
PARTS = sorted(Cmd().said.keys() - {"page", "os"})


@given(TEXT)
@example("D:(A;;0999;;;NS)")
@example(f"D:(A;;{'9' * 5000};;;NS)")
@example("C:\\x&#x110000;")
def test_a_parser_of_windows_answers_reads_or_refuses(text: str) -> None:
    calls: List[Callable[[], Any]] = [
        lambda: sddl.parse(text),
        lambda: sddl.parse(f"D:(A;;{text};;;NS)"),
        lambda: icacls.saved(text),
        lambda: icacls.looked_up(text),
        lambda: icacls.complaint(text),
        lambda: winpath.tidy(text),
        lambda: winpath.levels(winpath.tidy(text)),
        lambda: winpath.executable_of(text),
        lambda: winpath.is_plain_name(text),
        lambda: winpath.check_program(text, "where", "remedy"),
        lambda: known_sid(text),
        lambda: known_sid("NT SERVICE\\" + text),
        lambda: system.refuse(text, "Directory", "directory", text),
        lambda: links.attributes("links", ["C:\\a"], {"links-0": text}),
        lambda: nssm.service_of("mattermost", {**_texts(), "started": event(text)}),
    ]
    for call in calls:
        try:
            call()
        except OperatorError:
            pass


def _texts() -> Dict[str, str]:
    return {name: text.replace("\r", "") for name, text in Cmd().said.items() if isinstance(text, str)}


@given(st.sampled_from(PARTS), st.one_of(TEXT.map(lambda text: text.encode("utf-8", "replace")), st.binary()))
def test_an_answer_with_anything_in_it_is_read_or_refused(part: str, said: bytes) -> None:
    cmd = Cmd(**{part: said})
    for resource in (cmd.directories(), AppDirectory(cmd.host(), "mattermost", r"C:\mattermost")):
        try:
            ensure(resource, True)
        except OperatorError:
            pass
    allowed = r"[^\x00-\x08\x0b-\x1f]*"
    assert all(re.fullmatch(allowed, line) for line in cmd.lines)


LONG = 200_000


@pytest.mark.parametrize(
    "text",
    [
        *[part * LONG for part in ("\n", " ", "<Data>", "(", '("', ": 1", "PID", ".ex", "&#x")],
        "D:" + "(A;" * LONG,
        "D:" + "(A;;FA;;;NS)" * (LONG // 4),
        "x\nD:\n" * (LONG // 4),
        "HKEY_\n" + " \n" * LONG,
    ],
    ids=lambda text: ascii(text[:8]),
)
def test_time_grows_with_the_length_and_no_more(text: str) -> None:
    """A quadratic one would take minutes for these."""
    answers = _texts()
    for name in (
        "service",
        "application",
        "directory",
        "restart",
        "directories-restart",
        "state",
        "elevated",
        "started",
    ):
        try:
            nssm.service_of("mattermost", {**answers, name: text})
        except OperatorError:
            pass
    for read in (
        sddl.parse,
        icacls.saved,
        icacls.looked_up,
        winpath.executable_of,
        winpath.tidy,
        winpath.is_plain_name,
    ):
        read(text)
