# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 at every commit point of taking a checkpoint and of going back: the next run converges, nothing is left."""

from __future__ import annotations

import subprocess
from typing import Any, Dict, List

import pytest

from plugops_tests.modules.killing import killed_at
from plugops_tests.modules.place import STATE, Place, broken_place, mend_directories
from plugops_tests.sandbox.app_server import NEW, PLUGIN_ID, VERSION

CHECKPOINT = "mattermost_plugin_checkpoint"
SUMS = "find . -type f -printf '%p %m ' -exec sha256sum {} ';' | sort"


def sums(place: Place) -> str:
    return subprocess.run(
        SUMS, shell=True, cwd=place.plugin().parent, capture_output=True, text=True, check=True
    ).stdout


def leftovers(place: Place) -> List[str]:
    found = list(place.server.root.rglob(".plugops-*"))
    found += list(place.real(STATE).rglob("packing*"))
    bundles = place.real(f"{STATE}/bundles")
    packed, indexed = ({path.name.split(".")[0] for path in bundles.glob(name)} for name in ("*.tar.gz", "*.json"))
    return sorted([str(path) for path in found] + list(packed ^ indexed))


def node(place: Place, **more: Any) -> Dict[str, Any]:
    return {"root": str(place.server.root), "server_version": VERSION, **more}


def ensured(place: Place, module: str, **more: Any) -> Dict[str, Any]:
    answer = place.call(module, node(place, **more), False)
    assert not answer.get("failed"), answer["msg"]
    return answer


def changed(place: Place) -> None:
    """A checkpoint, and a change that touches all that a checkpoint holds."""
    wanted = [{"src": place.bundle(NEW)}]
    ensured(place, CHECKPOINT, plugins=wanted)
    ensured(place, "mattermost_service_directory")
    ensured(place, "mattermost_plugin_settings", settings={"EnableMarketplace": False}, plugins={PLUGIN_ID: {"n": 1}})
    ensured(place, "mattermost_plugin", plugins=wanted)


@pytest.mark.parametrize("state", ["taken", "restored"])
def test_the_next_run_converges_and_nothing_is_left(state: str) -> None:
    number = 0
    came = True
    while came:
        number += 1
        with broken_place() as place:
            mend_directories(place, {"root": str(place.server.root)})
            before = sums(place)
            if state == "restored":
                changed(place)
            arguments = node(place, state=state)
            came = killed_at(number, lambda: place.call(CHECKPOINT, arguments, False))  # noqa: B023 - at once
            ensured(place, CHECKPOINT, state=state)
            assert not ensured(place, CHECKPOINT, state=state)["changed"]
            assert sums(place) == before, f"killed before commit point {number}"
            assert leftovers(place) == [], f"killed before commit point {number}"
            if state == "taken":
                changed(place)
                ensured(place, CHECKPOINT, state="restored")
                assert sums(place) == before
    assert number > 3, "no commit points were met"
