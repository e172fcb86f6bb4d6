# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on a real host, alone and in pairs: an audit names what was broken, all of it, and nothing else.

All on one host, which is put back after each. A run of all tests makes some of them, `make test-matrix` every one.
"""

from __future__ import annotations

import os
from typing import Any, Dict, Iterator, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._audit.codes import CODES

from plugops_tests.clusters import broken as cluster
from plugops_tests.clusters.fault_host import HEALTHY, FaultHost, Found, fault_host
from plugops_tests.clusters.faults import BY_NAME, EVERY_RUN, FAULTS, MENDED_TOGETHER, PAIRS, Fault
from plugops_tests.support.playbooks import run_playbook

pytestmark = [pytest.mark.hosts, pytest.mark.slow]
CASES: Dict[str, str] = {
    **{fault.name: fault.script for fault in FAULTS},
    **{f"{one}+{other}": f"{BY_NAME[one].script}\n{BY_NAME[other].script}" for one, other in PAIRS},
}


def case(name: str, *values: Any) -> Any:
    return pytest.param(*values, id=name, marks=[] if name in EVERY_RUN else [pytest.mark.matrix])


@pytest.fixture(scope="module")
def host() -> Iterator[FaultHost]:
    missing = cluster.missing()
    if missing:
        pytest.skip(f"no test hosts on this machine: {'; '.join(missing)}")
    with fault_host() as found:
        yield found


@pytest.fixture(scope="module")
def matrix(host: FaultHost) -> Dict[str, Found]:
    """What was found for each fault, and each pair, of those that this run makes."""
    found = {HEALTHY: host.keep()}
    cases = {name: CASES[name] for name in CASES if os.environ.get("PLUGOPS_MATRIX") or name in EVERY_RUN}
    found.update(host.audits({**cases, f"{HEALTHY} again": ":"}))
    return found


def test_nothing_is_found_on_a_healthy_node(matrix: Dict[str, Found]) -> None:
    for name in (HEALTHY, f"{HEALTHY} again"):
        assert (matrix[name].codes, matrix[name].notes) == (frozenset(), frozenset()), matrix[name].text


@pytest.mark.parametrize("fault", [case(fault.name, fault) for fault in FAULTS])
def test_a_fault_is_named_and_no_other(fault: Fault, matrix: Dict[str, Found]) -> None:
    found = matrix[fault.name]
    assert (found.codes, found.notes) == (fault.codes, fault.notes), found.text


@pytest.mark.parametrize(("one", "other"), [case(f"{one}+{other}", one, other) for one, other in PAIRS])
def test_two_faults_are_both_named(one: str, other: str, matrix: Dict[str, Found]) -> None:
    found = matrix[f"{one}+{other}"]
    assert found.codes == BY_NAME[one].codes | BY_NAME[other].codes, found.text


@pytest.mark.matrix
@pytest.mark.parametrize("names", MENDED_TOGETHER, ids=lambda names: "+".join(names))
def test_site_fixes_what_it_reports_to_fix(host: FaultHost, matrix: Dict[str, Found], names: Tuple[str, ...]) -> None:
    """As many at once as fit on one host; then the audit is clean."""
    faults = [BY_NAME[name] for name in names]
    assert all(CODES[code].fixed_by_site for fault in faults for code in fault.codes)
    everything = "\n".join(fault.script for fault in faults)
    broken = host.audits({"broken": everything}, reset=False)["broken"]
    assert broken.codes == frozenset().union(*(fault.codes for fault in faults)), broken.text
    run_playbook("playbooks/site.yml", host.cluster.inventory, host.wanted)
    mended = host.audits({"mended": ":"}, reset=False)["mended"]
    assert mended.codes == frozenset(), mended.text
