# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenPGP keys and signatures made with gpg for one test; nothing of them is kept."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Sequence


def missing() -> List[str]:
    """Programs that signing needs and that are not there."""
    return [program for program in ("gpg", "gpgv", "gpgconf") if shutil.which(program) is None]


@dataclass(frozen=True)
class Signer:
    """A key pair.

    :param home: gpg's directory; its path must be short, it holds sockets
    """

    home: Path
    name: str

    def _gpg(self, *arguments: str, stdin: bytes = b"") -> bytes:
        return subprocess.run(
            ["gpg", "--batch", "--quiet", "--no-tty", "--homedir", str(self.home), *arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
            check=True,
        ).stdout

    def make(self, *options: str, expires: str = "never", kind: str = "rsa2048") -> Signer:
        """kind: as gpg names it; not every kind is one that servers know."""
        user = f"{self.name} <{self.name}@example.com>"
        unprotected = ["--pinentry-mode", "loopback", "--passphrase", ""]
        self._gpg(*unprotected, *options, "--quick-generate-key", user, kind, "sign", expires)
        return self

    @property
    def fingerprint(self) -> str:
        listed = self._gpg("--with-colons", "--list-keys", self.name).decode()
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

    def public_key(self, armour: bool = False) -> bytes:
        return self._gpg(*(["--armor"] if armour else []), "--export", self.name)

    def keybox(self) -> Path:
        return self.home / "pubring.kbx"

    def sign(self, path: Path, target: Path, armour: bool = False, options: Sequence[str] = ()) -> Path:
        """Write the detached signature of a file."""
        armoured = ["--armor"] if armour else []
        self._gpg(*options, *armoured, "--yes", "--local-user", self.name, "-o", str(target), "-b", str(path))
        return target

    def revoke(self) -> None:
        certificate = self.home / "openpgp-revocs.d" / f"{self.fingerprint}.rev"
        self._gpg("--import", stdin=certificate.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))

    def stop(self) -> None:
        """The agent that gpg has started."""
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=True)


@contextlib.contextmanager
def signers(*names: str) -> Iterator[Dict[str, Signer]]:
    """Key pairs, there while a block runs."""
    with tempfile.TemporaryDirectory(prefix="po-gpg-") as directory:
        made = {name: Signer(Path(directory) / name, name) for name in names}
        try:
            for signer in made.values():
                signer.home.mkdir(mode=0o700)
            yield made
        finally:
            for signer in made.values():
                signer.stop()
