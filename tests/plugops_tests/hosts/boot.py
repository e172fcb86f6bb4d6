# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Become one test host. Runs as a program of its own, in a mount namespace of its own: `unshare --mount boot.py PLAN`.

The plan is a JSON file written by machine.py. Whatever is mounted here vanishes with the last process of the host.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

CGROUP = Path("/sys/fs/cgroup")


def mount(filesystem: str, target: Path, *options: str) -> None:
    subprocess.run(["mount", "-t", filesystem, *options, filesystem, str(target)], check=True)


def join_cgroup(path: Path) -> None:
    """First of all, so that `down` finds us. It fails when `down` has been here already, and then nothing starts."""
    (path / "cgroup.procs").write_text(str(os.getpid()))


def show_cgroup2_only() -> None:
    """Let nspawn see cgroup v2 alone, as on a current Debian; newer systemd does not boot under v1."""
    if not (CGROUP / "cgroup.controllers").exists():
        mount("cgroup2", CGROUP)


def hide_nspawn_records() -> None:
    """nspawn keeps notes per machine below /run; on a tmpfs of ours they do not outlive it."""
    records = Path("/run/systemd/nspawn")
    records.mkdir(parents=True, exist_ok=True)
    mount("tmpfs", records, "-o", "mode=0755")


def mount_root(lower: Path, scratch: Path) -> Path:
    """The read-only root file system below, an empty tmpfs above."""
    mount("tmpfs", scratch, "-o", "mode=0755")
    upper, work, root = scratch / "upper", scratch / "work", scratch / "root"
    for directory in (upper, work, root):
        directory.mkdir(mode=0o755)
    # redirect_dir: a directory of the lower layer can be renamed, as on a plain file system.
    layers = f"lowerdir={lower},upperdir={upper},workdir={work},redirect_dir=on"
    mount("overlay", root, "-o", layers)
    return root


def write_files(root: Path, files: list[dict[str, Any]]) -> None:
    for file in files:
        path = root / file["path"]
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700)
            os.chown(path.parent, file["uid"], file["uid"])
        path.write_text(file["text"])
        path.chmod(file["mode"])
        os.chown(path, file["uid"], file["uid"])


def main(plan_path: str) -> None:
    os.umask(0o022)
    plan = json.loads(Path(plan_path).read_text())
    join_cgroup(Path(plan["cgroup"]))
    show_cgroup2_only()
    hide_nspawn_records()
    root = mount_root(Path(plan["rootfs"]), Path(plan["scratch"]))
    write_files(root, plan["files"])
    argv = [*plan["nspawn"], f"--directory={root}"]
    os.execvpe(argv[0], argv, plan["environment"])


if __name__ == "__main__":
    main(sys.argv[1])
