# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service account as an attacker: what it does it does as itself, in a process that has dropped root for good."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import random
import resource
import select
import signal
import subprocess
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Mapping, Sequence

from plugops_tests.modules.place import Place, broken_place
from plugops_tests.security.canary import IN_CLOSE_NOWRITE, Canary, Watch
from plugops_tests.servers.server_process import unprivileged_user

VICTIM = "/victim"  # as the host has it: it exists in the sandbox only
OWNED, HARDENED = "all is the service's", "hardened"
# What a server must be able to write where root owns the rest.
_SERVICES_OWN = ("config", "data", "logs", "plugins", "client/plugins")
SECONDS, MEGABYTES = 10, 200


@dataclass(frozen=True)
class Target:
    """An app server, and beside it what its service account must not reach."""

    place: Place
    canary: Canary

    @property
    def install(self) -> Path:
        return self.place.server.install_dir

    def call(self, module: str, check: bool = False, **arguments: Any) -> Dict[str, Any]:
        """What a module answers; never an error of Python's own."""
        given = {"root": str(self.place.server.root), **arguments}
        answer = self.place.call(module, given, check)
        assert "Traceback" not in json.dumps(answer), answer
        return answer

    def assert_unharmed(self) -> None:
        assert self.canary.touched() == []
        assert self.canary.leaked_below(self.place.directory, account().pw_uid) == []


def account() -> pwd.struct_passwd:
    return pwd.getpwnam(str(unprivileged_user()))


@contextlib.contextmanager
def target(owners: str = OWNED, version: str = "") -> Iterator[Target]:
    """
    :param owners: whether the install directory is the service account's as a whole, as Mattermost's own instructions
        have it, or root's but for what a server must write
    """
    with broken_place(version) as place:
        install = place.server.install_dir
        for name in _SERVICES_OWN:
            (install / name).mkdir(parents=True, exist_ok=True)
        owner = account()
        own_it(install, (owner.pw_uid, owner.pw_gid) if owners == OWNED else (0, 0))
        for name in _SERVICES_OWN:
            own_it(install / name, (owner.pw_uid, owner.pw_gid))
        yield Target(place, Canary(place.real(VICTIM)))


def own_it(directory: Path, owner: Sequence[int]) -> None:
    for path in [directory, *directory.rglob("*")]:
        os.lchown(path, *owner)


def as_service(work: Callable[[], Any]) -> None:
    """Do it as the service account; it must be able to."""
    child = _forked(work)
    assert os.waitpid(child, 0)[1] == 0, "the attacker could not do it: see its traceback"


@contextlib.contextmanager
def meanwhile(work: Callable[[], Any]) -> Iterator[None]:
    """The service account does this again and again while the block runs."""

    def forever() -> None:
        while True:
            with contextlib.suppress(OSError):
                work()

    with doing(forever):
        yield


@contextlib.contextmanager
def doing(work: Callable[[], Any]) -> Iterator[int]:
    """The service account does this while the block runs."""
    child = _forked(work)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _forked(work: Callable[[], Any]) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        become_service()
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def become_service() -> None:
    """Drop root, for good."""
    owner = account()
    os.setgroups([])
    os.setresgid(owner.pw_gid, owner.pw_gid, owner.pw_gid)
    os.setresuid(owner.pw_uid, owner.pw_uid, owner.pw_uid)


def replace_by_link(path: Path, to: str) -> None:
    """As the service account: what is there goes, a link comes."""

    def replace() -> None:
        subprocess.run(["rm", "-rf", str(path)], check=True)
        os.symlink(to, path)

    as_service(replace)


class Exhausted(AssertionError):
    """It did not end in time, or took too much memory."""


def bounded(
    work: Callable[[], Mapping[str, Any]], seconds: float = SECONDS, megabytes: int = MEGABYTES
) -> Dict[str, Any]:
    """What this answers; in a process of its own, so that one that hangs or takes all memory is seen as that.

    :raises Exhausted: it did not end within the time, or took more memory than that
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _answer_into(writing, work)
    os.close(writing)
    data, ended = b"", time.monotonic() + seconds
    try:
        while True:
            ready, _, _ = select.select([reading], [], [], max(ended - time.monotonic(), 0))
            if not ready:
                raise Exhausted(f"it does not end: killed after {seconds:g} s")
            chunk = os.read(reading, 1 << 16)
            if not chunk:
                break
            data += chunk
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    found = json.loads(data)
    assert isinstance(found, dict)
    if "raised" in found:
        raise AssertionError(found["raised"])
    if found["megabytes"] > megabytes:
        raise Exhausted(f"it took {found['megabytes']} MB of memory")
    answer = found["answer"]
    assert isinstance(answer, dict)
    return answer


def _answer_into(writing: int, work: Callable[[], Mapping[str, Any]]) -> None:
    with contextlib.suppress(BaseException):
        before = _megabytes()
        # So that a run which takes all there is fails here, and not the machine.
        room = _status("VmSize") * 1024 + (2 << 30)
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        found: Dict[str, Any]
        try:
            found = {"answer": work()}
        except BaseException:
            found = {"raised": traceback.format_exc()}
        found["megabytes"] = _megabytes() - before
        data = json.dumps(found, default=str).encode()
        while data:
            data = data[os.write(writing, data) :]
    os._exit(0)


def _megabytes() -> int:
    """The most that this process had in memory."""
    return _status("VmHWM") // 1024


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def swapping(path: Path, to: str, seed: int) -> Callable[[], None]:
    """Now the file, now a link in its place, at times that nobody knows beforehand."""
    chance = random.Random(seed)
    kept, link, content = path.with_name("kept"), path.with_name("link"), path.read_bytes()

    def swap() -> None:
        with contextlib.suppress(FileExistsError):
            os.symlink(to, link)
        kept.write_bytes(content)
        time.sleep(chance.random() * 0.02)
        os.rename(link, path)
        time.sleep(chance.random() * 0.002)
        os.rename(kept, path)

    return swap


@contextlib.contextmanager
def swapped_at_close(path: Path, to: str, number: int) -> Iterator[None]:
    """The service account puts a link in the place of a file as soon as it was read so many times."""
    reading, writing = os.pipe()
    link = path.with_name("link")

    def swap() -> None:
        os.symlink(to, link)
        with Watch(path, events=IN_CLOSE_NOWRITE) as watch:
            os.write(writing, b"armed")
            seen = 0
            while seen < number:
                seen += len(watch.wait())
            os.rename(link, path)

    with doing(swap):
        os.read(reading, 5)
        yield
    for handle in (reading, writing):
        os.close(handle)
    link.unlink(missing_ok=True)
