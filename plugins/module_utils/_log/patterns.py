# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a known line of a server's log means: the finding it is, and the causes on the node that explain it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Match, Optional, Tuple

from .line import LONGEST_TEXT, LogLine

# What an error of the kernel may come from, by its words.
_ELSEWHERE = ("working-directory-wrong", "process-elsewhere", "restart-owed")
_NOT_OURS = ("directory-outside", "system-directory", "untrusted-link")
_MISSING = ("directory-missing", "parent-missing", "sandbox-hidden", "not-a-directory")
_NO_SUCH: Tuple[str, ...] = (*_MISSING, *_NOT_OURS, *_ELSEWHERE)
_KEPT_OUT = ("parent-not-searchable", "acl", "selinux-label", "content-closed")
_DENIED: Tuple[str, ...] = (
    *("directory-not-writable", "foreign-owner", "not-writable", "sandbox-hidden", "process-user", "directory-missing"),
    *_KEPT_OUT,
    *_NOT_OURS,
    *_ELSEWHERE,
)
_READ_ONLY: Tuple[str, ...] = ("mount-read-only", "sandbox-read-only", *_ELSEWHERE)
_FULL = ("disk-full", "inodes-full")
_NOT_PERMITTED = ("immutable", "append-only", "restart-owed")
_EXEC_DENIED: Tuple[str, ...] = ("mount-noexec", "sandbox-noexec", *_KEPT_OUT)
_PATH = r"(?P<path>[^\s:,\"]+)"
_ID = r"(?P<id>[\w.-]+)"
# Of the system or of Go: mkdir, unlinkat, fstatat, openfdat …
_CALL = r"\b[a-z]\w*(?:/exec)?"


@dataclass(frozen=True)
class Meaning:
    """What a line means.

    :param code: of the finding where nothing on the node explains the line
    :param causes: codes of findings that would explain it
    :param path: as the line has it, perhaps relative to the server's directory; empty where it names none
    :param plugin_id: empty where it names none
    """

    code: str
    causes: Tuple[str, ...] = ()
    path: str = ""
    plugin_id: str = ""


@dataclass(frozen=True)
class _Known:
    """A known line.

    :param pattern: compiled when it is first looked for; nothing in it runs over white space, so that the time to
        search a text grows with its length alone
    :param after: what is somewhere before it in the text; a gap within a pattern would be searched again and again
    """

    pattern: str
    code: str
    causes: Tuple[str, ...] = ()
    after: str = ""

    def found_in(self, text: str) -> Optional[Match[str]]:
        start = 0
        if self.after:
            before = re.search(self.after, text)
            if before is None:
                return None
            start = before.end()
        return re.compile(self.pattern).search(text, start)


def _known(pattern: str, code: str, *causes: str, after: str = "") -> _Known:
    return _Known(pattern, code, causes, after)


# The first that fits counts: what names its cause is before what does not.
_KNOWN: Tuple[_Known, ...] = (
    # what a server without a fault logs, too, of each plugin at every start
    _known(r"Skipping sync for unmanaged plugin", "unmanaged-plugin"),
    # a plugin's process
    _known(rf"requires Mattermost [\w.-]+: {_ID}", "min-server-version"),
    _known(r"failed to parse MinServerVersion", "min-server-version", "manifest-unreadable"),
    _known(rf"multiple plugins found: {_ID}", "duplicate-plugin", "misnamed-directory"),
    _known(r"backend executable not found for environment", "executable-for-platform-missing"),
    _known(rf"{_CALL} {_PATH}: is a directory", "executable-for-platform-missing", after="checksum"),
    _known(  # the path ends at the plugin's directory
        rf"start plugin: {_ID}: fork/exec (?P<path>(?:\S*/)?(?P=id)/?): permission denied",
        "executable-for-platform-missing",
    ),
    _known(rf"fork/exec {_PATH}: permission denied", "executable-not-executable", *_EXEC_DENIED),
    _known(rf"fork/exec {_PATH}: exec format error", "wrong-architecture"),
    _known(rf"fork/exec {_PATH}: no such file or directory", "executable-missing", "loader-missing"),
    _known(r"no such file", "executable-missing", after=r"generate (?:a |plugin )?checksum"),
    _known(r"generate (?:a |plugin )?checksum", "executable-for-platform-missing", "executable-missing"),
    _known(r"timed out waiting for plugin|timeout while waiting for plugin", "plugin-start-timeout"),
    _known(
        r"Unrecognized remote plugin message|plugin exited before we could connect",
        "plugin-died-at-start",
        "tmpdir-not-writable",
        "loader-missing",
        "wrong-architecture",
        "executable-not-executable",
        *_FULL,
    ),
    _known(r"must at least have a web app or server component|invalid webapp bundle path", "manifest-unreadable"),
    _known(r"unable to read webapp bundle: " + _ID, "webapp-missing", "misnamed-directory"),
    _known(rf": \w+ {_PATH}: no such file", "webapp-missing", "misnamed-directory", *_NO_SUCH, after="webapp bundle"),
    _known(
        rf"open {_PATH}: permission denied",
        "filestore-sync-failed",
        *_DENIED,
        after="plugin bundle from file store",
    ),
    # errors of the kernel
    _known(rf"(?:{_CALL} {_PATH}: )?no space left on device|disk quota exceeded", "disk-full", *_FULL),
    _known(  # where a bundle is unpacked first
        r"filesystem(?: error\.?|\.app_error), (?:stat|mkdir) (?P<path>\S+?)(?:/plugintmp\d+)?: ", "tmpdir-not-writable"
    ),
    _known(
        rf"(?:listen unix|local socket file directory\., stat) {_PATH}: ",
        "socket-not-made",
        "socket-hidden",
        "socket-foreign",
        *_FULL,
    ),
    _known(rf"{_CALL} {_PATH}: read-only file system", "mount-read-only", *_READ_ONLY),
    _known(rf"unlinkat {_PATH}: permission denied", "foreign-owner", *_DENIED),
    _known(rf"{_CALL} {_PATH}: permission denied", "directory-not-writable", *_DENIED),
    _known(rf"{_CALL} {_PATH}: operation not permitted", "immutable", *_NOT_PERMITTED),
    _known(rf"{_CALL} {_PATH}: not a directory", "not-a-directory"),
    _known(r"unable to write webapp bundle: " + _ID, "directory-not-writable", *_DENIED, *_READ_ONLY, *_FULL),
    _known(
        rf"{_CALL} {_PATH}: no such file or directory",
        "working-directory-wrong",
        *_NO_SUCH,
        after=r"ailed to start up plugins|ailed to activate plugins|get available plugins|list available plugins"
        r"|reading local plugins folder",
    ),
    _known(r"Unable to find i18n directory", "working-directory-wrong", *_NO_SUCH),
    # the file store
    _known(r"Prepackaged plugin missing required signature|Prepackaged plugin signature verif", "prepackaged-unsigned"),
    _known(
        r"Failed to validate plugin signature|Unable to verify plugin signature|Failed to open plugin signature",
        "signature-missing",
        "signature-key-missing",
    ),
    _known(
        r"destination already exists|Failed to remove local installation of managed plugin|directory not empty"
        r"|already installed and failed to be removed",
        "foreign-owner",
        *_DENIED,
        *_READ_ONLY,
        *_NOT_PERMITTED,
    ),
    _known(r"ExtractTarGz|Unable to find manifest|gzip: invalid header|unexpected EOF", "bundle-damaged"),
    _known(
        r"Failed to sync plugin|Failed to open plugin bundle from file store|Failed to (?:install|unpack) prepackaged",
        "filestore-sync-failed",
        "bundle-damaged",
        *_DENIED,
        *_FULL,
        *_READ_ONLY,
    ),
    # settings and uploads
    _known(r"not_allowed_security|EnableUploads is not allowed due to security", "uploads-change-refused"),
    _known(r"lugins and/or plugin uploads have been disabled|upload_disabled", "uploads-disabled", "plugins-disabled"),
    _known(
        r"save_config\.error|set to read-only when High Availability|when using ReadOnlyConfig"
        r"|Failed to update config$",
        "config-read-only-cluster",
    ),
    _known(r"request body too large|file_too_large|Uploaded plugin size exceeds limit", "upload-limit"),
    _known(r"install\.directory_conflict", "import-directory-conflict"),
    # a running plugin
    _known(r"Deactivating plugin due to multiple crashes|Failed to restart plugin", "plugin-crashes"),
    _known(r"failed to ServeHTTP|timeout waiting for accept", "plugin-hangs", "plugin-crashes"),
    # systemd's own lines
    _known(
        r"Changing to the requested working directory failed|step CHDIR spawning|status=200/CHDIR",
        "working-directory-missing",
        "working-directory-wrong",
        "sandbox-hidden",
        "not-a-directory",
    ),
    _known(r"step USER spawning|Failed to determine user credentials|status=217/USER", "account-missing"),
    _known(r"Failed to set up mount namespacing|step NAMESPACE spawning|status=226/NAMESPACE", "sandbox-failed"),
    # what names no cause
    _known(
        r"ailed to start up plugins|plugin env not initialized|lugins have been disabled\. Please check your logs",
        "plugin-system-off",
        "plugins-disabled",
        *_NO_SUCH,
        *_DENIED,
        *_READ_ONLY,
        *_NOT_PERMITTED,
        *_FULL,
    ),
    _known(
        r"Unable to activate plugin|Plugin failed to activate|failed to activate plugins?\b|unable to start plugin"
        r"|Unable to restart plugin",
        "plugin-start-failed",
        "manifest-unreadable",
    ),
)
_ID_IN_TEXT = re.compile(
    r"(?:unable to start plugin|generate webapp bundle|copy webapp bundle directory|read webapp bundle"
    r"|write webapp bundle): ([\w.-]+)"
)
_DELETED = "Removing local installation of managed plugin before sync"
_VERSION = re.compile(r"Current version is v?(\d+\.\d+\.\d+)")
_START = re.compile(r"Server is initializing|systemd\[1\]: Starting |\AStarting \S.{0,300}\.\.\.\Z")

# Words of which one is in every line that could matter, looked for before a line is parsed. A server that writes
# every request into its log names plugins in most lines: the word alone would not do.
INTERESTING = re.compile(
    rb"start up plugins|tart plugin|ctivate plugin|available plugins|restart plugin|eactivating plugin"
    rb"|multiple plugins|sync plugin|for unmanaged plugin|of managed plugin|plugin signature|plugin bundle"
    rb"|prepackaged plugin|webapp bundle|remote plugin message|plugin env not|waiting for plugin|plugin exited"
    rb"|failed to ServeHTTP|waiting for accept"
    rb"|have been disabled|not_allowed|not allowed due to security|upload_disabled|requires Mattermost|MinServerVersion"
    rb"|executable not found|plugin checksum|generate a checksum|fork/exec|mkdir |unlinkat |installExtracted"
    rb"|i18n directory|body too large|file_too_large|size exceeds limit|save_config|set to read-only|no space left"
    rb"|quota exceeded|Current version is|Server is initializing|spawning|working directory failed|status=2|namespacing"
    rb"|user credentials|listen unix|local socket|directory_conflict|update config|ExtractTarGz|find manifest"
    rb"|using ReadOnlyConfig"
)
_MATTERS_AT_DEBUG = re.compile(r"Deactivating plugin|due to security")  # though servers log it at level debug
# Lines below the level info. Of a line whose end is cut: its level is near its beginning.
UNIMPORTANT = re.compile(
    rb'(?!.{0,4096}(?:Deactivating plugin|due to security)).{0,4096}(?:"level": ?"(?:debug|trace)"|\[DEBG\]|\tdebug\t)'
    rb"|debug {1,20}\["
)


def meaning_of(line: LogLine) -> Optional[Meaning]:
    """What the line means; None if it is not known to mean anything wrong."""
    text = line.text[:LONGEST_TEXT]
    if line.level in ("debug", "trace") and not _MATTERS_AT_DEBUG.search(text):
        return None
    # The patterns are spared most lines of a journal, and what every start logs.
    if not INTERESTING.search(text.encode("utf-8", "replace")) or _says_start(line):
        return None
    for known in _KNOWN:
        match = known.found_in(text)
        if match:
            named = match.groupdict()
            return Meaning(known.code, known.causes, named.get("path") or "", _plugin(line, named.get("id") or ""))
    return None


def deleted_plugin(line: LogLine) -> str:
    """The id of a plugin that the server removes, by the line, before it reads its file store."""
    return line.plugin_id if _DELETED in line.text else ""


def version_in(lines: List[LogLine]) -> str:
    """The version that the server logs at its start; empty if it does not."""
    found = [match.group(1) for match in (_VERSION.search(line.text) for line in lines) if match]
    return found[-1] if found else ""


def _says_start(line: LogLine) -> bool:
    return bool(_VERSION.search(line.text) or _START.search(line.text))


def since_last_start(lines: List[LogLine]) -> List[LogLine]:
    """The lines from the server's last start on; all of them where none of them is one."""
    starts = [number for number, line in enumerate(lines) if _START.search(line.text)]
    return lines[starts[-1] :] if starts else lines


def _plugin(line: LogLine, named: str) -> str:
    if line.plugin_id or named:
        return (line.plugin_id or named).lower()
    match = _ID_IN_TEXT.search(line.text)
    return match.group(1).rstrip(":").lower() if match else ""
