# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin directories of a Windows app server: they exist, and the service account may write in them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ...module_utils._core.difference import Tracker
from ...module_utils._core.errors import OperatorError
from ...module_utils._core.resource import Pending, Resource
from ...module_utils._directories.directories import CLIENT_DIRECTORY, DEFAULTS, DIRECTORY
from . import blockers, icacls, links, sddl, system, winpath
from .cmd import if_exists, literal
from .host import WindowsHost
from .nssm import NssmService, check_service_name, questions, record_directories_restart, service_of
from .service_account import ServiceAccount, known_sid

_NAMES = {DIRECTORY: "directory", CLIENT_DIRECTORY: "client"}
_OPTIONS = {DIRECTORY: "directory", CLIENT_DIRECTORY: "client_directory"}
_IN_IT = "what is in it"


@dataclass(frozen=True)
class WindowsDirectory:
    """One of the two directories.

    :param path: as wanted, variables kept
    :param target: the same, variables replaced
    :param rights: None where the directory is missing
    :param needs_grant: the account may not write in it, or would not once it is made
    :param closed: directories directly in it that the account may not change -> what it may do there
    :param files: files and links directly in it that it may not change, which stays as it is
    """

    setting: str
    path: str
    target: str
    rights: Optional[sddl.Dacl]
    needs_grant: bool
    closed: Mapping[str, str]
    files: Tuple[str, ...] = ()

    @property
    def as_wanted(self) -> bool:
        """Whether it exists and the account may change what it must."""
        return self.rights is not None and not self.needs_grant and not self.closed


@dataclass(frozen=True)
class WindowsDirectories:
    """Both directories, and the service and account that need them."""

    service: NssmService
    account: ServiceAccount
    directories: Tuple[WindowsDirectory, ...]
    seen: Mapping[str, str]  # attributes of the directories, of all above them and of what is closed in them


class PluginDirectories(Resource[WindowsDirectories]):
    """``Directory`` and ``ClientDirectory`` exist, and the service account has Modify there and in what is in them.

    The proof is the host's own list of rights, read by the rules of Windows. No file is written as the account: that
    would need its password.

    :param path: directory that the service runs in; what is relative is looked for there
    :raises OperatorError: a name or a path that cannot be one
    """

    name = "directories"

    def __init__(self, host: WindowsHost, service: str, path: str, directory: str = "", client: str = "") -> None:
        check_service_name(service)
        self._host = host
        self._service = service
        self._base = winpath.check_wanted(path, "path")
        wanted = {DIRECTORY: directory, CLIENT_DIRECTORY: client}
        self._paths = {
            setting: winpath.check_wanted(winpath.join(self._base, wanted[setting] or DEFAULTS[setting]), setting)
            for setting in wanted
        }
        self._levels = list(dict.fromkeys(level for path in self._paths.values() for level in winpath.levels(path)))
        self._icacls = icacls.Icacls(secrets.token_hex(8))
        self._named = {setting: bool(text) for setting, text in wanted.items()}
        self._account: Optional[ServiceAccount] = None
        self._output: Optional[Dict[str, str]] = None  # of the commands that changed the host

    def observe(self) -> WindowsDirectories:
        """Both directories. One round trip; the first time a second one, if only the host knows the account.

        :raises OperatorError: no such service, an account that nobody knows, a directory of Windows' own, or something
            that no grant can fix; if something must be changed: a link in the path. After a change: it was not made
        """
        answers = self._host.ask(self._questions())
        service = service_of(self._service, answers)
        if self._account is None:
            self._account = self._identify(service.account)
        account = self._account
        seen = links.attributes("links", self._levels, answers)
        found = tuple(self._directory(setting, answers, account) for setting in self._paths)
        if winpath.same(found[0].target, found[1].target):
            raise OperatorError(
                "Directory and ClientDirectory are the same directory; the server would delete plugins there when it "
                "renews their web parts",
                where=found[0].target,
                remedy=rf"set them apart, for example to {DEFAULTS[DIRECTORY]} and {DEFAULTS[CLIENT_DIRECTORY]}",
            )
        directories = self._with_kinds(WindowsDirectories(service, account, found, seen))
        differences = self.compare(directories)
        if len(differences):
            if self._output is not None:
                self._refuse_failed_change(differences, self._output)
            blockers.refuse_without_rights(service)
            differing = [directory.path for directory in directories.directories if not directory.as_wanted]
            blockers.refuse_links([level for path in differing for level in winpath.levels(path)], seen)
        return directories

    def compare(self, found: WindowsDirectories) -> Tracker:
        tracker = Tracker()
        who = found.account.grantee
        for directory in found.directories:
            name, path = f"{self.name}.{directory.target}", directory.path
            rights = directory.rights
            if rights is None:
                tracker.add(name, None, "directory", f'mkdir "{path}"')
            if directory.needs_grant:
                may = None if rights is None else _may(rights, found.account)
                tracker.add(f"{name}.rights", may, "M", icacls.grant_for_people(path, who))
            for entry, may in directory.closed.items():
                within = rf"{path}\{entry}"
                tracker.add(rf"{name}\{entry}.rights", may, "M", icacls.grant_for_people(within, who))
        return tracker

    def apply(self, found: WindowsDirectories, differences: Tracker) -> None:
        """Make and grant: a round trip for each level, one for the rights; :meth:`observe` checks the result."""
        # The record first: an interrupted run must not leave a server that nobody restarts.
        record = [("record", record_directories_restart(found.service))] if found.service.running else []
        seen, output = dict(found.seen), {}
        for levels in self._missing(found):
            steps = [
                (f"made-{number}", links.guarded(winpath.parent(path), seen, icacls.make_directory(path)))
                for number, path in enumerate(levels)
            ]
            output.update(self._host.ask_in_turns([*record, *steps, *links.questions("links", levels)]))
            seen.update(links.attributes("links", levels, output))
            record = []
        who, granted = found.account.grantee, []
        for directory in found.directories:
            granted += [directory.path] if directory.needs_grant else []
            granted += [rf"{directory.path}\{entry}" for entry in directory.closed]
        steps = [
            (f"granted-{number}", links.guarded(path, seen, icacls.grant(path, who)))
            for number, path in enumerate(granted)
        ]
        output.update(self._host.ask_in_turns([*record, *steps]))
        self._output = {name: text for name, text in output.items() if name.startswith(("made-", "granted-"))}

    def restart_reasons(self, found: WindowsDirectories, differences: Tracker) -> List[str]:
        """A server whose plugin start-up failed on the directories does not try again by itself."""
        if not found.service.running or found.service.directories_restart_is_pending:
            return []
        return [_reason(found)]

    def require_restart(self, reason: str) -> None:
        """Nothing: :meth:`apply` records it, in the same round trip."""

    def pending(self, found: WindowsDirectories) -> Pending:
        return Pending(restart=[_reason(found)]) if found.service.directories_restart_is_pending else Pending()

    def facts(self, found: WindowsDirectories) -> Dict[str, Any]:
        return {directory.setting: _facts(directory, found.account) for directory in found.directories}

    def warnings(self, found: WindowsDirectories) -> List[str]:
        """Denials for groups that the account may be in, which only Windows knows; entries that get no right."""
        known = found.account.identities
        denied = [
            f"{directory.target} denies {entry.sid} write access; if the account {found.account.name} is in that "
            f'group, it cannot write. What to do: icacls "{directory.path}" /remove:d *{entry.sid}'
            for directory in found.directories
            for entry in (directory.rights.denials(sddl.MODIFY) if directory.rights else ())
            if entry.sid not in known
        ]
        files = [
            f"{directory.target} holds files or links that the account {found.account.name} may not change: "
            f"{', '.join(map(ascii, directory.files[:5]))}. They get no right, since they may lead elsewhere. What to "
            "do: remove what no plugin needs"
            for directory in found.directories
            if directory.files
        ]
        return [*denied, *files]

    def _questions(self) -> List[Tuple[str, str]]:
        parts = [
            *questions(self._service),
            ("system", system.question()),
            *links.questions("links", self._levels),
            ("base", if_exists(self._base + "\\*")),
            *self._icacls.save("base-rights", self._base),
        ]
        for setting, path in self._paths.items():
            parts += self._look(_NAMES[setting], path)
        for setting, path in self._paths.items():  # last, since the names in it are anybody's
            parts += self._icacls.save(f"{_NAMES[setting]}-entries", path + "\\*")
        return parts

    def _look(self, name: str, path: str) -> List[Tuple[str, str]]:
        parent = winpath.parent(path)
        return [
            (f"{name}-path", f"echo {literal(path)}"),
            (f"{name}-exists", if_exists(path)),
            (f"{name}-is-directory", if_exists(path + "\\*")),
            (f"{name}-parent", if_exists(parent + "\\*")),
            *([] if winpath.same(parent, self._base) else self._icacls.save(f"{name}-above", parent)),
            *self._icacls.save(f"{name}-rights", path),
        ]

    def _missing(self, found: WindowsDirectories) -> List[List[str]]:
        """The directories to make, parents first; those of one depth together."""
        wanted = [directory.path for directory in found.directories if directory.rights is None]
        levels = [[level for level in winpath.levels(path) if not found.seen[level]] for path in wanted]
        deepest = max(map(len, levels), default=0)
        made = [[each[depth] for each in levels if depth < len(each)] for depth in range(deepest)]
        return [list(dict.fromkeys(each)) for each in made]

    def _with_kinds(self, found: WindowsDirectories) -> WindowsDirectories:
        """Directories and files among the closed entries: only directories get a right. A round trip if any."""
        paths = [rf"{directory.path}\{entry}" for directory in found.directories for entry in directory.closed]
        if not paths:
            return found
        seen = links.attributes("kinds", paths, self._host.ask_in_turns(links.questions("kinds", paths)))
        judged = []
        for directory in found.directories:
            kinds = {entry: seen[rf"{directory.path}\{entry}"] for entry in directory.closed}
            real = [entry for entry, kind in kinds.items() if kind and not links.is_link(kind)]
            closed = {entry: directory.closed[entry] for entry in real}
            files = tuple(entry for entry in kinds if entry not in closed)
            judged.append(replace(directory, closed=closed, files=files))
        return replace(found, directories=tuple(judged), seen={**seen, **found.seen})

    def _refuse_failed_change(self, left: Tracker, output: Dict[str, str]) -> None:
        raise OperatorError(
            "the host did not make the requested change",
            where=", ".join(left.names()),
            found="; ".join(dict.fromkeys(icacls.complaint(text) for text in output.values() if text))[:1000],
            remedy="run the command on the host to see more: " + next(iter(left)).action,
        )

    def _identify(self, name: str) -> ServiceAccount:
        sid = known_sid(name)
        if sid is None:
            answers = self._host.ask(self._icacls.look_up(name))
            sid = icacls.looked_up(answers["account"])
            if not sid:
                raise OperatorError(
                    f"the host does not know the account that the service {self._service} runs as",
                    where=name,
                    found=f"icacls printed: {icacls.complaint(answers['account-granted'])}",
                    remedy="where it is an account of a domain, see that the host reaches a domain controller; else "
                    f"give the service one that exists: sc config {self._service} obj= <account> password= <...>",
                )
        return ServiceAccount(name or "LocalSystem", sid)

    def _directory(self, setting: str, answers: Dict[str, str], account: ServiceAccount) -> WindowsDirectory:
        name, path = _NAMES[setting], self._paths[setting]
        target = winpath.tidy(answers[f"{name}-path"])
        option = _OPTIONS[setting] if self._named[setting] else "path"
        system.refuse(target, setting, option, answers["system"])
        if answers[f"{name}-is-directory"] != "yes":
            self._refuse_unmakeable(setting, target, answers)
            above = icacls.saved(answers.get(f"{name}-above", ""))
            if not above and winpath.is_below(path, self._base):  # its parents are made below the base, too
                above = icacls.saved(answers["base-rights"])
            inherits = any(rights.gives_below(account.identities, sddl.MODIFY) for rights in above.values())
            return WindowsDirectory(setting, path, target, None, not inherits, {})
        own = list(icacls.saved(answers[f"{name}-rights"]).values())
        if len(own) != 1:
            raise OperatorError(
                f"the access rights of {setting} cannot be read",
                where=target,
                found=f"icacls printed: {icacls.complaint(answers[f'{name}-rights-output'])}",
                remedy="connect as an account of the host's Administrators; if these were shut out, "
                rf'take it over: takeown /f "{target}" /a',
            )
        blockers.refuse_denials(setting, target, own[0], account)
        entries = icacls.saved(answers[f"{name}-entries"])
        blockers.refuse_flood(setting, target, len(entries))
        closed = {
            entry: sddl.letters(rights.mask(account.identities))
            for entry, rights in entries.items()
            if sddl.MODIFY & ~rights.mask(account.identities)
        }
        blockers.refuse_names(setting, target, closed)
        needs_grant = not own[0].gives(account.identities, sddl.MODIFY)
        return WindowsDirectory(setting, path, target, own[0], needs_grant, closed)

    def _refuse_unmakeable(self, setting: str, target: str, answers: Dict[str, str]) -> None:
        name = _NAMES[setting]
        if answers[f"{name}-exists"] == "yes":
            raise OperatorError(
                f"{setting} is not a directory",
                where=target,
                found="a file",
                remedy="move it away, or name another directory",
            )
        if answers[f"{name}-parent"] == "yes" or (
            winpath.is_below(self._paths[setting], self._base) and answers["base"] == "yes"
        ):
            return
        raise OperatorError(
            f"what should hold {setting} does not exist, and lies outside the directory of the service",
            where=winpath.parent(target),
            remedy=f"make it, or correct path (now {self._base}) or {setting}",
        )


def _may(rights: sddl.Dacl, account: ServiceAccount) -> str:
    """What the account may do, as icacls writes it; also below, where that differs."""
    here = sddl.letters(rights.mask(account.identities))
    below = [sddl.letters(rights.mask(account.identities, what)) for what in (sddl.FILES, sddl.DIRECTORIES)]
    if sddl.MODIFY & ~rights.mask(account.identities) == 0 or set(below) != {here}:
        return f"{here}, {'/'.join(dict.fromkeys(below))} for {_IN_IT}"
    return here


def _reason(found: WindowsDirectories) -> str:
    service = found.service
    pid = f" (pid {service.pid})" if service.pid else ""
    return f"{service.name}{pid} was started before its account could write in the plugin directories: restart it"


def _facts(directory: WindowsDirectory, account: ServiceAccount) -> Dict[str, Any]:
    rights = directory.rights
    return {
        "path": directory.target,
        "exists": rights is not None,
        "account": account.name,
        "sid": account.sid,
        "rights": None if rights is None else sddl.letters(rights.mask(account.identities)),
        "writable": directory.as_wanted,
    }
