# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set-ups that operators have for good reasons, on real hosts: plan, site and audit work there without a warning.

What a module refuses to follow is a compromised server's doing. These are root's or the operator's: an install
directory wholly owned by the service account, directories that an option names, links that root made. Each on a host of
its own, and each playbook runs on all of them at once.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Mapping, Set, Tuple

import pytest

from plugops_tests.clusters import broken as cluster
from plugops_tests.clusters.artifacts import NEW, make_artifacts, plugin_ids
from plugops_tests.clusters.faults import FUNCTIONS
from plugops_tests.hosts import cluster as hosts
from plugops_tests.support import compiling
from plugops_tests.support.playbooks import Run, run_playbook

pytestmark = [pytest.mark.hosts, pytest.mark.slow]
INFO = "plugops.mattermost.mattermost_plugin_info"
REPORT = "plugops.mattermost.mattermost_audit_report"
PLUGINS = 2
OPTION = "mattermost_allowed_directories"
PLUGIN_DIRECTORY = "/opt/mattermost/plugins"
VOLUME, FILES, CLIENT = "/srv/mm-plugins", "/srv/mm-data", "/srv/mm-client"
CLIENT_MODE = "directories./opt/mattermost/client/plugins.mode"  # as this server makes it
# What the scripts below are run with, besides faults.sh.
MORE = r"""
mkdir -p $KEPT

# get PATH: what the server says, as soon as it answers
get() {
  python3 - "$1" <<'PY'
import sys, time, urllib.request
deadline = time.monotonic() + 30
while True:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:8065/api/v4/{sys.argv[1]}", timeout=5) as answer:
            print(answer.read().decode())
            break
    except OSError as error:
        if time.monotonic() > deadline:
            sys.exit(f"the server does not answer: {error}")
    time.sleep(0.05)
PY
}
"""
# What a module could have changed that runs as root, and the server's process; the server writes its log itself.
SNAPSHOT = r"""
find /opt /etc /srv -path '*/logs' -prune -o -printf '%p %y %l %u %g %m %i %T@ %s\n' | sort
ls /var/lib/plugops/bundles /var/lib/plugops/checkpoints 2>/dev/null || true
systemctl show -P MainPID mattermost
"""


@dataclass(frozen=True)
class Setup:
    """One set-up. In each the plugin directory is root's when the modules come, and there are no plugins.

    :param script: makes it, while the server does not run; the install directory is wholly the service account's
    :param directory: the plugin directory
    :param breaks: what else is broken when the server runs
    :param changes: differences of the directory for the web parts that the plan lists
    :param kept: prints what root or the operator has set up, which no run may change
    :param variables: what the operator says of this host
    :param refused: what site.yml says before the option names the directory, or before the link is root's; empty where
        nothing is to be refused
    """

    script: str = ""
    directory: str = PLUGIN_DIRECTORY
    breaks: str = ""
    changes: Tuple[str, ...] = (CLIENT_MODE,)
    kept: str = "true"
    variables: Mapping[str, Any] = field(default_factory=dict)
    refused: Tuple[str, ...] = ()

    @property
    def planned(self) -> Set[str]:
        wanted = {"settings.EnableUploads", f"directories.{self.directory}.owner", *self.changes}
        aspects = ("version", "enabled")
        return wanted | {f"plugins.{plugin_id}.{aspect}" for plugin_id in plugin_ids(PLUGINS) for aspect in aspects}


def _link(path: str) -> str:
    return f"stat -c '%N %U %i' {path}"


SETUPS = {
    "owned": Setup(),
    "volume": Setup(
        f"""mkdir {VOLUME}
        mount -t tmpfs -o mode=0755 plugins {VOLUME}
        conf PluginSettings Directory '"{VOLUME}"'""",
        VOLUME,
        kept=f'findmnt -no FSTYPE,SOURCE {VOLUME}; grep \'"Directory": "{VOLUME}"\' $P/config/config.json',
        variables={OPTION: [VOLUME]},
        refused=("PluginSettings.Directory names it outside the install directory /opt/mattermost", VOLUME, OPTION),
    ),
    "files": Setup(
        f"""install -d -o mattermost -g mattermost {FILES}
        conf FileSettings Directory '"{FILES}"'""",
        kept=f"stat -c '%U %a %i' {FILES}; grep '\"Directory\": \"{FILES}\"' $P/config/config.json",
        variables={OPTION: [FILES], "mattermost_plugin_strategy": "filestore"},
        refused=("FileSettings.Directory names it outside the install directory /opt/mattermost", FILES, OPTION),
    ),
    "client": Setup(
        f"mv $P/client {CLIENT}; chown root: {CLIENT}; ln -s {CLIENT} $P/client",
        breaks=f"rm -rf {CLIENT}/plugins",
        changes=("directories./opt/mattermost/client/plugins",),
        kept=f"{_link('$P/client')}; stat -c '%U %a' {CLIENT}",
    ),
    "config": Setup(
        """mkdir /etc/mattermost
        mv $P/config/config.json /etc/mattermost/
        ln -s /etc/mattermost/config.json $P/config/config.json""",
        kept=f"{_link('$P/config/config.json')}; stat -c '%F %U %G %a' /etc/mattermost/config.json /etc/mattermost",
        variables={"mattermost_settings_via": "file"},
    ),
    "versioned": Setup(
        f"mv $P $P-{cluster.VERSION}; ln -s mattermost-{cluster.VERSION} $P", kept=f"{_link('$P')}; ls -d $P-*"
    ),
    # The service account's own: until root has made it its own, it leads nowhere.
    "linked": Setup(
        f"""mv $P/client {CLIENT}
        runuser -u mattermost -- ln -s {CLIENT} $P/client""",
        kept="readlink $P/client",
        refused=("/opt/mattermost/client: it is a link of mattermost", "chown -h root: /opt/mattermost/client"),
    ),
}


@dataclass(frozen=True)
class HonestHosts:
    """The hosts, and an operator's playbooks on them."""

    state_dir: Path
    artifacts: Path

    @property
    def inventory(self) -> Path:
        return self.state_dir / "inventory.yml"

    def run(self, name: str, script: str) -> str:
        """Run a script as root, with the functions of faults.sh; what it printed."""
        command = ["ssh", "-F", str(self.state_dir / "ssh_config"), "-l", "root", name, "bash", "-s"]
        text = f"{FUNCTIONS.read_text(encoding='utf-8')}\n{MORE}\n{{\n{script}\n}} </dev/null\n"
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}: {script}\n{done.stderr[-3000:]}\n{done.stdout[-3000:]}"
        return done.stdout.strip()

    def on_all(self, script_of: Callable[[Setup], str]) -> Dict[str, str]:
        """Host -> what its script printed."""
        with ThreadPoolExecutor(len(SETUPS)) as pool:
            return dict(zip(SETUPS, pool.map(self.run, SETUPS, map(script_of, SETUPS.values()))))

    def play(self, name: str, may_fail: bool = False, **more: Any) -> Dict[str, Run]:
        """Host -> the run of a playbook on it. That with another plugin directory is a cluster of its own, since app
        servers of one have the same settings."""
        plugins = [{"src": str(self.artifacts / f"{plugin_id}-{NEW}.tar.gz")} for plugin_id in plugin_ids(PLUGINS)]
        wanted = {
            "mattermost_plugin_settings": {"EnableUploads": True},
            "mattermost_plugins": plugins,
            "mattermost_rolling_batch": "100%",
            **more,
        }

        def run(limit: str) -> Run:
            options = ["--limit", limit, "--forks", str(len(SETUPS))]
            place = {"mattermost_audit_directory": str(self.artifacts / f"audit-{limit}")}
            variables = {**wanted, **place}
            playbook = f"playbooks/{name}.yml"
            return run_playbook(playbook, self.inventory, variables, options, may_fail, exit_by_audit=name == "audit")

        with ThreadPoolExecutor() as pool:
            alone, others = pool.map(run, ("volume", "all:!volume"))
        return {host: alone if host == "volume" else others for host in SETUPS}


@dataclass(frozen=True)
class Seen:
    """What an operator saw, host by host, from the first run to the last."""

    before: Mapping[str, str]
    refused: Mapping[str, Run]
    after_refusal: Mapping[str, str]
    kept: Mapping[str, str]
    plan: Mapping[str, Run]
    running: Mapping[str, str]
    kept_by_site: Mapping[str, str]
    again: Mapping[str, Run]
    audit: Mapping[str, Run]

    def report(self, runs: Mapping[str, Run], name: str) -> Dict[str, Any]:
        """The first report of a host in a run."""
        return runs[name].results(INFO, name)[0]


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    missing = cluster.missing()
    if missing:
        pytest.skip(f"no test hosts on this machine: {'; '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="plugops-honest-") as place:
        state_dir, artifacts = Path(place) / "cluster", Path(place) / "artifacts"
        make_artifacts(artifacts, cluster.VERSION, PLUGINS, files=3)
        try:
            group, bind = "mattermost_app_servers", compiling.on_hosts()
            hosts.up(state_dir, hosts.Wanted(tuple(SETUPS), "bookworm", group, "deploy", (), bind))
            found = HonestHosts(state_dir, artifacts)
            _set_up(found)
            yield _look(found)
        finally:
            hosts.down(state_dir)


def _set_up(found: HonestHosts) -> None:
    (found.state_dir / "host_vars").mkdir()
    for name, setup in SETUPS.items():
        (found.state_dir / "host_vars" / f"{name}.yml").write_text(json.dumps(setup.variables), encoding="utf-8")
    installed = {
        "broken_release": str(found.artifacts / f"mattermost-{cluster.VERSION}.tar.gz"),
        "broken_bundles": str(found.artifacts),
        "broken_working_directory": "/opt/mattermost",
        "broken_drop_in": "",
        "broken_local_mode": True,
        "broken_plugins": [],
    }
    run_playbook("molecule/resources/break.yml", found.inventory, installed, ["--forks", str(len(SETUPS))])
    found.on_all(
        lambda setup: (
            f"""systemctl stop mattermost
        chown -R mattermost:mattermost $P  # as Mattermost's instructions have it
        rm -rf $PL
        {setup.script}
        systemctl start mattermost
        get system/ping
        install -d -o root -g root {setup.directory}
        {setup.breaks}"""
        )
    )


def _look(found: HonestHosts) -> Seen:
    """As it is found nothing is changed anywhere; then the operator does what was asked, and all is made healthy."""
    kept = found.on_all(lambda setup: setup.kept)
    before = found.on_all(lambda _: SNAPSHOT)
    refused = found.play("site", may_fail=True, **{OPTION: []})
    after_refusal = found.on_all(lambda _: SNAPSHOT)
    for remedy in {*re.findall(r"chown -h root: [^\s;\"'.]+", refused["linked"].output)}:
        found.run("linked", remedy)
    plan = found.play("plan")
    found.play("site")
    running = found.on_all(lambda _: "get plugins/webapp")
    kept_by_site = found.on_all(lambda setup: setup.kept)
    again, audit = found.play("site"), found.play("audit", may_fail=True)
    return Seen(before, refused, after_refusal, kept, plan, running, kept_by_site, again, audit)


each = pytest.mark.parametrize("name", SETUPS)


@each
def test_what_only_the_servers_account_says_is_refused_before_any_change(seen: Seen, name: str) -> None:
    run, report = seen.refused[name], seen.report(seen.refused, name)
    why = " / ".join(error["msg"] for error in report["errors"])
    assert [part for part in SETUPS[name].refused if part not in why] == []
    assert bool(why) == bool(SETUPS[name].refused), why
    assert (run.returncode, run.changed()) == (2, [])
    assert seen.after_refusal[name] == seen.before[name]


@each
def test_the_plan_says_what_is_broken_and_nothing_of_the_setup(seen: Seen, name: str) -> None:
    report = seen.report(seen.plan, name)
    assert (report["errors"], report.get("warnings", [])) == ([], [])
    assert {difference["name"] for difference in report["differences"]} == SETUPS[name].planned


@each
def test_site_makes_the_server_run_the_plugins_and_keeps_the_setup(seen: Seen, name: str) -> None:
    running = {item["id"]: item["version"] for item in json.loads(seen.running[name])}
    assert running == dict.fromkeys(plugin_ids(PLUGINS), NEW)
    assert seen.kept_by_site[name] == seen.kept[name]


@each
def test_site_changes_nothing_the_second_time(seen: Seen, name: str) -> None:
    assert [task for task in seen.again[name].changed() if task.startswith(f"{name}: ")] == []


@each
def test_an_audit_finds_nothing(seen: Seen, name: str) -> None:
    run = seen.audit[name]
    (report,) = [task["result"] for task in run.tasks if task["action"] == REPORT]
    found = [(item["code"], item["nodes"][name]) for item in report["findings"] if name in item["nodes"]]
    assert (found, run.returncode) == ([], 0), run.output
