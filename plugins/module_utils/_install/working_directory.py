# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource "service": the directory that the service runs in.

Mattermost resolves relative plugin directories against its working directory alone, and the documented units set it
to the install directory. Where a unit does not, a drop-in of our own does.
"""

from __future__ import annotations

import os
import posixpath
import pwd
import re
import shlex
from typing import Any, Dict, List

from .._core.difference import Tracker
from .._core.errors import OperatorError
from .._core.resource import Pending, Resource
from .._host.directories import make_directories
from .._host.reading import exists, is_directory, is_file, is_link, may, read_link, read_text
from .._host.root import Root
from .._host.writing import write_atomic
from .._node.node import Node
from .._services.systemd_unit import HOME, Service, WorkingDirectory, declared_working_directory, systemd_is_running
from .._services.systemd_unit_files import SEARCH_PATH, similar_units

# Drop-ins are read in the order of their file names: this one is meant to be the last.
DROP_IN = "zz-plugops-working-directory.conf"
DIFFERENCE = "service.WorkingDirectory"
_DROP_INS_IN = "/etc/systemd/system"
_STRONGER = SEARCH_PATH[: SEARCH_PATH.index(_DROP_INS_IN)]
_NOT_IN_A_UNIT = re.compile(r"[\x00-\x1f\x7f]|[\\\s]\Z|[\ud800-\udfff]")
_TEXT = """\
# Written by plugops.mattermost (mattermost_service_directory); a change here is overwritten.
# Mattermost looks for relative plugin directories from here.
[Service]
WorkingDirectory={}
"""


class ServiceDirectory(Resource[Service]):
    """The unit's effective ``WorkingDirectory`` is the wanted one.

    ``-/path`` counts as ``/path``: the two differ only where the path is missing, which is an error here. ``~`` counts
    as the home of the unit's user. Nothing is written where another file of the unit already sets the wanted directory.

    :param wanted: absolute host path; with ``RootDirectory=`` in the unit, as seen inside of it
    :raises OperatorError: a path that cannot be written into a unit
    """

    name = "service"

    def __init__(self, node: Node, wanted: str) -> None:
        if not wanted.startswith("/") or _NOT_IN_A_UNIT.search(wanted):
            raise OperatorError(
                "this cannot be a service's working directory",
                found=repr(wanted),
                wanted="an absolute path without control characters, not ending in a blank or a backslash",
                remedy="correct working_directory (its default is install_dir)",
            )
        self._node = node
        self._wanted = "/" + posixpath.normpath(wanted).lstrip("/")

    def observe(self) -> Service:
        """The unit as systemd has it.

        :raises OperatorError: no such unit, masked or rejected by systemd; the wanted directory is missing; a change is
            needed that another file would overrule, or that we may not make
        """
        service = self._node.service
        self.refuse_unusable_unit(service)
        self.refuse_missing_directory(service)
        self.refuse_unwritable(service)
        return service

    def compare(self, found: Service) -> Tracker:
        tracker = Tracker()
        loaded = WorkingDirectory(found.working_directory, found.working_directory_optional)
        declared = declared_working_directory(found.files)
        if not self._is_wanted(loaded, found):
            tracker.add(DIFFERENCE, _shown(loaded), self._wanted, self._action(found))
        elif found.stale and not self._is_wanted(declared, found):
            tracker.add(DIFFERENCE, _shown(declared), self._wanted, self._action(found))
        return tracker

    def apply(self, found: Service, differences: Tracker) -> None:
        if self._must_write(found):
            self._write(found)
        if self._live:
            reload_units(self._node, found.name)
        self._node.forget()

    def pending(self, found: Service) -> Pending:
        process = found.process
        if process is None or not process.cwd or process.cwd in self._real_names(found):
            return Pending()
        return Pending(
            restart=[f"{found.name} (pid {process.pid}) runs in {process.cwd}, wanted {self._wanted}: restart it"]
        )

    def warnings(self, found: Service) -> List[str]:
        if found.process is not None and not found.process.cwd:
            return [
                f"cannot see which directory {found.name} (pid {found.process.pid}) runs in, and so not whether it "
                "must be restarted; run as root (become)"
            ]
        return []

    def facts(self, found: Service) -> Dict[str, Any]:
        return {
            "name": found.name,
            "load_state": found.load_state,
            "active_state": found.active_state,
            "user": found.user,
            "group": found.group,
            "working_directory": found.working_directory,
            "working_directory_optional": found.working_directory_optional,
            "working_directory_origin": found.working_directory_origin,
            "pid": found.main_pid,
            "running_directory": found.process.cwd if found.process else "",
            "fragment": found.fragment,
            "drop_ins": list(found.drop_ins),
            "needs_daemon_reload": found.stale,
        }

    # what is there

    @property
    def _live(self) -> bool:
        return systemd_is_running(self._node.root)

    def _is_wanted(self, directory: WorkingDirectory, service: Service) -> bool:
        path = directory.path
        if path == HOME:
            path = _home(service.user, self._node.root)
        return path == self._wanted

    def _must_write(self, service: Service) -> bool:
        """Whether the files do not set the wanted directory; where they do, systemd has at most to read them again."""
        loaded = WorkingDirectory(service.working_directory)
        if self._is_wanted(loaded, service) and not service.stale:
            return False
        return not self._is_wanted(declared_working_directory(service.files), service)

    def _action(self, service: Service) -> str:
        steps = [f"write {drop_in_path(service)}"] if self._must_write(service) else []
        return ", ".join(steps + (["systemctl daemon-reload"] if self._live else []))

    def _seen_inside(self, service: Service) -> Root:
        """The file system as the service sees it."""
        inside = service.sandbox.get("RootDirectory", "/").lstrip("-")
        root = self._node.root
        return root if inside in ("", "/") else Root(root.real(root.resolve(inside)))

    def _real_names(self, service: Service) -> List[str]:
        """How /proc may name the wanted directory: as the service sees it, or as the host does."""
        inside = self._seen_inside(service)
        path = inside.resolve(self._wanted)
        return [path, posixpath.join(inside.prefix, path.lstrip("/"))]

    # what forbids a change

    def refuse_unusable_unit(self, service: Service) -> None:
        """Refuse a unit that systemd cannot load.

        :raises OperatorError: systemd has no such unit, or does not load it
        """
        reread = "; systemd has not read the files since they changed: systemctl daemon-reload" if service.stale else ""
        if service.load_state == "not-found":
            similar = similar_units(service.name, self._node.root)
            raise OperatorError(
                f"the service {service.name} does not exist",
                where=f"looked in {', '.join(path for path in SEARCH_PATH if '/run/' not in path)} and below /run",
                found=f"similar: {', '.join(similar)}" if similar else "no service of a similar name",
                remedy=f"set service to the name of the unit, or install its unit file{reread}",
            )
        if service.load_state == "masked":
            raise OperatorError(
                f"the service {service.name} is masked, systemd ignores its files and never starts it",
                where=service.fragment,
                remedy=f"systemctl unmask {shlex.quote(service.name)}{reread}",
            )
        refused = declared_working_directory(service.files).refused
        if refused is not None:
            raise OperatorError(
                f"systemd refuses the whole unit {service.name} because of its WorkingDirectory=",
                where=refused.where,
                found=refused.value,
                wanted="an absolute path without quotes and ..",
                remedy=f"correct or remove this line, then systemctl daemon-reload; no drop-in can fix it{reread}",
            )
        if service.load_state != "loaded":
            raise OperatorError(
                f"systemd cannot load the service {service.name}",
                where=service.fragment,
                found=service.load_state,
                remedy=f"run systemd-analyze verify {shlex.quote(service.name)} and fix what it names{reread}",
            )

    def refuse_missing_directory(self, service: Service) -> None:
        """Refuse a wanted directory that does not exist.

        :raises OperatorError: it is missing, or no directory
        """
        hidden = [key for key in ("RootImage", "BindPaths", "BindReadOnlyPaths") if service.sandbox.get(key)]
        inside = self._seen_inside(service)
        if hidden and (inside is not self._node.root or "RootImage" in hidden):
            return  # made of things that only the running service sees
        real = inside.real(inside.resolve(self._wanted))
        if is_directory(real):
            return
        within = "" if inside is self._node.root else f" inside RootDirectory={service.sandbox['RootDirectory']}"
        raise OperatorError(
            "the wanted working directory is not a directory"
            if exists(real)
            else "the wanted working directory does not exist",
            where=self._wanted + within,
            remedy="install Mattermost there, or correct install_dir or working_directory. A service whose directory "
            "is missing does not start, or with WorkingDirectory=- starts in / and finds no plugins",
        )

    def refuse_unwritable(self, service: Service) -> None:
        """Refuse a change that would have no effect, or that cannot be written.

        :raises OperatorError: a drop-in is needed, and would have no effect or cannot be written
        """
        if self._must_write(service):
            self._refuse_stronger_drop_in(service)
            self._refuse_bad_place(service)

    def _refuse_stronger_drop_in(self, service: Service) -> None:
        ours = drop_in_path(service)
        unread = declared_working_directory(service.files).ignored
        stronger = [
            assignment
            for assignment in service.files.assignments
            if (assignment.section, assignment.key) == ("Service", "WorkingDirectory")
            and assignment.path in service.files.drop_ins
            and _comes_after(assignment.path, ours)
            and not any(line.path == assignment.path and line.line <= assignment.line for line in unread)
        ]
        hiding = [path for path in service.files.drop_ins if _hides(path, ours)]
        if stronger:
            raise OperatorError(
                f"another drop-in of {service.name} sets WorkingDirectory= and is read after ours, it would win",
                where=stronger[-1].where,
                found=stronger[-1].value or "(empty: none)",
                wanted=self._wanted,
                remedy=f"correct or remove that line, or rename the file so that it sorts before {DROP_IN}",
            )
        if hiding:
            raise OperatorError(
                "a drop-in of the same name hides ours, from a directory that systemd prefers",
                where=hiding[0],
                wanted=ours,
                remedy="remove it",
            )

    def _refuse_bad_place(self, service: Service) -> None:
        path = drop_in_path(service)
        real = self._node.root.real(path)
        if is_link(real) or (exists(real) and not is_file(real)):
            raise OperatorError(
                "our drop-in cannot be written, something else has its place",
                where=path,
                found=f"a link to {read_link(real)}" if is_link(real) else "no regular file",
                wanted="a regular file, or nothing",
                remedy="remove it",
            )
        parent = os.path.dirname(real)
        while not exists(parent):
            parent = os.path.dirname(parent)
        if not is_directory(parent) or not may(parent, os.W_OK | os.X_OK):
            raise OperatorError(
                "our drop-in cannot be written there",
                where=self._node.root.host(parent),
                found="not a directory" if not is_directory(parent) else "not writable for this user",
                remedy="run as root (become); check that the file system is not mounted read-only",
            )

    # the change

    def _write(self, service: Service) -> None:
        real = self._node.root.real(drop_in_path(service))
        make_directories(os.path.dirname(real))
        owner = 0 if os.geteuid() == 0 else None  # in a sandbox, whoever made it
        text = _TEXT.format(self._wanted.replace("%", "%%"))
        write_atomic(real, text.encode(), mode=0o644, uid=owner, gid=owner)


def reload_units(node: Node, service: str) -> None:
    """Let systemd read the unit files.

    :raises OperatorError: systemctl failed
    """
    code, out, err = node.run(["systemctl", "daemon-reload"])
    if code != 0:
        raise OperatorError(
            "the unit files are as wanted, but systemd did not read them",
            where="systemctl daemon-reload",
            found=(err or out).strip() or f"exit code {code}",
            remedy=f"fix what it names, then run this again; {service} keeps its old directory until then",
        )


def drop_in_path(service: Service) -> str:
    """Where our drop-in of the service is, or would be."""
    return posixpath.join(_DROP_INS_IN, f"{service.name}.d", DROP_IN)


def _shown(directory: WorkingDirectory) -> Any:
    if not directory.path:
        return None
    return f"-{directory.path}" if directory.optional else directory.path


def _comes_after(path: str, ours: str) -> bool:
    return os.fsencode(posixpath.basename(path)) > os.fsencode(posixpath.basename(ours))


def _hides(path: str, ours: str) -> bool:
    same_name = posixpath.basename(path) == posixpath.basename(ours)
    return same_name and posixpath.dirname(posixpath.dirname(path)) in _STRONGER


def _home(user: str, root: Root) -> str:
    """The home that systemd takes for ``~``; empty where the unit names no user, or one that does not exist."""
    by = 2 if user.isdigit() else 0
    if root.is_live:
        try:
            return pwd.getpwuid(int(user)).pw_dir if user.isdigit() else pwd.getpwnam(user).pw_dir
        except KeyError:
            return ""
    try:
        entries = [line.split(":") for line in read_text(root.real(root.resolve("/etc/passwd"))).split("\n")]
    except FileNotFoundError:
        return ""
    return next((entry[5] for entry in entries if len(entry) > 5 and entry[by] == user and user), "")
