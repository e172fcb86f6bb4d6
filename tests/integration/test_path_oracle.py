# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No module that runs as root has a path resolved through a directory that the service account can write.

The contract cases and situations of all modules that work on a node run under strace, in install directories that are
the service account's as a whole. Whether a path can be led elsewhere is told by the call alone: no race must be won.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import List, Sequence, Tuple

import pytest

from plugops_tests.security import path_oracle, strace
from plugops_tests.security.strace import Hit
from plugops_tests.support.playbooks import REPOSITORY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: what root has resolved is what it is about"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

CONTRACT = "tests/integration/test_module_contract.py"
SITUATIONS = "tests/integration/test_module_situations.py"
# What may have a path resolved through a directory of the service account, call by call, and why: nothing.
EXCEPTIONS: Tuple[Tuple[str, str], ...] = ()
# Each way in which a module touches a node. All others are variations of options: `make test-matrix` has them.
CASES = [
    "plugin_directories-directory",
    "plugin_directories-mode",
    "service_directory-root",
    "run_lock-state=released",
    "run_lock-force",
    "plugin_settings-backup",
    "plugin_settings-via=socket",
    "plugin_settings-signatures_follow",
    "plugin-plugins.state=absent",
    "plugin-stage_only",
    "plugin-strategy=filestore",
    "plugin-strategy=upload",
    "plugin_checkpoint-state=taken",
    "plugin_checkpoint-state=restored",
    "plugin_checkpoint-state=dropped",
    "plugin_checkpoint-keep",
    "plugin_checkpoint-strategy=prepackaged",
    "release-store",
    "release-stage_only",
    "plugin_info-bundle_digests",
    "plugin_info-files",
    "plugin_info-findings",
    "plugin_info-update_cache",
    "plugin_info-strategy=auto",
]
FOUND = [
    "plugin: nothing there",
    "plugin: edited by hand",
    "plugin: into the filestore",
    "plugin: absent and stored",
    "plugin: left in the client directory",
    "plugin: another name",
    "plugin: two directories",
    "plugin_directories: a link to elsewhere",
    "plugin_directories: a parent that cannot be searched",
    "plugin_directories: a file in the way",
    "plugin_directories: a link to nowhere",
    "plugin_settings: behind a link",
    "plugin_settings: signed",
    "plugin_settings: truncated",
    "service_directory: an old drop-in of ours",
]


def assert_nothing_astray(place: Path, *tests: str, chosen: Sequence[str] = ()) -> int:
    """Run tests of modules, which must hold; how many calls of modules were looked at.

    :param chosen: parameters of the tests that are run; default: all
    """
    trace, notes = place / "trace", place / "notes"
    command = ["strace", *strace.OPTIONS, "-o", str(trace), sys.executable, "-m", "pytest", "-q"]
    plugins = ["-p", "plugops_tests.security.path_oracle", "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = {**os.environ, path_oracle.NOTES: str(notes), "PYTHONPATH": "tests:collections"}
    environment = {name: value for name, value in environment.items() if not name.startswith("PYTEST")}
    if chosen:
        environment[path_oracle.CHOSEN] = json.dumps(chosen)
    done = subprocess.run(
        [*command, *plugins, *tests], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    territories = path_oracle.noted(notes)
    with open(trace, encoding="utf-8") as lines:
        hits = [hit for hit in strace.led_astray(lines, territories) if not excepted(hit)]
    assert hits == [], told(hits)
    assert done.returncode == 0, f"what must hold does not, where all is the service account's:\n{done.stdout[-8000:]}"
    return len(territories)


def told(hits: List[Hit]) -> str:
    """Which calls on which paths, each once, with its number and one case that shows it."""
    shown = Counter(f"{hit.call.name} {re.sub('.*/app3/', '/', hit.path)}" for hit in hits)
    example = {f"{hit.call.name} {re.sub('.*/app3/', '/', hit.path)}": hit.label for hit in hits}
    lines = [f"{count:6} {what} ({example[what]})" for what, count in shown.most_common()]
    return "\n".join([f"{len(hits)} paths that the service account can lead elsewhere:", *lines[:60]])


def excepted(hit: Hit) -> bool:
    return any(hit.call.name == name and re.search(path, hit.path) for name, path in EXCEPTIONS)


def test_no_path_of_root_leads_through_what_is_not_roots(tmp_path: Path) -> None:
    """All under one strace: pytest alone takes as long as many cases there."""
    names = [*CASES, *FOUND]
    assert assert_nothing_astray(tmp_path, CONTRACT, SITUATIONS, chosen=names) >= 2 * len(names)


@pytest.mark.matrix
@pytest.mark.parametrize(
    "module", ["plugin", "plugin_directories", "plugin_settings", "plugin_checkpoint", "plugin_info"]
)
def test_nor_in_any_case_of_the_contract(module: str, tmp_path: Path) -> None:
    # What is kept of digests ends with a change of owner, and those cases are about what is kept.
    assert_nothing_astray(tmp_path, CONTRACT, "-k", f"[{module}- and not verify=")


@pytest.mark.matrix
def test_nor_in_any_situation(tmp_path: Path) -> None:
    assert_nothing_astray(tmp_path, SITUATIONS, "-k", "foretold or refused")


def test_the_oracle_sees_what_is_wrong(tmp_path: Path) -> None:
    """A program that does what no module may, under the same strace: what the kernel was asked is really found."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "a").write_text("a")
    program = (
        "import os\n"
        f"os.path.exists('{strace.MARK}/case')\n"
        f"os.chmod({str(theirs / 'a')!r}, 0o600)\n"
        f"d = os.open({str(theirs)!r}, os.O_PATH | os.O_NOFOLLOW)\n"
        "os.stat('a', dir_fd=d)\n"
        "os.stat('a', dir_fd=d, follow_symlinks=False)\n"
        "if not os.fork():\n"
        "    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"    os.path.exists({str(theirs / 'a')!r})\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        f"os.path.exists('{strace.MARK}/end')\n"
        "os.stat('a', dir_fd=d)\n"
    )
    trace = tmp_path / "trace"
    subprocess.run(["strace", *strace.OPTIONS, "-o", trace, sys.executable, "-I", "-c", program], check=True)
    with open(trace, encoding="utf-8") as lines:
        hits = strace.led_astray(lines, {"case": strace.Territory(frozenset({str(theirs)}))})
    assert [(hit.path, hit.call.name in ("chmod", "fchmodat")) for hit in hits] == [
        (str(theirs / "a"), True),
        (str(theirs / "a"), False),
    ]
