# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One systemd service as it is: what its unit specifies, what systemd has loaded, what runs."""

from __future__ import annotations

import glob
import posixpath
import shutil
from dataclasses import dataclass, field
from typing import Dict, List, NamedTuple, Optional, Tuple

from .._core.errors import OperatorError
from .._host.command import Run
from .._host.process import Process, read_process
from .._host.reading import SYSTEM_FILE_LIMIT, is_directory, read_file
from .._host.root import Root
from .systemd_unit_files import Assignment, UnitFiles, parse_unit_files, read_unit_files
from .systemd_unit_syntax import (
    command_words,
    expand_specifiers,
    expand_variables,
    is_variable,
    parse_environment_file,
    split_words,
)

HOME = "~"
_BOOTED = "/run/systemd/system"  # sd_booted(3)
_SANDBOX_WORDS = ("ProtectSystem", "ProtectHome", "PrivateTmp", "DynamicUser", "RootDirectory", "RootImage", "UMask")
_SANDBOX_LISTS = (
    "ReadWritePaths",
    "ReadOnlyPaths",
    "InaccessiblePaths",
    "ExecPaths",
    "NoExecPaths",
    "TemporaryFileSystem",
    "BindPaths",
    "BindReadOnlyPaths",
    "StateDirectory",
    "CacheDirectory",
    "LogsDirectory",
    "RuntimeDirectory",
    "SupplementaryGroups",
)
_PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "NRestarts",
    "MainPID",
    "FragmentPath",
    "DropInPaths",
    "NeedDaemonReload",
    "WorkingDirectory",
    "User",
    "Group",
)


@dataclass(frozen=True)
class Service:
    """One systemd service.

    :param name: the unit's own name with its suffix, also where it was named by an alias
    :param load_state: systemd's word: ``loaded``, ``not-found``, ``masked``, ``bad-setting`` …
    :param active_state: systemd's word: ``active``, ``inactive``, ``failed`` …; ``unknown`` where systemd does not run
    :param sub_state: systemd's word for a finer state: ``running``, ``start-pre``, ``auto-restart`` …
    :param restarts: how often systemd has restarted it by itself since it was last started by somebody
    :param main_pid: 0 where nothing runs
    :param working_directory: effective, as loaded by systemd, or by the files where systemd does not run;
        empty: none is set, the process gets ``/``; ``~``: the home of ``user``
    :param working_directory_optional: written as ``-/path``: the process gets ``/`` where the path is missing
    :param working_directory_origin: host path of the file that sets it, empty where none does
    :param exec_start: the command and its arguments, specifiers and variables of the unit expanded
    :param environment: ``Environment=``, overridden by ``EnvironmentFile=``, less ``UnsetEnvironment=``
    :param environment_origin: variable -> host path of the file that sets it
    :param fragment: host path of the unit file itself
    :param drop_ins: host paths, in the order in which systemd reads them
    :param sandbox: the settings that limit what the process can see and write, as ``systemctl show`` words them
    :param process: the main process, None where nothing runs or systemd does not run
    :param stale: the files have changed since systemd read them (``NeedDaemonReload``)
    :param files: what the files specify now; while ``stale`` that is not what systemd has loaded
    """

    name: str
    load_state: str = "loaded"
    active_state: str = "unknown"
    sub_state: str = ""
    restarts: int = 0
    main_pid: int = 0
    working_directory: str = ""
    working_directory_optional: bool = False
    working_directory_origin: str = ""
    user: str = ""
    group: str = ""
    exec_start: Tuple[str, ...] = ()
    environment: Dict[str, str] = field(default_factory=dict)
    environment_origin: Dict[str, str] = field(default_factory=dict)
    fragment: str = ""
    drop_ins: Tuple[str, ...] = ()
    sandbox: Dict[str, str] = field(default_factory=dict)
    process: Optional[Process] = None
    stale: bool = False
    files: UnitFiles = field(default_factory=lambda: UnitFiles("", "not-found"))


class WorkingDirectory(NamedTuple):
    """What the files specify as the working directory.

    :param path: as in :class:`Service`
    :param decided_by: the line that counts, also where it resets; None if there is none
    :param refused: a line because of which systemd refuses the whole unit
    :param ignored: lines because of which systemd reads no further in their drop-ins
    """

    path: str = ""
    optional: bool = False
    decided_by: Optional[Assignment] = None
    refused: Optional[Assignment] = None
    ignored: Tuple[Assignment, ...] = ()


def systemd_is_running(root: Root) -> bool:
    """Whether this host's systemd answers: the live system, booted with it, and systemctl is there."""
    return root.is_live and is_directory(_BOOTED) and shutil.which("systemctl") is not None


def observe_service(name: str, root: Root, run: Run, live: bool) -> Service:
    """The service ``name`` (with its suffix) as it is now.

    :param live: query systemd, in one ``systemctl show``; else read the unit files alone
    :raises OperatorError: systemd does not answer, or a file of the service cannot be read
    """
    return _from_systemd(name, root, run) if live else _from_files(name, root)


def why_not_running(service: Service) -> str:
    """What systemd reports of a service that does not run; empty for one that runs or is still in its first start.

    One that ends at its start and is started again and again does not run, at whichever moment of that it is seen.
    """
    state = f"ActiveState={service.active_state}" + (f" ({service.sub_state})" if service.sub_state else "")
    if service.active_state == "activating" and not service.sub_state.startswith("auto-restart"):
        again = f"{state}, NRestarts={service.restarts}: it has ended and is started again"
        return again if service.restarts else ""
    return "" if service.process else f"{state}, no main process"


def declared_working_directory(files: UnitFiles) -> WorkingDirectory:
    """What the files set as the working directory, read as systemd reads it.

    A path not absolute or not normalized makes systemd refuse the unit, or, in a drop-in, go on without the rest of
    that file; with ``-`` in front it ignores the line.
    """
    found = WorkingDirectory()
    ignored: List[Assignment] = []
    for assignment in files.assignments:
        if (assignment.section, assignment.key) != ("Service", "WorkingDirectory"):
            continue
        if any(line.path == assignment.path for line in ignored):
            continue
        optional = assignment.value.startswith("-")
        text = assignment.value[1:] if optional else assignment.value
        path = HOME if text == HOME else _absolute(text, files.name)
        if not assignment.value:
            found = WorkingDirectory(decided_by=assignment)
        elif path:
            found = WorkingDirectory(path, optional, assignment)
        elif not optional and assignment.path not in files.drop_ins:
            return WorkingDirectory(refused=assignment)
        elif not optional:
            ignored.append(assignment)
    return found._replace(ignored=tuple(ignored))


def _absolute(text: str, unit: str) -> str:
    path = expand_specifiers(text, unit)
    if path is None or not path.startswith("/") or ".." in path.split("/"):
        return ""
    return "/" + posixpath.normpath(path).lstrip("/")


def _from_systemd(name: str, root: Root, run: Run) -> Service:
    properties = _show(name, run)
    stale = properties.get("NeedDaemonReload") == "yes"
    own_name = properties.get("Id") or name
    load_state = properties.get("LoadState", "not-found")
    fragment, drop_ins = properties.get("FragmentPath", ""), split_words(properties.get("DropInPaths", ""))
    if stale:
        files = read_unit_files(own_name, root)
    elif load_state == "masked" or not fragment:
        files = UnitFiles(own_name, load_state, fragment)
    else:
        files = parse_unit_files(own_name, fragment, drop_ins, root)
    # systemctl writes "!" where the unit has "-"
    path = properties.get("WorkingDirectory", "")
    optional = path.startswith(("!", "-"))
    path = path[1:] if optional else path
    declared = declared_working_directory(files)
    by = declared.decided_by if declared.path == path and path else None
    environment, origins = _environment(files, root)
    pid = int(properties.get("MainPID") or 0)
    return Service(
        name=own_name,
        load_state=load_state,
        active_state=properties.get("ActiveState", "unknown"),
        sub_state=properties.get("SubState", ""),
        restarts=int(properties.get("NRestarts") or 0),
        main_pid=pid,
        working_directory=path,
        working_directory_optional=optional,
        working_directory_origin=by.path if by else "",
        user=properties.get("User", ""),
        group=properties.get("Group", ""),
        exec_start=_exec_start(files, environment),
        environment=environment,
        environment_origin=origins,
        fragment=fragment,
        drop_ins=tuple(drop_ins),
        sandbox={key: properties[key] for key in _SANDBOX_WORDS + _SANDBOX_LISTS if properties.get(key)},
        process=read_process(pid),
        stale=stale,
        files=files,
    )


def _show(name: str, run: Run) -> Dict[str, str]:
    wanted = ",".join(_PROPERTIES + _SANDBOX_WORDS + _SANDBOX_LISTS)
    code, out, err = run(["systemctl", "show", "--no-pager", f"--property={wanted}", "--", name])
    properties = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    if code != 0 or "LoadState" not in properties:
        raise OperatorError(
            "systemd does not answer about the service",
            where=f"systemctl show {name}",
            found=(err or out).strip() or f"exit code {code}",
            remedy="run the command on the host; for an image or sandbox give root",
        )
    return properties


def _from_files(name: str, root: Root) -> Service:
    files = read_unit_files(name, root)
    declared = declared_working_directory(files)
    by = declared.decided_by if declared.path else None
    environment, origins = _environment(files, root)
    return Service(
        name=files.name,
        load_state="bad-setting" if declared.refused else files.load_state,
        working_directory=declared.path,
        working_directory_optional=declared.optional,
        working_directory_origin=by.path if by else "",
        user=_word(files, "User"),
        group=_word(files, "Group"),
        exec_start=_exec_start(files, environment),
        environment=environment,
        environment_origin=origins,
        fragment=files.fragment,
        drop_ins=files.drop_ins,
        sandbox=_sandbox(files),
        files=files,
    )


def _word(files: UnitFiles, key: str) -> str:
    found = files.last("Service", key)
    return (expand_specifiers(found.value, files.name) or "") if found else ""


def _words(files: UnitFiles, key: str) -> List[Tuple[str, Assignment]]:
    """The words of a list, each with the line that it is in; what systemd would refuse is left out."""
    found = []
    for assignment in files.all("Service", key):
        for word in split_words(assignment.value):
            expanded = expand_specifiers(word, files.name)
            if expanded is not None:
                found.append((expanded, assignment))
    return found


def _sandbox(files: UnitFiles) -> Dict[str, str]:
    sandbox = {key: _word(files, key) for key in _SANDBOX_WORDS}
    sandbox.update({key: " ".join(word for word, _line in _words(files, key)) for key in _SANDBOX_LISTS})
    return {key: value for key, value in sandbox.items() if value}


def _exec_start(files: UnitFiles, environment: Dict[str, str]) -> Tuple[str, ...]:
    commands = files.all("Service", "ExecStart")
    if not commands:
        return ()
    words, expand = command_words(commands[0].value)
    words = [expand_specifiers(word, files.name) or "" for word in words]
    return tuple(expand_variables(words, environment) if expand else words)


def _environment(files: UnitFiles, root: Root) -> Tuple[Dict[str, str], Dict[str, str]]:
    """The variables and where each comes from, merged as in systemd.exec(5): files win, later ones over earlier."""
    values: Dict[str, str] = {}
    origins: Dict[str, str] = {}
    for word, assignment in _words(files, "Environment"):
        name, equals, value = word.partition("=")
        if equals and is_variable(name, value):
            values[name], origins[name] = value, assignment.path
    for assignment in files.all("Service", "EnvironmentFile"):
        for path in _environment_files(assignment, files.name, root):
            found = _read_environment_file(path, root)
            values.update(found)
            origins.update(dict.fromkeys(found, path))
    for word, _line in _words(files, "UnsetEnvironment"):
        name, equals, value = word.partition("=")
        if name in values and (not equals or values[name] == value):
            del values[name], origins[name]
    return values, origins


def _environment_files(assignment: Assignment, unit: str, root: Root) -> List[str]:
    """The host paths that an ``EnvironmentFile=`` names: it may be a pattern. Missing ones are left out."""
    pattern = _absolute(assignment.value[1:] if assignment.value.startswith("-") else assignment.value, unit)
    if not pattern:
        return []
    if glob.has_magic(pattern):
        return root.matching(pattern)
    return [pattern]


def _read_environment_file(path: str, root: Root) -> Dict[str, str]:
    try:
        return parse_environment_file(read_file(root.real(root.resolve(path)), SYSTEM_FILE_LIMIT))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise OperatorError(
            "an environment file of the service cannot be read",
            where=path,
            found=error.strerror or str(error),
            remedy="run as root (become)",
        ) from error
