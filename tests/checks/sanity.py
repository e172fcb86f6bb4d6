# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-test sanity`` over the collection as it is published.

Usage: sanity.py [CORE...], e.g. ``sanity.py 2.17 2.21``; without arguments the ansible-core of this Python. Others get
an environment of their own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence

from built import CACHE, build, environment, unpack, with_programs

PLACE = CACHE / "sanity"
CONFIG = Path("tests/config.yml")
LONGEST = 3000
HERE = "of this environment"
_MATTERS = re.compile(r"WARNING: (?!Retrying)|ERROR:|FATAL:")


class Core(NamedTuple):
    """A release of ansible-core.

    :param pythons: those that its controller side supports, newest first
    :param dropped: its tests that ansible-core itself has dropped since for files like ours
    """

    release: str
    pythons: List[str]
    dropped: Sequence[str] = ()


CORES: Dict[str, Core] = {
    # 2.17 wants __init__.py below module_utils to be empty; ours have a docstring, which later releases accept.
    "2.17": Core("2.17.14", ["3.12", "3.11", "3.10"], dropped=["empty-init"]),
    "2.18": Core("2.18.19", ["3.13", "3.12", "3.11"]),
    "2.19": Core("2.19.14", ["3.13", "3.12", "3.11"]),
    "2.20": Core("2.20.10", ["3.14", "3.13", "3.12"]),
    "2.21": Core("2.21.5", ["3.14", "3.13", "3.12"]),
}

# ansible-test fetches pip's bootstrap script from a host of its own; this one takes the pip that Python ships and lets
# it install the same releases. It does so in a process of its own: ensurepip switches off the settings of pip.
BOOTSTRAP = """\
import subprocess, sys
subprocess.check_call([sys.executable, "-m", "ensurepip"])
packages = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *packages]))
"""


def main(wanted: List[str]) -> int:
    unknown = [core for core in wanted if core not in CORES]
    if unknown:
        print(f"Unknown ansible-core: {', '.join(unknown)}. Known: {', '.join(CORES)}")
        return 2
    failed = [core for core in wanted or [HERE] if not _check(core)]
    if failed:
        print(f"ansible-test sanity failed on ansible-core {', '.join(failed)}")
    return 1 if failed else 0


def _check(core: str) -> bool:
    """Run all sanity tests with one ansible-core and print what it finds."""
    began = time.monotonic()
    programs = _programs(core)
    if programs is None:
        return False
    home = _home(programs)
    skipped = [word for test in (CORES[core].dropped if core in CORES else ()) for word in ("--skip-test", test)]
    log = PLACE / f"{core}.log"
    with tempfile.TemporaryDirectory(prefix="plugops-sanity-") as scratch, log.open("w", encoding="utf-8") as stream:
        done = subprocess.run(
            [programs / "ansible-test", "sanity", "--venv", "--color", "no", *skipped],
            cwd=_root(programs, Path(scratch)),
            env=with_programs(programs, HOME=str(home)),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            timeout=LONGEST,
            check=False,
        )
    output = log.read_text(encoding="utf-8")
    tests = len(re.findall(r"^Running sanity test", output, re.MULTILINE))
    passed = done.returncode == 0 and tests > 0
    print("\n".join(line for line in output.splitlines() if _MATTERS.match(line)) if passed else output)
    print(
        f"ansible-core {core}: {tests} runs of sanity tests, exit {done.returncode}, {time.monotonic() - began:.0f} s"
    )
    return passed


def _programs(core: str) -> Optional[Path]:
    """The directory of ``ansible-test``."""
    if core == HERE:
        return Path(sys.executable).parent
    known = CORES[core]
    return environment(PLACE / f"core-{known.release}", known.pythons, [f"ansible-core=={known.release}"])


def _home(programs: Path) -> Path:
    """A home with what ansible-test keeps: its environments, and our script where it looks before it fetches one."""
    home = PLACE / "home"
    (package,) = programs.parent.glob("lib/python3.*/site-packages/ansible_test")
    source = (package / "_internal" / "python_requirements.py").read_text(encoding="utf-8")
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for release in set(re.findall(r"'(\d+\.\d+(?:\.\d+)?)'", source)):
        (cache / f"get_pip_{release.replace('.', '_')}.py").write_text(BOOTSTRAP, encoding="utf-8")
    # ansible-test clears the environment; of pip's settings (index, certificates) those in files are left.
    for settings in (".config/pip", ".pip"):
        user, link = Path.home() / settings, home / settings
        if user.exists() and not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(user)
    return home


def _root(programs: Path, scratch: Path) -> Path:
    """The unpacked collection, with the configuration of ansible-test, which is not published."""
    root = unpack(build(programs, scratch))
    (root / CONFIG).parent.mkdir()
    shutil.copy2(scratch / "tree" / CONFIG, root / CONFIG)
    return root


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
