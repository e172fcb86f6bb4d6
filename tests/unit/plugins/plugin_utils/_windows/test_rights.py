# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access rights of Windows: lists read back by an evaluation of their own, accounts, and what hangs on them."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.resource import ensure
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows import icacls, sddl
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows.cmd import (
    decoded,
    sections,
    through_powershell,
)
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows.directories import PluginDirectories
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows.host import WindowsHost
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows.service_account import (
    ServiceAccount,
    known_sid,
    service_sid,
)
from hypothesis import given
from hypothesis import strategies as st

# As Microsoft shows it for a directory that was made below C:\ by an administrator.
BELOW_ROOT = (
    "D:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)(A;OICIIOID;SDGXGWGR;;;AU)"
)
BELOW_PROGRAM_FILES = (
    "D:AI(A;ID;FA;;;S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464)(A;ID;FA;;;SY)(A;OICIIOID;GA;;;SY)"
    "(A;ID;FA;;;BA)(A;OICIIOID;GA;;;BA)(A;ID;0x1200a9;;;BU)(A;OICIIOID;GXGR;;;BU)(A;OICIIOID;GA;;;CO)"
)
NETWORK_SERVICE = ServiceAccount(r"NT AUTHORITY\NetworkService", "S-1-5-20")
SYSTEM = ServiceAccount("LocalSystem", "S-1-5-18")


def gives(text: str, account: ServiceAccount = NETWORK_SERVICE) -> bool:
    dacl = sddl.parse(text)
    assert dacl is not None
    return dacl.gives(account.identities, sddl.MODIFY)


def test_what_windows_gives_by_itself() -> None:
    assert gives(BELOW_ROOT)
    assert gives(BELOW_ROOT, SYSTEM)
    assert not gives(BELOW_PROGRAM_FILES)
    assert gives(BELOW_PROGRAM_FILES, SYSTEM)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("D:(A;OICI;0x1301bf;;;NS)", True),
        ("D:PAI(A;OICI;FA;;;S-1-5-20)", True),
        ("D:(A;OICI;0x1301bf;;;NS)S:AI(AU;SAFA;FA;;;WD)", True),
        ("D:NO_ACCESS_CONTROL", True),
        ("D:(A;;0x1301bf;;;NS)(A;OICIIO;SDGXGWGR;;;NS)", True),
        ("D:(A;;0x1301bf;;;NS)", False),  # this directory alone
        ("D:(A;OICIIO;0x1301bf;;;NS)", False),  # all but this directory
        ("D:(A;OI;0x1301bf;;;NS)", False),  # files alone
        ("D:(A;OICINP;0x1301bf;;;NS)", False),  # one level alone
        ("D:(A;OICI;0x1200a9;;;NS)(A;OICI;0x100116;;;WD)(A;OICI;SD;;;AU)", True),  # together
        ("D:(D;OICI;DT;;;WD)(A;OICI;FA;;;NS)", True),  # deletion of what is in it is no part of Modify
        ("D:(D;OICI;CC;;;WD)(A;OICI;FA;;;NS)", False),
        ("D:(A;OICI;FA;;;NS)(D;OICI;CC;;;WD)", True),  # the first one decides
        ("D:(D;OICI;FA;;;S-1-5-21-1-2-3-1001)(A;OICI;FA;;;NS)", True),  # somebody else
        ('D:(XA;OICI;FA;;;NS;(@User.Title=="PM" && (Member_of {SID(BA)})))', False),  # nobody here can tell
        ("D:", False),
        ("D:P", False),
    ],
)
def test_lists(text: str, expected: bool) -> None:
    assert gives(text) is expected


@pytest.mark.parametrize("text", ["", "plugins", "Zugriff verweigert", "O:BAG:BA", "S:(ML;;NW;;;HI)"])
def test_what_is_no_list(text: str) -> None:
    assert sddl.parse(text) is None


ENTRIES = st.lists(
    st.tuples(
        st.booleans(),
        st.sets(st.sampled_from(["OI", "CI", "IO", "NP", "ID"])),
        st.integers(0, sddl.FULL).map(lambda mask: mask & sddl.FULL),
        st.sampled_from(["NS", "WD", "BA", "S-1-5-21-1-2-3-4"]),
    ),
    max_size=6,
)


@given(ENTRIES, st.sampled_from(["self", "files", "directories"]))
def test_rights_bit_by_bit(entries: List[Tuple[bool, Any, int, str]], what: str) -> None:
    """For each single right the first entry that is about it decides; as Microsoft describes AccessCheck."""
    text = "".join(f"({'D' if no else 'A'};{''.join(sorted(f))};{m:#x};;;{who})" for no, f, m, who in entries)
    dacl = sddl.parse(f"D:AI{text}")
    assert dacl is not None
    expected = 0
    for bit in (1 << number for number in range(21)):
        for denies, flags, mask, who in entries:
            about = "IO" not in flags if what == "self" else {"files": "OI", "directories": "CI"}[what] in flags
            about = about and (what == "self" or "NP" not in flags)
            if mask & bit and about and who in ("NS", "WD"):
                expected |= 0 if denies else bit
                break
    assert dacl.mask(NETWORK_SERVICE.identities, what) == expected


@given(st.text(max_size=200))
def test_whatever_a_host_prints_is_read_or_is_nothing(text: str) -> None:
    sddl.parse(text)
    sddl.parse(f"D:{text}")
    icacls.saved(text)
    icacls.complaint(text)


@pytest.mark.parametrize(
    ("mask", "shown"),
    [(sddl.FULL, "F"), (sddl.MODIFY, "M"), (0x1200A9, "RX"), (0x1201BF, "RX+"), (0, "N"), (0x100116, "0x100116")],
)
def test_letters(mask: int, shown: str) -> None:
    assert sddl.letters(mask) == shown


SAVED = f"plugins\r\n{BELOW_ROOT}\r\n"


@pytest.mark.parametrize(
    "content",
    [SAVED.encode("utf-16-le"), ("\ufeff" + SAVED).encode("utf-16-le"), SAVED.encode(), ("\ufeff" + SAVED).encode()],
    ids=["utf-16", "with a mark", "as type turns it into the code page", "and with a mark"],
)
def test_what_icacls_has_saved(content: bytes) -> None:
    assert icacls.saved(decoded(content)) == {"plugins": sddl.parse(BELOW_ROOT)}


def test_several_names_one_of_them_like_a_list() -> None:
    text = f".\nD:(A;;FA;;;SY)\n..\nD:(A;;FA;;;SY)\ncom.example\nD:\na b\\Ä☃\n{BELOW_ROOT}\n"
    assert set(icacls.saved(text)) == {"com.example", "Ä☃"}


def test_an_account_that_was_looked_up() -> None:
    line = "(A;ID;FA;;;SY)(A;ID;FA;;;BA)"
    assert icacls.looked_up(f"plugops-1.tmp\nD:AI(A;;0x80;;;S-1-5-21-1-2-3-1001){line}\n") == "S-1-5-21-1-2-3-1001"
    assert icacls.looked_up(f"plugops-1.tmp\nD:AI(A;;0x80;;;LA){line}\n") == "LA"
    assert icacls.looked_up(f"plugops-1.tmp\nD:AI{line}\n") == ""
    assert icacls.looked_up(f"plugops-1.tmp\nD:AI(A;;0x80;;;LA)(A;;0x80;;;S-1-5-21-1-2-3-1001){line}\n") == ""
    assert icacls.looked_up("") == ""


@pytest.mark.parametrize(
    ("name", "sid"),
    [
        ("", "S-1-5-18"),
        ("LocalSystem", "S-1-5-18"),
        (r".\LocalSystem", "S-1-5-18"),
        (r"NT AUTHORITY\NetworkService", "S-1-5-20"),
        (r"nt authority\network service", "S-1-5-20"),
        (r"NT AUTHORITY\LocalService", "S-1-5-19"),
        # Microsoft documents this one.
        (r"NT SERVICE\TrustedInstaller", "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"),
        (r".\mattermost", None),
        (r"CORP\gmsa$", None),
        ("mm@corp.example.com", None),
        (r"NT-AUTORITÄT\Netzwerkdienst", None),
    ],
)
def test_accounts_that_are_the_same_everywhere(name: str, sid: Any) -> None:
    assert known_sid(name) == sid


def test_a_virtual_account_does_not_depend_on_case() -> None:
    assert service_sid("Mattermost") == service_sid("MATTERMOST")


def answers(**more: str) -> Dict[str, str]:
    key = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\mattermost"
    image, account = r"C:\nssm\nssm.exe", more.pop("runs_as", NETWORK_SERVICE.name)
    found = {
        "elevated": r"HKEY_USERS\S-1-5-19\Environment",
        "service": f"{key}\n    ImagePath    REG_EXPAND_SZ    {image}\n    ObjectName    REG_SZ    {account}\n",
        "application": f"{key}\\Parameters\n    Application    REG_EXPAND_SZ    c:\\mattermost\\bin\\mattermost.exe\n",
        "state": "STATE : 4  RUNNING\n PID : 812\n",
        "system": '"C:\\Windows"\n"C:\\ProgramData\\Microsoft"',
        **{f"links-{number}": '"d--------"' for number in range(7)},
        "base": "yes",
        "base-rights": f"mattermost\n{BELOW_ROOT}\n",
        "directory-path": r'"c:\mattermost\plugins"',
        "client-path": r'"c:\mattermost\client\plugins"',
    }
    for name in ("directory", "client"):
        found.update({f"{name}-exists": "yes", f"{name}-is-directory": "yes", f"{name}-parent": "yes"})
        found[f"{name}-rights"] = f"plugins\n{BELOW_ROOT}\n"
    found.update({name.replace("_", "-"): text for name, text in more.items()})
    return found


class Host(WindowsHost):
    """Answers from a table; what it does not have is nothing."""

    def __init__(self, *rounds: Dict[str, str]) -> None:
        super().__init__(lambda line: {}, "cmd", "win1")
        self.rounds = list(rounds)
        self.asked: List[List[Tuple[str, str]]] = []

    def ask(self, parts: List[Tuple[str, str]]) -> Dict[str, str]:
        self.asked.append(parts)
        found = self.rounds.pop(0)
        return {name: found.get(name, "") for name, _ in parts}


def resource(*rounds: Dict[str, str]) -> Tuple[PluginDirectories, Host]:
    host = Host(*rounds)
    return PluginDirectories(host, "mattermost", r"c:\mattermost"), host


def test_nothing_differs_in_one_round_trip() -> None:
    made, host = resource(answers())
    outcome = ensure(made, False)
    assert (len(outcome.differences), len(host.asked)) == (0, 1)
    assert outcome.facts["Directory"]["writable"]


def test_a_second_one_for_an_account_that_only_the_host_knows() -> None:
    probe = {"account": "x.tmp\nD:AI(A;;0x80;;;S-1-5-21-1-2-3-1001)\n"}
    made, host = resource(answers(runs_as=r".\mm"), probe)
    assert len(ensure(made, False).differences) == 0  # authenticated users may modify
    assert len(host.asked) == 2
    assert 'grant:r %COMPUTERNAME%^"\\mm:^(RA^)^"' in dict(host.asked[1])["account-granted"]


def test_a_grant_and_the_record_before_it() -> None:
    closed = answers(directory_rights=f"plugins\n{BELOW_PROGRAM_FILES}\n")
    granted = answers(
        directory_rights=f"plugins\n{BELOW_PROGRAM_FILES}(A;OICI;0x1301bf;;;NS)\n",
        directories_restart="HKEY_LOCAL_MACHINE\\x\n    mattermost\\directories    REG_SZ    812",
    )
    made, host = resource(closed, {}, granted)
    outcome = ensure(made, False)
    assert [d.as_dict() for d in outcome.differences] == [
        {
            "name": r"directories.c:\mattermost\plugins.rights",
            "found": "RX",
            "wanted": "M",
            "action": r'icacls "c:\mattermost\plugins" /grant "*S-1-5-20:(OI)(CI)M"',
        }
    ]
    assert [name for name, _ in host.asked[1]] == ["record", "granted-0"]
    assert outcome.pending.restart == [
        "mattermost (pid 812) was started before its account could write in the plugin directories: restart it"
    ]


def test_a_grant_that_did_nothing() -> None:
    closed = answers(directory_rights=f"plugins\n{BELOW_PROGRAM_FILES}\n")
    made, _ = resource(closed, {"granted-0": "Das System ..."}, closed)
    with pytest.raises(OperatorError, match=r"did not make the requested change.*Das System"):
        ensure(made, False)


def test_an_entry_that_denies_is_a_blocker_or_a_warning() -> None:
    mine = f"plugins\n{BELOW_ROOT.replace('D:AI', 'D:AI(D;OICIID;0x100116;;;SU)')}\n"
    with pytest.raises(
        OperatorError, match=r"denied write access to Directory.*S-1-5-6, inherited.*remove:d \*S-1-5-6"
    ):
        ensure(resource(answers(directory_rights=mine))[0], False)
    others = mine.replace("SU", "S-1-5-21-1-2-3-9")
    outcome = ensure(resource(answers(directory_rights=others))[0], False)
    assert len(outcome.differences) == 0
    assert "if the account" in outcome.warnings[0]


def test_rights_that_cannot_be_read_and_no_administrator() -> None:
    text = answers(directory_rights="", directory_rights_output=r"c:\mattermost\plugins: Zugriff verweigert")
    with pytest.raises(OperatorError, match=r"cannot be read.*Zugriff verweigert.*takeown"):
        ensure(resource(text)[0], False)
    with pytest.raises(OperatorError, match="access denied: this account may not give rights"):
        ensure(resource(answers(elevated="", directory_rights=f"x\n{BELOW_PROGRAM_FILES}"))[0], True)


def test_a_line_that_every_way_takes() -> None:
    """cmd.exe takes 8191 characters, and WinRM gives PowerShell's command line to a cmd.exe."""
    directory = r"%ProgramFiles%\A company\Mattermost of a department with a long name"
    host = Host(answers())
    wanted = PluginDirectories(host, "mattermost of a department", directory, r"data & more\plugins", r"web\plugins")
    wanted.observe()
    line = sections(host.asked[0], "0123456789abcdef")
    assert len(line) < 7000
    assert len(through_powershell(line)) < 8000


@pytest.mark.parametrize(
    ("path", "named"), [("C:\\", '"C:\\."'), ("%SystemDrive%", '"%SystemDrive%\\."'), ("C:\\x", '"C:\\x"')]
)
def test_the_root_of_a_drive_is_named_so_that_its_quotes_count(path: str, named: str) -> None:
    assert dict(icacls.Icacls("1").save("x", path))["x-output"].startswith(f"icacls {named} /save ")
