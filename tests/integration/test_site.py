# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three broken app servers on real hosts become healthy: plan, check mode, site, site again, looked at from outside.

The tests of this file run in their order on the same hosts; each needs what the one before has made.
"""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
import testinfra

from plugops_tests.clusters.artifacts import NEW, plugin_ids
from plugops_tests.clusters.broken import NAMES, TestCluster
from plugops_tests.support.playbooks import Run, run_playbook

pytestmark = [pytest.mark.hosts, pytest.mark.slow]

INFO = "plugops.mattermost.mattermost_plugin_info"
ENSURING = tuple(
    f"plugops.mattermost.mattermost_{name}"
    for name in ("plugin_directories", "service_directory", "plugin_settings", "plugin")
)
PLUGINS = 4
STAGED = ".staged"
AT_ONCE = {"mattermost_rolling_batch": "100%"}  # where the order is not what is tested
# Bytes, owner, mode and mtime of everything that the modules could touch. atime is the reader's own business.
SNAPSHOT = (
    "find /opt/mattermost /etc/systemd /var/lib -xdev \\( -path /opt/mattermost/logs -o -path /var/lib/systemd \\) "
    "-prune -o -printf '%p %u %g %m %T@ %s\\n' | sort; "
    "find /opt/mattermost -xdev -type f -not -path '*/logs/*' -exec sha256sum {} + | sort -k2"
)


def host(broken: TestCluster, name: str) -> Any:
    """The host as testinfra sees it, root by sudo."""
    return testinfra.get_host(f"ssh://{name}", ssh_config=str(broken.ssh_config), sudo=True)


def site(broken: TestCluster, *options: str, **more: Any) -> Run:
    return run_playbook("playbooks/site.yml", broken.inventory, {**broken.wanted(PLUGINS), **more}, options)


def planned(run: Run) -> Dict[str, List[str]]:
    """Host -> names of the differences that its first report lists."""
    return {name: sorted(item["name"] for item in run.results(INFO, name)[0]["differences"]) for name in NAMES}


def fixed(run: Run, name: str) -> List[str]:
    """Names of the differences that the ensuring modules say they fixed on a host."""
    results = [result for action in ENSURING for result in run.results(action, name)]
    return [difference["name"] for result in results for difference in result["differences"]]


def made(run: Run) -> Dict[str, List[str]]:
    """Host -> what was fixed, without the bundles that were sent ahead."""
    return {name: sorted(item for item in fixed(run, name) if not item.endswith(STAGED)) for name in NAMES}


def sent_ahead(run: Run) -> Dict[str, List[str]]:
    """Host -> plugins whose bundles were sent before the first host was changed."""
    suffixed = {name: [item for item in fixed(run, name) if item.endswith(STAGED)] for name in NAMES}
    return {name: sorted(item[: -len(STAGED)] for item in found) for name, found in suffixed.items()}


def snapshots(broken: TestCluster) -> Dict[str, str]:
    return {name: host(broken, name).check_output(SNAPSHOT) for name in NAMES}


@pytest.fixture(scope="module")
def as_broken(broken: TestCluster) -> Dict[str, str]:
    """The hosts before any playbook has seen them."""
    return snapshots(broken)


@pytest.fixture(scope="module")
def plan(broken: TestCluster, as_broken: Dict[str, str]) -> Dict[str, List[str]]:
    """What plan.yml says on the broken hosts."""
    return planned(run_playbook("playbooks/plan.yml", broken.inventory, broken.wanted(PLUGINS)))


def test_the_servers_are_really_broken(broken: TestCluster) -> None:
    for name in NAMES:
        answer = host(broken, name).check_output("curl -s http://127.0.0.1:8065/api/v4/plugins/webapp || true")
        journal = host(broken, name).check_output("journalctl -u mattermost --no-pager -o cat")
        assert "ailed to start up plugins" in journal, name
        assert answer == "" or "app.plugin.disabled.app_error" in answer


def test_plan_and_check_mode_leave_every_file_alone(
    broken: TestCluster, as_broken: Dict[str, str], plan: Dict[str, List[str]]
) -> None:
    checked = site(broken, "--check", "--diff", **AT_ONCE)
    assert snapshots(broken) == as_broken
    assert made(checked) == plan
    assert planned(checked) == plan


def test_site_changes_exactly_what_the_plan_said(broken: TestCluster, plan: Dict[str, List[str]]) -> None:
    run = site(broken)
    assert made(run) == plan
    assert all(plan.values())
    bundles = (".version", ".files")  # what a bundle is needed for
    assert sent_ahead(run) == {
        name: sorted(item.rpartition(".")[0] for item in plan[name] if item.endswith(bundles)) for name in NAMES
    }


def test_the_app_servers_are_healthy_as_seen_from_outside(broken: TestCluster) -> None:
    trees = set()
    for name in NAMES:
        node = host(broken, name)
        pid = node.check_output("systemctl show -p MainPID --value mattermost")
        assert node.check_output("systemctl show -p WorkingDirectory --value mattermost") == "/opt/mattermost"
        assert node.check_output(f"readlink /proc/{pid}/cwd") == "/opt/mattermost"
        for directory in ("/opt/mattermost/plugins", "/opt/mattermost/client/plugins"):
            found = node.file(directory)
            assert (found.user, found.group, found.mode) == ("mattermost", "mattermost", 0o755), (name, directory)
            node.run_expect([0], f"runuser -u mattermost -- sh -c 'touch {directory}/.probe && rm {directory}/.probe'")
        foreign = node.check_output("find /opt/mattermost/plugins /opt/mattermost/client/plugins -not -user mattermost")
        assert foreign == ""
        running = node.check_output(
            "python3 -c \"import urllib.request as u; print(u.urlopen('http://127.0.0.1:8065/api/v4/plugins/webapp')"
            '.read().decode())"'
        )
        for plugin_id in plugin_ids(PLUGINS):
            assert f'"{plugin_id}"' in running
        assert running.count(f'"{NEW}"') == PLUGINS
        trees.add(
            node.check_output(
                "cd /opt/mattermost/plugins && find . -type f -not -name .filestore -exec sha256sum {} + | sort -k2"
            )
        )
    assert len(trees) == 1


def test_again_changes_nothing_and_restarts_nothing(broken: TestCluster) -> None:
    pids = "systemctl show -p MainPID --value mattermost"
    before = [host(broken, name).check_output(pids) for name in NAMES]
    run = site(broken)
    assert run.changed() == []
    assert [host(broken, name).check_output(pids) for name in NAMES] == before


def test_what_contradicts_itself_is_refused_although_nothing_differs(broken: TestCluster) -> None:
    duplicate = plugin_ids(1)[0]
    wrong = {"mattermost_plugin_states": {duplicate.upper(): True}, "mattermost_drain_tasks": "/nowhere/drain.yml"}
    variables = {**broken.wanted(PLUGINS), "mattermost_plugins": [{"id": duplicate}], **wrong}
    run = run_playbook("playbooks/site.yml", broken.inventory, variables, may_fail=True)
    assert run.returncode == 2
    for name in NAMES:
        (refusal,) = [task["result"] for task in run.tasks if task["host"] == name and task["status"] == "failed"]
        assert f"mattermost_plugin_states names {duplicate}, which mattermost_plugins also lists" in refusal["msg"]
        assert "there is no file /nowhere/drain.yml on the controller" in refusal["msg"]


def test_a_file_edited_by_hand_is_named_and_fixed(broken: TestCluster) -> None:
    path = f"/opt/mattermost/plugins/{plugin_ids(1)[0]}/plugin.json"
    host(broken, "app2").check_output(f'sed -i \'s/"id"/ "id"/\' {path}')
    run = site(broken, **AT_ONCE)
    report = run.results(INFO, "app2")[0]
    assert [item["name"] for item in report["differences"]] == [f"plugins.{plugin_ids(1)[0]}.files"]
    assert "plugin.json" in report["differences"][0]["found"]


def test_a_process_in_the_old_directory_is_restarted_although_the_files_are_right(broken: TestCluster) -> None:
    node = host(broken, "app1")
    drop_in = "/etc/systemd/system/mattermost.service.d/zz-plugops-working-directory.conf"
    node.check_output(f"mv {drop_in} /run/kept.conf && systemctl daemon-reload && systemctl restart mattermost")
    node.check_output(f"mv /run/kept.conf {drop_in} && systemctl daemon-reload")
    run = site(broken, **AT_ONCE)
    assert made(run) == {name: [] for name in NAMES}, "the file edited by hand is whole again, too"
    pid = node.check_output("systemctl show -p MainPID --value mattermost")
    assert node.check_output(f"readlink /proc/{pid}/cwd") == "/opt/mattermost"
    assert site(broken, **AT_ONCE).changed() == []
