# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directories resource on small hosts, live below a temporary directory and as images."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.resource import ensure
from ansible_collections.plugops.mattermost.plugins.module_utils._directories import directories as directories_module
from ansible_collections.plugops.mattermost.plugins.module_utils._directories.directories import Directories, parse_mode
from ansible_collections.plugops.mattermost.plugins.module_utils._host.accounts import find_account
from ansible_collections.plugops.mattermost.plugins.module_utils._host.process import Process
from ansible_collections.plugops.mattermost.plugins.module_utils._host.root import Root
from ansible_collections.plugops.mattermost.plugins.module_utils._host.worker import act_as
from ansible_collections.plugops.mattermost.plugins.module_utils._node.node import Node
from ansible_collections.plugops.mattermost.plugins.module_utils._node.options import NodeOptions
from ansible_collections.plugops.mattermost.plugins.module_utils._services.systemd_unit import Service
from hypothesis import given, settings
from hypothesis import strategies as st

from plugops_tests.support.acl import give_acl
from plugops_tests.support.chattr import chattr

ROOT = os.geteuid() == 0
USER = "nobody" if ROOT else str(os.geteuid())
UNIT = "/etc/systemd/system/mattermost.service"
needs_root = pytest.mark.skipif(not ROOT, reason="needs root, to give files to other users")


def _no_command(argv: Sequence[str]) -> Tuple[int, str, str]:
    raise AssertionError(f"nothing is to be run: {argv}")


class Host:
    """An app server below a directory."""

    def __init__(self, top: Path) -> None:
        self.top = top
        top.chmod(0o700)  # what lies above the root of an image must not matter
        for directory in ("opt/mattermost/client", "opt/mattermost/config", "etc/systemd/system"):
            (top / directory).mkdir(parents=True)
            for part in [top / directory, *(top / directory).parents]:
                if top in part.parents:
                    part.chmod(0o755)
        self.configure({})

    def __truediv__(self, path: str) -> Path:
        return self.top / path

    def configure(self, plugin_settings: Dict[str, Any]) -> None:
        config = self / "opt/mattermost/config/config.json"
        config.write_text(json.dumps({"PluginSettings": plugin_settings}))

    def unit(self, text: str) -> None:
        self.top.joinpath(UNIT.lstrip("/")).write_text(f"[Service]\nExecStart=/opt/mattermost/bin/mattermost\n{text}\n")

    def node(self, **options: Any) -> Node:
        return Node(
            NodeOptions(root=str(self.top), service_user=options.pop("service_user", USER), **options), _no_command
        )

    def directories(
        self, directory: Optional[str] = None, client: Optional[str] = None, mode: str = "0755"
    ) -> Directories:
        return Directories(self.node(), directory, client, mode)

    def state(self) -> Dict[str, Tuple[Any, ...]]:
        found: Dict[str, Tuple[Any, ...]] = {}
        for path in sorted([self.top, *self.top.rglob("*")]):
            now = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(now.st_mode) else b""
            found[str(path)] = (now.st_uid, now.st_gid, now.st_mode, now.st_mtime_ns, now.st_ino, content)
        return found

    def run(self, directories: Optional[Directories] = None) -> List[str]:
        """Check, run, check, run; returns the names that differed."""
        resource = directories or self.directories()
        before = self.state()
        predicted = ensure(resource, check_mode=True).result()
        assert self.state() == before
        done = ensure(resource, check_mode=False).result()
        after = self.state()
        assert done["differences"] == predicted["differences"]
        assert (done["changed"], done["diff"]) == (predicted["changed"], predicted["diff"])
        assert not ensure(resource, check_mode=True).result()["changed"]
        assert not ensure(resource, check_mode=False).result()["changed"]
        assert self.state() == after
        resource.prove()
        return [difference["name"] for difference in done["differences"]]

    def refused(self, directories: Optional[Directories] = None) -> str:
        """The message of a host that cannot be fixed; check mode gives the same, and nothing is changed."""
        resource = directories or self.directories()
        before = self.state()
        messages = []
        for check_mode in (True, False):
            with pytest.raises(OperatorError) as raised:
                ensure(resource, check_mode)
            messages.append(str(raised.value))
        assert messages[0] == messages[1]
        assert self.state() == before
        return messages[0]

    def kinds(self, directories: Optional[Directories] = None) -> List[str]:
        found = (directories or self.directories()).observe()
        return sorted({blocker.kind for directory in found.directories for blocker in directory.blockers})


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    yield Host(tmp_path)
    subprocess.run(["chattr", "-R", "-i", "-a", str(tmp_path)], capture_output=True, check=False)


def _mode(path: Path) -> str:
    return format(stat.S_IMODE(path.stat().st_mode), "04o")


def _can_use(host: Host, path: str) -> bool:
    """The oracle: ls, touch and rm as nobody, from the host's /opt on."""
    argv = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    argv += ["sh", "-c", 'ls "$1" && touch "$1/probe" && rm "$1/probe"', "sh", os.path.relpath(path, "/opt")]
    return subprocess.run(argv, cwd=host / "opt", capture_output=True, check=False).returncode == 0


@pytest.fixture(params=[0o022, 0o077, 0o000])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    old = os.umask(request.param)
    yield request.param
    os.umask(old)


def test_fresh_install(host: Host, umask: int) -> None:
    if ROOT:
        (host / "opt/mattermost/client").chmod(0o555)
    names = host.run()
    assert names == ["directories./opt/mattermost/plugins", "directories./opt/mattermost/client/plugins"]
    for path in ("plugins", "client/plugins"):
        assert _mode(host / f"opt/mattermost/{path}") == "0755"
        if ROOT:
            assert (host / f"opt/mattermost/{path}").owner() == "nobody"
            assert (host / f"opt/mattermost/{path}").group() == "nogroup"
            assert _can_use(host, f"/opt/mattermost/{path}")
    if ROOT:
        assert _mode(host / "opt/mattermost/client") == "0555", "root needs no right to create in it"


@needs_root
def test_new_directory_is_closed_until_it_has_its_owner(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    fchown = os.fchown

    def watch(handle: int, uid: int, gid: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(handle).st_mode))
        fchown(handle, uid, gid)

    monkeypatch.setattr(directories_module.os, "fchown", watch)
    old = os.umask(0)
    try:
        ensure(host.directories(mode="0777"), check_mode=False)
    finally:
        os.umask(old)
    assert modes == [0o700, 0o700]


def test_parent_made_too_with_the_mode_wanted(host: Host, umask: int) -> None:
    (host / "opt/mattermost/client").rmdir()
    assert host.run(host.directories(mode="750")) == [
        "directories./opt/mattermost/plugins",
        "directories./opt/mattermost/client",
        "directories./opt/mattermost/client/plugins",
    ]
    assert _mode(host / "opt/mattermost/client") == _mode(host / "opt/mattermost/client/plugins") == "0750"


def test_relative_to_the_directory_that_the_service_will_have(host: Host) -> None:
    (host / "srv/run").mkdir(parents=True)
    (host / "srv").chmod(0o755)
    (host / "srv/run").chmod(0o755)
    node = host.node(working_directory="/srv/run", allowed_directories=("/srv/p",))
    host.configure({"Directory": "../p", "ClientDirectory": "/opt/mattermost/c"})
    host.run(Directories(node, None, "", "0755"))
    assert (host / "srv/p").is_dir()
    assert (host / "opt/mattermost/c").is_dir()
    assert host.run(Directories(node, "own", None)) == ["directories./srv/run/own"]


def test_configuration_and_its_environment_decide(host: Host) -> None:
    host.configure({"directory": "from-file", "ClientDirectory": ""})
    paths = host.directories().paths()
    assert paths == {"Directory": "/opt/mattermost/from-file", "ClientDirectory": "/opt/mattermost/client/plugins"}
    host.unit("Environment=MM_PLUGINSETTINGS_DIRECTORY=from-environment")
    assert host.directories().paths()["Directory"] == "/opt/mattermost/from-environment"
    assert host.directories("mine", "yours").paths() == {
        "Directory": "/opt/mattermost/mine",
        "ClientDirectory": "/opt/mattermost/yours",
    }


@needs_root
def test_as_a_server_makes_them_and_as_an_upgrade_leaves_them(host: Host) -> None:
    plugins, client = host / "opt/mattermost/plugins", host / "opt/mattermost/client/plugins"
    for path in (plugins, client):
        path.mkdir()
        path.chmod(0o744)
    os.chown(plugins, 65534, 65534)
    (plugins / "com.example/server").mkdir(parents=True)
    (plugins / "com.example/server/plugin").write_text("x")
    assert host.run() == [
        "directories./opt/mattermost/plugins.mode",
        "directories./opt/mattermost/plugins.content",
        "directories./opt/mattermost/client/plugins.owner",
        "directories./opt/mattermost/client/plugins.mode",
    ]
    assert {path.owner() for path in plugins.rglob("*")} == {"nobody"}
    assert _can_use(host, "/opt/mattermost/client/plugins")


@needs_root
def test_values_of_differences(host: Host) -> None:
    plugins = host / "opt/mattermost/plugins"
    plugins.mkdir()
    plugins.chmod(0o700)
    (plugins / "a").touch()
    found = {item.name: (item.found, item.wanted) for item in host.directories().compare(host.directories().observe())}
    assert found == {
        "directories./opt/mattermost/plugins.owner": ("root:root", "nobody:nogroup"),
        "directories./opt/mattermost/plugins.mode": ("0700", "0755"),
        "directories./opt/mattermost/plugins.content": ("1 entry not owned by nobody: a", "owned by nobody:nogroup"),
        "directories./opt/mattermost/client/plugins": (None, "directory"),
    }


@needs_root
@pytest.mark.parametrize(
    ("uid", "gid", "mode", "fixed"),
    [(0, 0, 0o750, "0751"), (0, 65534, 0o700, "0710"), (65534, 0, 0o077, "0177"), (0, 0, 0o755, None)],
)
def test_parents_are_opened_as_little_as_needed(
    host: Host, uid: int, gid: int, mode: int, fixed: Optional[str]
) -> None:
    for path in ("opt/mattermost/client", "opt/mattermost"):
        os.chown(host / path, uid, gid)
        (host / path).chmod(mode)
    names = host.run()
    wanted = ["directories./opt/mattermost.mode", "directories./opt/mattermost/client.mode"] if fixed else []
    assert [name for name in names if name.endswith(".mode")] == wanted
    assert _mode(host / "opt/mattermost/client") == (fixed or format(mode, "04o"))
    assert _can_use(host, "/opt/mattermost/client/plugins")


@needs_root
def test_parent_above_the_install_directory_is_not_ours(host: Host) -> None:
    (host / "opt").chmod(0o750)
    message = host.refused()
    assert "/opt: nobody may not search it (owner root:root, mode 0750)" in message
    assert "What to do: chmod o+x /opt." in message
    assert host.kinds() == ["parent-not-searchable"]
    (host / "opt").chmod(0o751)
    host.run()


@needs_root
def test_acl_of_a_parent(host: Host) -> None:
    give_acl(host / "opt/mattermost/client", 65534, 0)
    assert "setfacl -m u:nobody:x /opt/mattermost/client" in host.refused()
    assert host.kinds() == ["acl"]


@pytest.mark.parametrize("setting", ["plugins", "client/plugins", "client"])
def test_file_in_the_way_stays(host: Host, setting: str) -> None:
    place = host / f"opt/mattermost/{setting}"
    if place.is_dir():
        place.rmdir()
    place.write_text("keep me")
    message = host.refused()
    assert f"/opt/mattermost/{setting}: it is a file, not a directory" in message
    assert f"mv /opt/mattermost/{setting} " in message


def test_dangling_link_and_loop(host: Host) -> None:
    (host / "opt/mattermost/plugins").symlink_to("/srv/gone")
    (host / "opt/mattermost/client/plugins").symlink_to("plugins")
    message = host.refused()
    assert "a link to /srv/gone, and /srv does not exist" in message
    assert "loop" in message
    assert host.kinds() == ["not-a-directory"]


def test_link_to_a_directory_stays_and_its_target_is_fixed(host: Host) -> None:
    (host / "srv/plugins").mkdir(parents=True)
    (host / "srv").chmod(0o755)
    (host / "srv/plugins").chmod(0o700)
    (host / "opt/mattermost/plugins").symlink_to("/srv/plugins")
    names = host.run()
    assert "directories./opt/mattermost/plugins.mode" in names
    assert (host / "opt/mattermost/plugins").is_symlink()
    assert _mode(host / "srv/plugins") == "0755"
    facts = host.directories().facts(host.directories().observe())["Directory"]
    assert (facts["path"], facts["target"]) == ("/opt/mattermost/plugins", "/srv/plugins")


def test_install_directory_missing(host: Host) -> None:
    node = host.node(install_dir="/opt/other")
    message = host.refused(Directories(node, "/opt/mattermost/plugins", "/opt/mattermost/c"))
    assert "/opt/other: the install directory does not exist" in message


def test_parents_outside_the_install_directory_are_not_made(host: Host) -> None:
    message = host.refused(host.directories("/srv/mm/plugins"))
    assert "mkdir -p /srv/mm" in message
    assert host.kinds(host.directories("/srv/mm/plugins")) == ["parent-missing"]
    if ROOT:
        assert host.run(host.directories("/plugins")) == [
            "directories./plugins",
            "directories./opt/mattermost/client/plugins",
        ]


def test_one_directory_for_both_is_refused(host: Host) -> None:
    (host / "opt/mattermost/client/plugins").mkdir()
    (host / "opt/mattermost/plugins").symlink_to("client/plugins")
    assert "are the same directory" in host.refused()


def test_one_inside_the_other(host: Host) -> None:
    assert host.run(host.directories("both", "both/client")) == [
        "directories./opt/mattermost/both",
        "directories./opt/mattermost/both/client",
    ]


@needs_root
@pytest.mark.parametrize("place", ["opt/mattermost/plugins", "opt/mattermost", "opt/mattermost/plugins/com.example"])
def test_immutable(host: Host, place: str) -> None:
    if place != "opt/mattermost":
        (host / place).mkdir(parents=True)
    chattr("+i", host / place)
    assert "chattr -" in host.refused()
    assert host.kinds() == ["immutable"]
    subprocess.run(["chattr", "-i", str(host / place)], check=True)
    host.run()


@needs_root
def test_append_only_takes_new_entries(host: Host) -> None:
    chattr("+a", host / "opt/mattermost/client")
    host.run()
    chattr("+a", host / "opt/mattermost/client/plugins")
    assert "chattr -a /opt/mattermost/client/plugins" in host.refused()


def test_sandbox_of_the_unit(host: Host) -> None:
    host.unit("ProtectSystem=strict\nNoExecPaths=/\nExecPaths=/usr /opt/mattermost/bin")
    message = host.refused()
    assert "ReadWritePaths=/opt/mattermost/plugins" in message
    assert "ReadWritePaths=/opt/mattermost/client/plugins" in message
    assert "ExecPaths=/opt/mattermost/plugins" in message
    assert "ExecPaths=/opt/mattermost/client" not in message
    assert host.kinds() == ["sandbox-noexec", "sandbox-read-only"]
    host.unit("ProtectSystem=strict\nReadWritePaths=/opt/mattermost")
    host.run()


def test_warnings_change_nothing(host: Host) -> None:
    host.unit("RootDirectory=/srv/root")
    warnings = ensure(host.directories(), check_mode=True).warnings
    assert len(warnings) == 2
    assert "Directory: /opt/mattermost/plugins: RootDirectory=/srv/root" in warnings[0]


def test_facts_of_what_cannot_be_fixed_name_it(host: Host) -> None:
    (host / "opt/mattermost/plugins").write_text("")
    resource = host.directories()
    facts = resource.facts(resource.observe())
    (blocker,) = facts["Directory"]["obstacles"]
    assert (blocker["kind"], blocker["fatal"]) == ("not-a-directory", True)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["ClientDirectory"]["exists"] is False
    assert facts["ClientDirectory"]["writable"] is False


@pytest.mark.parametrize("mode", ["493", "0644", "755x", "", "u=rwx", "0o755", "0577"])
def test_modes_that_are_none(mode: str) -> None:
    with pytest.raises(OperatorError, match="quotes"):
        parse_mode(mode)


def test_modes() -> None:
    assert [parse_mode(text) for text in ("0755", "750", "2770", "0700")] == [0o755, 0o750, 0o2770, 0o700]


# Another user than root and the account: nothing can be given away, nothing proved.


@pytest.fixture
def open_host() -> Iterator[Host]:
    """A host that every user of this machine can reach; pytest's own directories are closed."""
    with tempfile.TemporaryDirectory(prefix="plugops-host-") as top:
        host = Host(Path(top))
        host.top.chmod(0o755)
        yield host


def _as_nobody(host: Host, service_user: str, check_mode: bool, directory: Optional[str] = None) -> Any:
    """What nobody's own run comes to: names and warnings, or the message of its refusal."""

    def work() -> Any:
        try:
            outcome = ensure(Directories(host.node(service_user=service_user), directory, None), check_mode)
        except OperatorError as error:
            return str(error)
        return {"names": outcome.differences.names(), "warnings": outcome.warnings}

    return act_as(find_account("nobody", None, Root()), work)


@needs_root
def test_account_itself_opens_its_own_parent_and_creates(open_host: Host) -> None:
    for path in open_host.top.rglob("*"):
        os.chown(path, 65534, 65534)
    (open_host / "opt/mattermost/client").chmod(0o555)
    names = [
        "directories./opt/mattermost/plugins",
        "directories./opt/mattermost/client.mode",
        "directories./opt/mattermost/client/plugins",
    ]
    assert _as_nobody(open_host, "nobody", True) == {"names": names, "warnings": []}
    assert _mode(open_host / "opt/mattermost/client") == "0555"
    assert _as_nobody(open_host, "nobody", False) == {"names": names, "warnings": []}
    assert _as_nobody(open_host, "nobody", False) == {"names": [], "warnings": []}
    assert _mode(open_host / "opt/mattermost/client") == "0755"
    assert (open_host / "opt/mattermost/client/plugins").owner() == "nobody"


@needs_root
@pytest.mark.parametrize("what", ["create", "owner", "mode", "content"])
def test_account_itself_cannot_change_what_is_roots(open_host: Host, what: str) -> None:
    if what != "create":
        open_host.run()
    plugins = open_host / "opt/mattermost/plugins"
    if what == "owner":
        os.chown(plugins, 0, 65534)
    elif what == "mode":
        (open_host / "opt/mattermost/client").chmod(0o700)
    elif what == "content":
        (plugins / "a").touch()
    before = open_host.state()
    messages = [_as_nobody(open_host, "nobody", check_mode) for check_mode in (True, False)]
    assert messages[0] == messages[1]
    assert "run as root (become)" in messages[0]
    assert open_host.state() == before


@needs_root
def test_account_itself_fixes_what_is_its_own(open_host: Host) -> None:
    open_host.run()
    plugins = open_host / "opt/mattermost/plugins"
    plugins.chmod(0o500)
    (plugins / "a").mkdir()
    os.chown(plugins / "a", 65534, 65534)
    (plugins / "a").chmod(0)
    names = ["directories./opt/mattermost/plugins.mode", "directories./opt/mattermost/plugins.content"]
    assert _as_nobody(open_host, "nobody", True)["names"] == names
    assert _as_nobody(open_host, "nobody", False)["names"] == names
    assert _as_nobody(open_host, "nobody", False)["names"] == []


@needs_root
def test_account_itself_cannot_promise_what_it_cannot_see(open_host: Host) -> None:
    open_host.run()
    (open_host / "opt/mattermost/plugins").chmod(0o300)
    assert "chmod u+r /opt/mattermost/plugins" in _as_nobody(open_host, "nobody", True)
    (open_host / "opt/mattermost/client").chmod(0o600)
    os.chown(open_host / "opt/mattermost/client", 65534, 65534)
    assert "/opt/mattermost/client/plugins: user id 65534 cannot access it" in _as_nobody(open_host, "nobody", True)


@needs_root
def test_account_itself_opens_no_parent_outside_the_install_directory(open_host: Host) -> None:
    (open_host / "srv").mkdir()
    for path in open_host.top.rglob("*"):
        os.chown(path, 65534, 65534)
    (open_host / "srv").chmod(0o555)
    message = _as_nobody(open_host, "nobody", False, "/srv/plugins")
    assert "/srv/plugins: user id 65534 may not do this: create it, owner nobody:nogroup" in message
    assert _mode(open_host / "srv") == "0555"


@needs_root
def test_another_user_changes_no_mode(open_host: Host) -> None:
    open_host.run(Directories(open_host.node(service_user="daemon"), None, None))
    (open_host / "opt/mattermost/plugins").chmod(0o775)
    message = _as_nobody(open_host, "daemon", True)
    assert "user id 65534 may not do this: chmod 0755 /opt/mattermost/plugins" in message
    assert _as_nobody(open_host, "daemon", False) == message


@needs_root
def test_another_user_looks_and_says_that_it_is_no_proof(open_host: Host) -> None:
    open_host.run(Directories(open_host.node(service_user="daemon"), None, None))
    answer = _as_nobody(open_host, "daemon", False)
    assert answer["names"] == []
    assert len(answer["warnings"]) == 1
    assert "only root can try as user daemon" in answer["warnings"][0]


# A server that runs.


class Running:
    """Stands for a node whose service has a process; the note of a restart is the real one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, node: Node, plugin_system: str) -> None:
        service = Service("mattermost.service", process=Process(os.getpid(), "/opt/mattermost", time.time() - 5))
        monkeypatch.setattr(Node, "service", property(lambda self: service))
        monkeypatch.setattr(Node, "plugin_system", property(lambda self: plugin_system))
        self.directories = Directories(node, None, None)


def test_restart_is_pending_from_the_change_on(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = Running(monkeypatch, host.node(), "off").directories
    predicted = ensure(resource, check_mode=True).result()
    assert not (host / "var").exists()
    done = ensure(resource, check_mode=False).result()
    reason = "plugin directories changed: /opt/mattermost/client/plugins, /opt/mattermost/plugins"
    assert predicted["pending"] == done["pending"] == {"restart": [reason], "reload": []}
    assert predicted["restart_required"] is done["restart_required"] is True
    assert ensure(resource, check_mode=False).pending.restart == [reason], "until it was restarted"
    assert (host / "var/lib/plugops").is_dir()


def test_restart_is_recorded_before_the_change(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = Running(monkeypatch, host.node(), "off").directories
    # As if killed before the first mkdir.
    monkeypatch.setattr(directories_module, "make_whole_directory", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ensure(resource, check_mode=False)
    assert len(resource.pending(resource.observe()).restart) > 0


def test_plugin_system_off_without_a_change(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.run()
    resource = Running(monkeypatch, host.node(), "off").directories
    assert ensure(resource, check_mode=False).pending.restart == [
        "plugins are enabled, but the running server's plugin system is off"
    ]
    host.configure({"Enable": False})
    assert ensure(Directories(host.node(), None, None), check_mode=False).pending.restart == []


def test_mode_for_other_accounts_needs_no_restart(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.run()
    (host / "opt/mattermost/plugins").chmod(0o744)
    resource = Running(monkeypatch, host.node(), "on").directories
    outcome = ensure(resource, check_mode=False)
    assert outcome.differences.names() == ["directories./opt/mattermost/plugins.mode"]
    assert outcome.pending.restart == []


# Whatever is there: what check mode says, the run does, and the oracle agrees.


@needs_root
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 65534, 4999]), st.sampled_from([0, 65534]), st.integers(0, 0o777)),
        min_size=4,
        max_size=4,
    )
)
@settings(max_examples=10)
def test_prediction_and_outcome(tmp_path_factory: pytest.TempPathFactory, drawn: List[Tuple[int, int, int]]) -> None:
    host = Host(tmp_path_factory.mktemp("host"))
    places = [
        "opt/mattermost",
        "opt/mattermost/client",
        "opt/mattermost/client/plugins",
        "opt/mattermost/client/plugins/x",
    ]
    (host / places[-1]).mkdir(parents=True)
    for place, (uid, gid, mode) in zip(places, drawn):
        os.chown(host / place, uid, gid)
        (host / place).chmod(mode)
    found = host.directories().observe().directories[1]
    assert found.writable == _can_use(host, "/opt/mattermost/client/plugins")
    host.run()
    assert _can_use(host, "/opt/mattermost/client/plugins")
    assert _can_use(host, "/opt/mattermost/client/plugins/x")
