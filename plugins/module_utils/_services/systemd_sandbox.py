# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a unit's sandboxing (systemd.exec(5)) leaves its service of a path."""

from __future__ import annotations

import posixpath
import shlex
from dataclasses import dataclass
from typing import Callable, List, Mapping, Optional, Tuple

from .._core.blocker import SANDBOX_HIDDEN, SANDBOX_NOEXEC, SANDBOX_OTHER_ROOT, SANDBOX_READ_ONLY, Blocker

# What systemd mounts for its two shorthands; more specific paths win over less specific ones.
_SYSTEM = {
    "yes": ("/usr", "/boot", "/efi"),
    "full": ("/usr", "/boot", "/efi", "/etc"),
    "strict": ("/",),
}
_SYSTEM_STRICT_EXCEPT = ("/proc", "/sys", "/dev", "/home", "/root", "/run/user")  # ProtectHome= has its own rule
_HOME = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - what PrivateTmp= replaces
# Directories that systemd makes for the service and keeps writable.
_OWN = {
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
    "RuntimeDirectory": "/run",
}

READ_ONLY, WRITABLE, HIDDEN, SHOWN, NOEXEC, EXEC = "read-only", "writable", "hidden", "shown", "noexec", "exec"
Resolve = Callable[[str], str]


@dataclass(frozen=True)
class _Rule:
    """One path and what it is made; ``setting`` as the operator finds it in the unit.

    :param final: nothing below it can be had back
    """

    path: str
    effect: str
    setting: str
    final: bool = False


def sandbox_blockers(
    path: str, sandbox: Mapping[str, str], unit: str, must_execute: bool, resolve: Resolve = posixpath.normpath
) -> List[Blocker]:
    """What keeps a service from writing to, or executing in, a host path without links.

    :param sandbox: the unit's settings as ``systemctl show`` words them, lists joined by spaces
    :param unit: the unit's name, for evidence and remedy
    :param must_execute: programs are started from there
    :param resolve: follows the links of the paths that the settings name, as systemd does
    """
    other_root = _other_root(path, sandbox, unit)
    if other_root:
        return [other_root]
    rules = _rules(sandbox, resolve)
    hidden = _hidden_by(path, rules)
    if hidden:
        return [_hidden(path, hidden, unit)]
    blockers = []
    # Where the same path is made both, systemd lets the forbidding setting win.
    read_only = _deciding(path, rules, (WRITABLE, READ_ONLY))
    if read_only and read_only.effect == READ_ONLY:
        blockers.append(
            Blocker(
                SANDBOX_READ_ONLY,
                path,
                f"{read_only.setting} in {unit} makes it read-only for the service",
                _remedy(path, read_only, unit, f"ReadWritePaths={path}"),
            )
        )
    noexec = _deciding(path, rules, (EXEC, NOEXEC)) if must_execute else None
    if noexec and noexec.effect == NOEXEC:
        blockers.append(
            Blocker(
                SANDBOX_NOEXEC,
                path,
                f"{noexec.setting} in {unit} forbids to execute there, no plugin with a server part can start",
                _remedy(path, noexec, unit, f"ExecPaths={path}"),
            )
        )
    return blockers


def _rules(sandbox: Mapping[str, str], resolve: Resolve) -> List[_Rule]:
    rules = _system_rules(sandbox) + _home_rules(sandbox)
    if has_own_tmp(sandbox) or _is_true(sandbox.get("DynamicUser", "")):
        rules += [_Rule(path, HIDDEN, f"PrivateTmp={sandbox.get('PrivateTmp') or 'yes'}") for path in _TEMPORARY]
    for setting, parent in _OWN.items():
        names = [word.split(":", 1)[0] for word in sandbox.get(setting, "").split()]
        rules += [_Rule(posixpath.join(parent, name), WRITABLE, f"{setting}={name}") for name in names]
    for setting, effect in (
        ("ReadWritePaths", WRITABLE),
        ("ReadOnlyPaths", READ_ONLY),
        ("ExecPaths", EXEC),
        ("NoExecPaths", NOEXEC),
    ):
        rules += [_Rule(resolve(path), effect, f"{setting}={path}") for path in _paths(sandbox, setting)]
    for path in _paths(sandbox, "InaccessiblePaths"):
        rules.append(_Rule(resolve(path), HIDDEN, f"InaccessiblePaths={path}", final=True))
    for path in _paths(sandbox, "TemporaryFileSystem"):
        rules.append(_Rule(resolve(path.split(":", 1)[0]), HIDDEN, f"TemporaryFileSystem={path}"))
    return rules + _bind_rules(sandbox, resolve)


def _system_rules(sandbox: Mapping[str, str]) -> List[_Rule]:
    level = sandbox.get("ProtectSystem", "").lower()
    level = "yes" if _is_true(level) else level
    setting = f"ProtectSystem={level}"
    if _is_true(sandbox.get("DynamicUser", "")):
        level, setting = "strict", "DynamicUser=yes"
    rules = [_Rule(path, READ_ONLY, setting) for path in _SYSTEM.get(level, ())]
    if level == "strict":
        rules += [_Rule(path, WRITABLE, setting) for path in _SYSTEM_STRICT_EXCEPT]
    return rules


def _home_rules(sandbox: Mapping[str, str]) -> List[_Rule]:
    level = sandbox.get("ProtectHome", "").lower()
    if _is_false(level) and _is_true(sandbox.get("DynamicUser", "")):
        return [_Rule(path, READ_ONLY, "DynamicUser=yes") for path in _HOME]
    setting = f"ProtectHome={level}"
    if _is_true(level):
        return [_Rule(path, HIDDEN, setting, final=True) for path in _HOME]
    if level == "tmpfs":
        return [_Rule(path, HIDDEN, setting) for path in _HOME]
    return [_Rule(path, READ_ONLY, setting) for path in _HOME] if level == "read-only" else []


def _bind_rules(sandbox: Mapping[str, str], resolve: Resolve) -> List[_Rule]:
    rules = []
    for setting, effect in (("BindPaths", WRITABLE), ("BindReadOnlyPaths", READ_ONLY)):
        for word in sandbox.get(setting, "").split():
            parts = word.lstrip("-+").split(":")
            source = resolve(parts[0])
            target = resolve(parts[1]) if len(parts) > 1 and parts[1] else source
            words = f"{setting}={word}"
            if source == target:
                rules += [_Rule(target, SHOWN, words), _Rule(target, effect, words)]
            else:
                rules.append(_Rule(target, HIDDEN, words))  # another directory of the host is seen there
    return rules


def _deciding(path: str, rules: List[_Rule], effects: Tuple[str, str]) -> Optional[_Rule]:
    """The rule with the longest path that holds; of several with the same path one of the second effect."""
    holding = [rule for rule in rules if rule.effect in effects and _holds(rule, path)]
    return max(holding, key=lambda rule: (len(rule.path), rule.effect == effects[1]), default=None)


def _hidden_by(path: str, rules: List[_Rule]) -> Optional[_Rule]:
    final = [rule for rule in rules if rule.final and _holds(rule, path)]
    if final:
        return final[0]
    rule = _deciding(path, rules, (HIDDEN, SHOWN))  # a bind mount on the same path wins over an empty one
    return rule if rule and rule.effect == HIDDEN else None


def _holds(rule: _Rule, path: str) -> bool:
    return rule.path in ("/", path) or path.startswith(rule.path + "/")


def _paths(sandbox: Mapping[str, str], setting: str) -> List[str]:
    # "-": may be missing; "+": below RootDirectory=
    return [word.lstrip("-+") for word in sandbox.get(setting, "").split()]


def has_own_tmp(sandbox: Mapping[str, str]) -> bool:
    """Whether systemd gives the service a /tmp and a /var/tmp of its own."""
    return not _is_false(sandbox.get("PrivateTmp", ""))


def _is_true(value: str) -> bool:
    return value.lower() in ("yes", "true", "1", "on", "y", "t")


def _is_false(value: str) -> bool:
    return value.lower() in ("", "no", "false", "0", "off", "n", "f")


def _other_root(path: str, sandbox: Mapping[str, str], unit: str) -> Optional[Blocker]:
    for setting in ("RootDirectory", "RootImage"):
        value = sandbox.get(setting, "")
        if value and value != "/":
            return Blocker(
                SANDBOX_OTHER_ROOT,
                path,
                f"{setting}={value} in {unit} gives the service another root, so it does not see this path of the host",
                f"make sure that {path} of the host is what the service sees there (BindPaths=)",
                fatal=False,
            )
    return None


def _hidden(path: str, rule: _Rule, unit: str) -> Blocker:
    if rule.final:
        setting, _separator, value = rule.setting.partition("=")
        change = "set ProtectHome=no" if setting == "ProtectHome" else f"remove {value} from {setting}="
        remedy = f"{change} in {unit}, or set the directory to another path"
    else:
        remedy = _remedy(path, rule, unit, f"BindPaths={path}")
    return Blocker(SANDBOX_HIDDEN, path, f"{rule.setting} in {unit} hides it from the service", remedy)


def _remedy(path: str, rule: _Rule, unit: str, line: str) -> str:
    if rule.path == path:  # a line that allows the same path would lose
        return f"remove {rule.setting} from {unit}"
    return f"add the line {line} to [Service] of a drop-in (systemctl edit {shlex.quote(unit)})"
