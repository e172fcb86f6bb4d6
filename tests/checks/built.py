# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as it is published: built from what git knows or would add, so that no leftover is in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Dict, List, Optional

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache"
COLLECTION = Path("ansible_collections/plugops/mattermost")


def python_paths() -> List[str]:
    """Where Pythons are: those of pyenv, then PATH without its launchers, which fail for a Python not selected."""
    pyenv = Path(os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv")))
    own = sorted(str(path) for path in pyenv.glob("versions/3.*/bin"))
    return own + [path for path in os.environ["PATH"].split(os.pathsep) if path != str(pyenv / "shims")]


def environment(place: Path, pythons: List[str], requirements: List[str]) -> Optional[Path]:
    """The directory of programs of a virtual environment, made if need be; None without one of the Pythons.

    :param place: Where it lies.
    :param pythons: Versions that will do, the best first.
    :param requirements: What pip installs into it.
    """
    programs, marker = place / "bin", place / "complete"
    if not marker.exists():
        found = (shutil.which(f"python{version}", path=os.pathsep.join(python_paths())) for version in pythons)
        python = next(filter(None, found), None)
        if python is None:
            print(f"{place.name} needs one of Python {', '.join(pythons)}: none is on PATH or under pyenv")
            return None
        subprocess.run([python, "-m", "venv", "--clear", place], check=True)
        subprocess.run([programs / "pip", "install", "--quiet", *requirements], check=True)
        marker.touch()
    return programs


def with_programs(programs: Path, **variables: str) -> Dict[str, str]:
    """The environment of a process that finds these programs first."""
    return {**os.environ, "PATH": os.pathsep.join([str(programs), *python_paths()]), **variables}


def build(programs: Path, scratch: Path) -> Path:
    """Build the tarball of the collection; return it. The source is left in ``tree`` beside it.

    :param programs: Directory of ``ansible-galaxy``.
    :param scratch: An empty directory.
    """
    clean = scratch / "tree"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        source, target = REPOSITORY / name, clean / name
        if os.path.lexists(source):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    command = ["collection", "build", str(clean), "--output-path", str(scratch)]
    subprocess.run([programs / "ansible-galaxy", *command], stdout=subprocess.DEVNULL, check=True)
    (tarball,) = scratch.glob("plugops-mattermost-*.tar.gz")
    return tarball


def unpack(tarball: Path) -> Path:
    """Unpack the tarball beside it, where Ansible's tools look for a collection; return its root."""
    root = tarball.parent / COLLECTION
    root.mkdir(parents=True)
    with tarfile.open(tarball) as archive:
        archive.extractall(root, filter="data")
    return root
