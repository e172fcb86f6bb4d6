# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-test sanity`` over the collection as it is published.

Usage: sanity.py [CORE...], e.g. ``sanity.py 2.17 2.21``; without arguments the ansible-core of this Python. Others get
an environment of their own. The tarball is built from what git knows or would add, so that no leftover is in it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache" / "sanity"
COLLECTION = Path("ansible_collections/plugops/mattermost")
TEST_CONFIG = Path("tests/config.yml")
LONGEST = 1800
HERE = "of this environment"
_MATTERS = re.compile(r"WARNING: (?!Retrying)|ERROR:|FATAL:")


class Core(NamedTuple):
    """A release of ansible-core and the Pythons that its controller side supports, newest first."""

    release: str
    pythons: List[str]


CORES: Dict[str, Core] = {
    "2.17": Core("2.17.14", ["3.12", "3.11", "3.10"]),
    "2.18": Core("2.18.19", ["3.13", "3.12", "3.11"]),
    "2.19": Core("2.19.14", ["3.13", "3.12", "3.11"]),
    "2.20": Core("2.20.10", ["3.14", "3.13", "3.12"]),
    "2.21": Core("2.21.5", ["3.14", "3.13", "3.12"]),
}

# ansible-test fetches pip's bootstrap script from a host of its own; this one takes the pip that Python ships and lets
# it install the same releases.
BOOTSTRAP = """\
import subprocess, sys
# A process of its own: ensurepip switches off the settings of pip in the one that it runs in.
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
    programs = Path(sys.executable).parent if core not in CORES else _environment(core)
    if programs is None:
        return False
    home = _home(programs)
    with tempfile.TemporaryDirectory(prefix="plugops-sanity-") as scratch, open(CACHE / f"{core}.log", "w") as log:
        root = unpack_collection(programs, Path(scratch))
        done = subprocess.run(
            [programs / "ansible-test", "sanity", "--venv", "--color", "no"],
            cwd=root,
            env={**os.environ, "HOME": str(home), "PATH": os.pathsep.join([str(programs), *_paths()])},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=LONGEST,
            check=False,
        )
    output = Path(log.name).read_text(encoding="utf-8")
    tests = len(re.findall(r"^Running sanity test", output, re.MULTILINE))
    passed = done.returncode == 0 and tests > 0
    print("\n".join(line for line in output.splitlines() if _MATTERS.match(line)) if passed else output)
    print(
        f"ansible-core {core}: {tests} runs of sanity tests, exit {done.returncode}, {time.monotonic() - began:.0f} s"
    )
    return passed


def _environment(core: str) -> Optional[Path]:
    """The directory of programs of an environment with this ansible-core, made if need be."""
    release, pythons = CORES[core]
    place = CACHE / f"core-{release}"
    marker = place / "complete"
    if not marker.exists():
        python = next(filter(None, map(_python, pythons)), None)
        if python is None:
            print(f"ansible-core {core} needs one of Python {', '.join(pythons)}: none is on PATH or under pyenv")
            return None
        subprocess.run([python, "-m", "venv", "--clear", place], check=True)
        subprocess.run([place / "bin" / "pip", "install", "--quiet", f"ansible-core=={release}"], check=True)
        marker.touch()
    return place / "bin"


def _paths() -> List[str]:
    """Where Pythons are: those of pyenv, then PATH without its launchers, which fail for a Python not selected."""
    pyenv = Path(os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv")))
    own = sorted(str(path) for path in pyenv.glob("versions/3.*/bin"))
    return own + [path for path in os.environ["PATH"].split(os.pathsep) if path != str(pyenv / "shims")]


def _python(version: str) -> Optional[str]:
    return shutil.which(f"python{version}", path=os.pathsep.join(_paths()))


def _home(programs: Path) -> Path:
    """A home with what ansible-test keeps: its environments, and our script where it looks before it fetches one."""
    home = CACHE / "home"
    (package,) = programs.parent.glob("lib/python3*/site-packages/ansible_test")
    source = (package / "_internal" / "python_requirements.py").read_text(encoding="utf-8")
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for release in set(re.findall(r"'(\d+\.\d+(?:\.\d+)?)'", source)):
        (cache / f"get_pip_{release.replace('.', '_')}.py").write_text(BOOTSTRAP, encoding="utf-8")
    # ansible-test clears the environment; pip's settings (index, certificates) are left in a file alone.
    for settings in (".config/pip", ".pip"):
        user, link = Path.home() / settings, home / settings
        if user.exists() and not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(user)
    return home


def unpack_collection(programs: Path, scratch: Path) -> Path:
    """Build the collection and unpack it where ansible-test wants it; return its root."""
    clean = scratch / "tree"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        source, target = REPOSITORY / name, clean / name
        if os.path.lexists(source):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    build = ["collection", "build", str(clean), "--output-path", str(scratch)]
    subprocess.run([programs / "ansible-galaxy", *build], stdout=subprocess.DEVNULL, check=True)
    (tarball,) = scratch.glob("plugops-mattermost-*.tar.gz")
    root = scratch / COLLECTION
    root.mkdir(parents=True)
    with tarfile.open(tarball) as archive:
        archive.extractall(root, filter="data")
    (root / TEST_CONFIG).parent.mkdir(exist_ok=True)
    shutil.copy2(clean / TEST_CONFIG, root / TEST_CONFIG)
    return root


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
