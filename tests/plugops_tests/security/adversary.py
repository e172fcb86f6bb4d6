# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service account gone mad: for as long as it runs it changes, at random, everything that it may change."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable, List

NAMES = (
    "plugin.json",
    "x.tar.gz",
    "x.tar.gz.sig",
    "a\nb",
    "é\x1b[31m",
    "-rf",
    " ",
    "\udcff",
    "n" * 200,
    ".plugops-new",
)
_DIRECTORIES = (
    "",
    "config",
    "plugins",
    "client",
    "client/plugins",
    "data",
    "data/plugins",
    "prepackaged_plugins",
    "logs",
)


class Adversary:
    """
    :param install: its install directory
    :param healthy: a copy of that as it was, which it may read
    :param wanted: paths of others that it would like to read, to own or to see changed
    :param seed: the same seed makes the same choices
    """

    def __init__(self, install: Path, healthy: Path, wanted: List[str], seed: int) -> None:
        self._install = install
        self._healthy = healthy
        self._wanted = [*wanted, "/dev/zero", "/proc/self/fd/0", "..", "loop", "/nowhere"]
        self._chance = random.Random(seed)
        # Most often it puts something back: where all is broken, a module looks at nothing more.
        self._deeds: List[Callable[[], None]] = [*([self.heal] * 6), *([self.link] * 4), self.exchange, self.rename]
        self._deeds += [self.pipe, self.huge, self.hard_link, self.socket, self.deep, self.odd, self.flip_config]

    def run(self) -> None:
        """For ever."""
        while True:
            with contextlib.suppress(OSError, shutil.Error, ValueError):
                self._chance.choice(self._deeds)()
            time.sleep(self._chance.random() * 0.003)

    def _directory(self) -> Path:
        found = self._install / self._chance.choice(_DIRECTORIES)
        inside = [path for path in found.iterdir() if path.is_dir() and not path.is_symlink()]
        return self._chance.choice([found, found, *inside])

    def _entry(self) -> Path:
        return self._chance.choice(sorted(self._directory().iterdir()) or [self._install / "config"])

    def _free(self, path: Path) -> Path:
        aside = self._install / f"aside{self._chance.randrange(6)}"
        subprocess.run(["rm", "-rf", "--", str(aside)], check=False, stderr=subprocess.DEVNULL)
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, aside)
        return path

    def _place(self) -> Path:
        if self._chance.random() < 0.5:
            return self._free(self._entry())
        return self._free(self._directory() / self._chance.choice(NAMES))

    def heal(self) -> None:
        """A directory, or all, as a server would have it."""
        name = self._chance.choice(_DIRECTORIES[1:])
        if not (self._healthy / name).exists():
            return
        self._free(self._install / name)
        shutil.copytree(self._healthy / name, self._install / name, symlinks=True)

    def link(self) -> None:
        os.symlink(self._chance.choice(self._wanted), self._place())

    def exchange(self) -> None:
        one, other = self._entry(), self._entry()
        os.rename(one, self._install / "exchanged")
        os.rename(other, one)
        os.rename(self._install / "exchanged", other)

    def rename(self) -> None:
        os.rename(self._entry(), self._directory() / self._chance.choice(NAMES))

    def pipe(self) -> None:
        os.mkfifo(self._place())

    def huge(self) -> None:
        with self._place().open("xb") as out:
            out.truncate(8 << 30)

    def hard_link(self) -> None:
        """To a file of its own; to one of root's where the kernel lets it."""
        of = self._entry() if self._chance.random() < 0.7 else Path(self._chance.choice(self._wanted))
        os.link(of, self._place(), follow_symlinks=False)

    def socket(self) -> None:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(self._place()))

    def deep(self) -> None:
        place = self._place()
        place.mkdir()
        at = os.open(place, os.O_RDONLY)
        for _ in range(self._chance.choice((20, 300, 1500))):
            os.mkdir("d", dir_fd=at)
            below = os.open("d", os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        os.close(at)

    def odd(self) -> None:
        path = self._directory() / self._chance.choice(NAMES)
        path.write_bytes(self._chance.choice((b"", b"{", b"\0" * 100, b"[" * 5000, b'{"id": "x", "version": 1}')))

    def flip_config(self) -> None:
        """Now config.json, now a link in its place, some times in a row."""
        config, link = self._install / "config" / "config.json", self._install / "config" / "link"
        for _ in range(20):
            os.symlink(self._chance.choice(self._wanted), link)
            os.rename(link, config)
            time.sleep(self._chance.random() * 0.003)
            shutil.copy(self._healthy / "config" / "config.json", link)
            os.rename(link, config)
            time.sleep(self._chance.random() * 0.01)
