"""Set-ups that operators have for good reasons, on a real host: plan, site and audit work there without a warning.

What a module refuses to follow is a compromised server's doing; these are root's or the operator's: an install
directory wholly owned by the service account, volumes that an option names, links that root made. All on one host,
which is put back before each.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Set, Tuple

import pytest

from support import cluster
from support.artifacts import NEW, plugin_ids
from support.fault_host import INFO, NAME, FaultHost, fault_host
from support.faults import FUNCTIONS
from support.playbooks import Run, run_playbook

pytestmark = [pytest.mark.hosts, pytest.mark.slow]
REPORT = "plugops.mattermost.mattermost_audit_report"
PLUGINS = 4
OPTION = "mattermost_allowed_directories"
# What the scripts below are run with, besides faults.sh.
KEPT = r"""
keep_whole() {
  mkdir -p $KEPT
  systemctl stop mattermost
  tar -C /opt -cf $KEPT/whole.tar mattermost
  systemctl start mattermost
}

put_back() {
  systemctl stop mattermost
  for mounted in $(findmnt -rno TARGET | grep '^/srv/mm-'); do umount "$mounted"; done
  rm -rf $P $P-* /srv/mm-* /etc/mattermost
  tar -C /opt -xpf $KEPT/whole.tar
}

# As Mattermost's instructions have it.
own() { chown -R mattermost:mattermost $P; }

# runs COUNT: waits until as many plugins run, and prints what the server tells of them
runs() {
  python3 - "$1" <<'PY'
import sys, time, urllib.request
deadline = time.monotonic() + 15
said = b""
while time.monotonic() < deadline:
    try:
        with urllib.request.urlopen("http://127.0.0.1:8065/api/v4/plugins/webapp", timeout=2) as answer:
            said = answer.read()
            if said.count(b'"id"') == int(sys.argv[1]):
                print(said.decode())
                sys.exit(0)
    except OSError:
        pass
    time.sleep(0.05)
sys.exit(f"not as many plugins run: {said}")
PY
}
"""
# Whatever a module run as root could have changed. The server writes data, logs and its plugins itself.
SNAPSHOT = r"""
find /opt /etc /srv /var/lib/plugops/bundles /var/lib/plugops/checkpoints -path '*/logs' -prune -o -printf '%p %y %l %u %g %m %i %T@ %s\n' 2>/dev/null | sort
systemctl show -P MainPID mattermost
"""


PLUGIN_DIRECTORY = "/opt/mattermost/plugins"
MISSING = plugin_ids(1)[0]


@dataclass(frozen=True)
class Setup:
    """One set-up. In each the plugin directory is root's, and a plugin is missing.

    :param script: makes it, while the server does not run
    :param directory: the plugin directory
    :param breaks: what else is broken when the server runs
    :param changes: names of the differences that the plan lists besides those of every set-up
    :param kept: prints what root or the operator has set up, which a run must leave as it is
    :param variables: what the operator says besides what is wanted
    """

    script: str
    directory: str = PLUGIN_DIRECTORY
    breaks: str = "true"
    changes: Tuple[str, ...] = ()
    kept: str = "true"
    variables: Dict[str, Any] = field(default_factory=dict)

    @property
    def planned(self) -> Set[str]:
        return {f"directories.{self.directory}.owner", f"plugins.{MISSING}.version", *self.changes}


def _link(path: str) -> str:
    return f"stat -c '%N %U %i' {path}"


VOLUME, FILES, CLIENT = "/srv/mm-plugins", "/srv/mm-data", "/srv/mm-client"
ON_A_VOLUME = Setup(
    f"""own
    mkdir {VOLUME}
    mount -t tmpfs -o uid=$(id -u mattermost),gid=$(id -g mattermost),mode=0755 plugins {VOLUME}
    conf PluginSettings Directory '"{VOLUME}"'""",
    VOLUME,
    kept=f'findmnt -no FSTYPE,SOURCE {VOLUME}; grep -c \'"Directory": "{VOLUME}"\' $P/config/config.json',
    variables={OPTION: [VOLUME]},
)
FILES_ELSEWHERE = Setup(
    f"""own
    mv $P/data {FILES}
    conf FileSettings Directory '"{FILES}"'""",
    kept=f'grep -c \'"Directory": "{FILES}"\' $P/config/config.json',
    variables={OPTION: [FILES], "mattermost_plugin_strategy": "filestore"},
)
SETUPS = {
    "the install directory is the service account's": Setup("own"),
    "the plugins lie on a volume that an option names": ON_A_VOLUME,
    "client is a link that root made": Setup(
        f"own; mv $P/client {CLIENT}; chown root: {CLIENT}; ln -s {CLIENT} $P/client",
        breaks=f"rm -r {CLIENT}/plugins",
        changes=("directories./opt/mattermost/client/plugins",),
        kept=f"{_link('$P/client')}; stat -c '%U %a' {CLIENT}",
    ),
    "config.json is a link of root's into a directory of root's": Setup(
        """own
        conf PluginSettings EnableUploads false
        mkdir /etc/mattermost
        mv $P/config/config.json /etc/mattermost/
        ln -s /etc/mattermost/config.json $P/config/config.json""",
        changes=("settings.EnableUploads",),
        kept=f"{_link('$P/config/config.json')}; stat -c '%F %U %G %a' /etc/mattermost/config.json /etc/mattermost",
        variables={"mattermost_settings_via": "file"},
    ),
    "the install directory is a link of root's to that of a version": Setup(
        f"own; mv $P $P-{cluster.VERSION}; ln -s mattermost-{cluster.VERSION} $P", kept=_link("$P")
    ),
    "the files lie in a directory that an option names": FILES_ELSEWHERE,
}
# The service account's own link: until root has made it its own, nothing is followed.
LINKED_BY_THE_SERVICE = Setup(
    f"own; mv $P/client {CLIENT}; runuser -u mattermost -- ln -s {CLIENT} $P/client", kept="readlink $P/client"
)


@dataclass(frozen=True)
class HonestHost:
    """The host, and an operator's playbooks on it."""

    of: FaultHost

    def run(self, script: str) -> str:
        """Run a script as root, with the functions of faults.sh; what it printed."""
        command = ["ssh", "-F", str(self.of.cluster.ssh_config), "-l", "root", NAME, "bash", "-s"]
        text = f"{FUNCTIONS.read_text(encoding='utf-8')}\n{KEPT}\n{{\n{script}\n}} </dev/null\n"
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{script}\n{done.stderr[-3000:]}\n{done.stdout[-3000:]}"
        return done.stdout.strip()

    def make(self, setup: Setup) -> None:
        """Put all back, set it up in another way, start the server, and break it."""
        lost = f"rm -r $P/plugins/$A $(find $P/data/plugins {FILES}/plugins -name $A.tar.gz)"
        start = f"systemctl start mattermost\nruns {PLUGINS - 1}"
        self.run(f"put_back\n{lost}\n{setup.script}\n{start}\nchown root: {setup.directory}\n{setup.breaks}")

    def plan(self, variables: Dict[str, Any]) -> Run:
        return self._play("plan", variables)

    def site(self, variables: Dict[str, Any], may_fail: bool = False) -> Run:
        return self._play("site", variables, may_fail)

    def audit(self, variables: Dict[str, Any], place: Path) -> Tuple[int, List[str]]:
        """Its exit code and what it found."""
        run = self._play("audit", {**variables, "mattermost_audit_directory": str(place)}, may_fail=True)
        (report,) = [task["result"] for task in run.tasks if task["action"] == REPORT]
        return run.returncode, [f"{item['code']}: {item['nodes']}" for item in report["findings"]]

    def _play(self, name: str, variables: Dict[str, Any], may_fail: bool = False) -> Run:
        wanted = {**self.of.wanted, **variables}
        playbook, inventory = f"playbooks/{name}.yml", self.of.cluster.inventory
        return run_playbook(playbook, inventory, wanted, may_fail=may_fail, exit_by_audit=name == "audit")


@pytest.fixture(scope="module")
def host() -> Iterator[HonestHost]:
    missing = cluster.missing()
    if missing:
        pytest.skip(f"no test hosts on this machine: {'; '.join(missing)}")
    with fault_host(PLUGINS) as found:
        made = HonestHost(found)
        made.run("keep_whole")
        yield made


def refusals(report: Dict[str, Any]) -> str:
    return " / ".join(error["msg"] for error in report["errors"])


def works(host: HonestHost, setup: Setup, place: Path) -> None:
    """site.yml makes it healthy, changes nothing the second time, and an audit finds nothing."""
    host.site(setup.variables)
    running = host.run(f"runs {PLUGINS}")
    assert [running.count(f'"{plugin_id}"') for plugin_id in plugin_ids(PLUGINS)] == [1] * PLUGINS, running
    assert running.count(f'"{NEW}"') == PLUGINS
    assert host.run(f"stat -c %U {setup.directory}") == "mattermost"
    assert host.site(setup.variables).changed() == []
    assert host.audit(setup.variables, place) == (0, [])


def is_refused(host: HonestHost, variables: Dict[str, Any]) -> str:
    """site.yml changes nothing; why not."""
    before = host.run(SNAPSHOT)
    run = host.site(variables, may_fail=True)
    (report,) = run.results(INFO, NAME)
    assert (run.returncode, run.changed()) == (2, [])
    assert "Nothing was changed on this app server" in run.output
    assert host.run(SNAPSHOT) == before
    return " / ".join(error["msg"] for error in report["errors"])


@pytest.mark.parametrize("setup", SETUPS.values(), ids=SETUPS)
def test_an_honest_setup_works_without_a_warning(host: HonestHost, setup: Setup, tmp_path: Path) -> None:
    host.make(setup)
    kept = host.run(setup.kept)
    (report,) = host.plan(setup.variables).results(INFO, NAME)
    assert (report["errors"], report.get("warnings", [])) == ([], [])
    assert {difference["name"] for difference in report["differences"]} == setup.planned
    works(host, setup, tmp_path)
    assert host.run(setup.kept) == kept


@pytest.mark.parametrize(
    ("setup", "directory"),
    [pytest.param(ON_A_VOLUME, VOLUME, id="plugins"), pytest.param(FILES_ELSEWHERE, FILES, id="files")],
)
def test_a_directory_that_no_option_names_is_refused_before_any_change(
    host: HonestHost, setup: Setup, directory: str
) -> None:
    host.make(setup)
    why = is_refused(host, {**setup.variables, OPTION: []})
    assert directory in why
    assert f"name it in allowed_directories (the role: {OPTION})" in why


def test_a_link_of_the_service_account_is_refused_until_root_has_made_it_its_own(
    host: HonestHost, tmp_path: Path
) -> None:
    setup = LINKED_BY_THE_SERVICE
    host.make(setup)
    kept = host.run(setup.kept)
    why = is_refused(host, setup.variables)
    assert "/opt/mattermost/client: it is a link of mattermost" in why
    (remedy,) = set(re.findall(r"chown -h root: [^\s;.,]+", why))
    host.run(remedy)
    works(host, setup, tmp_path)
    assert host.run(setup.kept) == kept
