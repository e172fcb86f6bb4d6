# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd itself makes of unit files: the dump that ``systemd-analyze verify`` logs. No running systemd needed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional

ENVIRONMENT_READER = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator"


@dataclass
class Unit:
    """One unit as systemd loaded it from below a root; paths are the host's."""

    names: List[str]
    fields: Dict[str, List[str]] = field(default_factory=dict)

    def one(self, name: str) -> str:
        return (self.fields.get(name) or [""])[-1]

    def every(self, name: str) -> List[str]:
        return self.fields.get(name, [])


@dataclass
class Answer:
    """The unit, None where systemd does not load it, and all that it said."""

    unit: Optional[Unit]
    log: str

    @property
    def masked(self) -> bool:
        return "is masked." in self.log


def load(root: Path, name: str) -> Answer:
    """Have systemd load the unit ``name`` from the files below ``root``."""
    environment = {"PATH": os.environ["PATH"], "SYSTEMD_LOG_LEVEL": "debug", "SYSTEMD_LOG_COLOR": "0"}
    done = subprocess.run(
        ["systemd-analyze", f"--root={root}", "--man=no", "verify", name],
        capture_output=True,
        env=environment,
        timeout=60,
        check=False,
    )
    log = (done.stderr + done.stdout).decode("utf-8", "surrogateescape").replace(str(root), "")
    for block in re.split(r"^\t*-> Unit ", log, flags=re.MULTILINE)[1:]:
        own, _, body = block.partition(":\n")
        names = [own, *re.findall(r"^\t+Alias: (.*)$", body, flags=re.MULTILINE)]
        if name in names:
            unit = Unit(names)
            for line in body.splitlines():
                match = re.match(r"\t+([A-Z][A-Za-z ]*): (.*)", line)
                if match:
                    unit.fields.setdefault(match.group(1), []).append(match.group(2))
            return Answer(unit, log)
    return Answer(None, log)


def unquote(text: str) -> List[str]:
    """The words of a line that systemd has quoted to show it; unlike in a shell, newlines and tabs are escapes."""
    words = []
    for word in re.findall(r'(?:"(?:\\.|[^"\\])*"|[^\s"])+', text):
        quoted = re.fullmatch(r'(\w+=)?"(.*)"', word)
        if quoted:
            word = (quoted[1] or "") + re.sub(r"\\([0-7]{3}|.)", lambda match: _plain(match[1]), quoted[2])
        words.append(word)
    return words


def _plain(escape: str) -> str:
    if escape.isdigit():
        return chr(int(escape, 8))
    return {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}.get(escape, escape)


def missing(scratch: Path) -> str:
    """Why this machine cannot be asked; empty where it can."""
    if shutil.which("systemd-analyze") is None:
        return "no systemd-analyze on this machine"
    units = scratch / "etc/systemd/system"
    units.mkdir(parents=True)
    (units / "probe.service").write_text("[Service]\nExecStart=/bin/true\n")
    if load(scratch, "probe.service").unit is None:
        return "this machine's systemd-analyze cannot load units from below a root"
    return ""
