# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of real servers' logs lead to their causes, in whatever format they stand in the log."""

from __future__ import annotations

import json
from typing import Callable, Dict, List, Tuple

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._audit.codes import CODES
from ansible_collections.plugops.mattermost.plugins.module_utils._log.line import (
    LogLine,
    parse_journal_line,
    parse_log_line,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._log.patterns import (
    _KNOWN,
    INTERESTING,
    UNIMPORTANT,
    deleted_plugin,
    meaning_of,
    since_last_start,
    version_in,
)

# As they stand in public issues (named with each), stacks cut off.
QUOTED: List[Tuple[str, str, str, str]] = [
    (
        "mattermost#13913",
        '{"level":"error","ts":1582016335.5964403,"caller":"app/plugin.go:151","msg":"Failed to start up plugins",'
        '"error":"mkdir ./client/plugins: no such file or directory"}',
        "working-directory-wrong",
        "",
    ),
    (
        "mattermost-docker#442",
        '{"level":"error","ts":1578633111.3925915,"caller":"mlog/log.go:174","msg":"Unable to activate plugin",'
        '"plugin_id":"com.mattermost.nps","error":"unable to generate webapp bundle: com.mattermost.nps: unable to '
        'copy webapp bundle directory: com.mattermost.nps: mkdir client/plugins/com.mattermost.nps: permission denied",'
        '"errorVerbose":"mkdir client/plugins/com.mattermost.nps: permission denied\\nunable to copy"}',
        "directory-not-writable",
        "com.mattermost.nps",
    ),
    (
        "mattermost-plugin-github#45",
        '{"level":"error","ts":1550461595.1755967,"caller":"app/plugin.go:97","msg":"Unable to activate plugin",'
        '"plugin_id":"github","error":"unable to copy webapp bundle directory: github: mkdir client/plugins/github: '
        'permission denied"}',
        "directory-not-writable",
        "github",
    ),
    (
        "mattermost-docker#457",
        '{"level":"error","ts":1584715864.5806115,"caller":"mlog/log.go:175","msg":"Unable to activate plugin",'
        '"plugin_id":"com.mattermost.voice","error":"unable to start plugin: com.mattermost.voice: fork/exec '
        'plugins/com.mattermost.voice/server/dist/plugin-linux-amd64: permission denied"}',
        "executable-not-executable",
        "com.mattermost.voice",
    ),
    (
        "mattermost#17212, from a journal",
        'Mar 19 08:33:15 mattermost[962]: {"level":"error","ts":1616142795.3456683,"caller":"mlog/log.go:232",'
        '"msg":"Unable to activate plugin","plugin_id":"com.mattermost.plugin-todo","error":"unable to start plugin: '
        'com.mattermost.plugin-todo: fork/exec plugins/com.mattermost.plugin-todo: permission denied"}',
        "executable-for-platform-missing",
        "com.mattermost.plugin-todo",
    ),
    (
        "mattermost-plugin-remind#211",
        '{"timestamp":"2022-01-05 18:17:14.304 Z","level":"error","msg":"Unable to activate plugin",'
        '"caller":"app/plugin.go:142","plugin_id":"com.github.scottleedavis.mattermost-plugin-remind","error":"unable '
        "to start plugin: com.github.scottleedavis.mattermost-plugin-remind: fork/exec plugins/com.github.scottleedavis"
        '.mattermost-plugin-remind/server/dist/plugin-linux-amd64: no such file or directory"}',
        "executable-missing",
        "com.github.scottleedavis.mattermost-plugin-remind",
    ),
    (
        "mattermost-plugin-channel-notes#2, a plain console",
        "2021-05-17T11:29:33.250+0200 error mlog/log.go:247 Unable to activate plugin "
        '{"plugin_id": "channel-notes", "error": "unable to start plugin: channel-notes: Unrecognized remote plugin '
        'message: \\n\\nThis usually means that the plugin is either invalid or simply\\nneeds to be recompiled"}',
        "plugin-died-at-start",
        "channel-notes",
    ),
    (
        "mattermost#25160, a plain console",
        "error [2023-10-26 09:53:42.056 +02:00] Unable to activate plugin                     "
        'caller="app/plugin.go:171" plugin_id=com.mattermost.plugin-starter-template '
        "bundle_path=plugins/com.mattermost.plugin-starter-template "
        'error="unable to start plugin: com.mattermost.plugin-starter-template: backend executable not found for '
        'environment: linux/amd64"',
        "executable-for-platform-missing",
        "com.mattermost.plugin-starter-template",
    ),
    (
        "mattermost#23871",
        '{"timestamp":"2023-06-26 07:11:35.789 Z","level":"error","msg":"Failed to install prepackaged plugin",'
        '"caller":"app/plugin.go:964","path":"/mattermost/prepackaged_plugins/playbooks-v1.36.1.tar.gz",'
        '"error":"Failed to install extracted prepackaged plugin: installExtractedPlugin: Unable to move plugin from '
        "temporary directory to final destination. Another plugin may be using the same directory name., mkdir "
        'plugins/playbooks: permission denied"}',
        "directory-not-writable",
        "",
    ),
]

# Message, fields, finding, plugin: what servers say, rendered below in every format. To 4.9 there are no fields.
A = "com.example.a"
TEMPORARY = "installPluginLocally: Encountered filesystem error."
SAID: List[Tuple[str, Dict[str, str], str, str]] = [
    ("Failed to start up plugins", {"error": "mkdir ./plugins: permission denied"}, "directory-not-writable", ""),
    ("Failed to start up plugins", {"error": "mkdir ./plugins: read-only file system"}, "mount-read-only", ""),
    ("Failed to start up plugins", {"error": "mkdir ./plugins: no space left on device"}, "disk-full", ""),
    ("Failed to start up plugins", {"error": "mkdir ./plugins: operation not permitted"}, "immutable", ""),
    ("Failed to start up plugins", {"error": "mkdir ./client/plugins: not a directory"}, "not-a-directory", ""),
    ("Failed to start up plugins", {"error": "something new"}, "plugin-system-off", ""),
    ("listen unix /run/mm/local.socket: bind: permission denied", {}, "socket-not-made", ""),
    (
        "Failed to sync plugins from the file store",
        {"error": "SyncPlugins: Error reading local plugins folder., open ./plugins: no such file or directory"},
        "working-directory-wrong",
        "",
    ),
    (
        "Failed to sync plugin from file store",
        {
            "plugin_id": A,
            "error": "installExtractedPlugin: Unable to install plugin. A plugin with the same ID is already installed "
            "and failed to be removed.",
        },
        "foreign-owner",
        A,
    ),
    (
        "The plugin configuration in your config.json file must be updated manually when using ReadOnlyConfig with "
        "clustering enabled.",
        {"err_where": "EnablePlugin"},
        "config-read-only-cluster",
        "",
    ),
    (
        "Failed to sync plugin from file store",
        {
            "plugin_id": A,
            "error": f"{TEMPORARY}, stat /srv: no such file or directory",
        },
        "tmpdir-not-writable",
        A,
    ),
    (
        "Failed to sync plugin from file store",
        {"error": f"{TEMPORARY}, mkdir /tmp/plugintmp10704262: read-only file system"},
        "tmpdir-not-writable",
        "",
    ),
    (
        "Failed to sync plugin from file store",
        {"error": f"{TEMPORARY}, mkdir /tmp/plugintmp1: no space left on device"},
        "disk-full",
        "",
    ),
    ("Unable to get available plugins", {"error": "open plugins: permission denied"}, "directory-not-writable", ""),
    (
        "Unable to activate plugin",
        {"plugin_id": A, "error": "unable to write webapp bundle: " + A},
        *("directory-not-writable", A),
    ),
    ("Unable to activate plugin", {"plugin_id": A, "error": "unable to read webapp bundle: " + A}, "webapp-missing", A),
    (
        "Unable to activate plugin",
        {
            "plugin_id": A,
            "error": f"unable to start plugin: {A}: unable to generate a checksum: read plugins/{A}: is a directory",
        },
        "executable-for-platform-missing",
        A,
    ),
    (
        "Unable to activate plugin",
        {
            "plugin_id": A,
            "error": f"unable to start plugin: {A}: fork/exec plugins/{A}/server/plugin: exec format error",
        },
        "wrong-architecture",
        A,
    ),
    (
        "Unable to activate plugin",
        {"plugin_id": A, "error": f"unable to start plugin: {A}: timeout while waiting for plugin to start"},
        "plugin-start-timeout",
        A,
    ),
    (
        "Unable to activate plugin",
        {"plugin_id": A, "error": f"unable to start plugin: {A}: plugin exited before we could connect"},
        "plugin-died-at-start",
        A,
    ),
    (
        "Unable to activate plugin",
        {"plugin_id": A, "error": f"plugin requires Mattermost 99.0.0: {A}"},
        "min-server-version",
        A,
    ),
    ("Unable to activate plugin", {"plugin_id": A, "error": f"multiple plugins found: {A}"}, "duplicate-plugin", A),
    ("Unable to activate plugin", {"plugin_id": A, "error": "something new"}, "plugin-start-failed", A),
    (
        "Failed to sync plugin from file store",
        {
            "bundle": f"plugins/{A}.tar.gz",
            "error": "Unable to move plugin from temporary directory to final destination. Another plugin may be "
            "using the same directory name., destination already exists",
        },
        "foreign-owner",
        "",
    ),
    (
        "Failed to sync plugin from file store",
        {
            "error": f"unable to remove old webapp bundle directory: client/plugins/{A}: unlinkat client/plugins/{A}: "
            "permission denied"
        },
        "foreign-owner",
        "",
    ),
    (
        "Failed to open plugin bundle from file store.",
        {"bundle": f"plugins/{A}.tar.gz", "error": f"open data/plugins/{A}.tar.gz: permission denied"},
        "filestore-sync-failed",
        "",
    ),
    (
        "Failed to open plugin bundle from file store.",
        {"bundle": f"{A}.tar.gz", "error": "eof"},
        "filestore-sync-failed",
        "",
    ),
    (
        "Failed to remove local installation of managed plugin before sync",
        {"plugin_id": A, "error": "directory not empty"},
        "foreign-owner",
        A,
    ),
    ("Failed to open plugin signature from file store.", {"error": "x"}, "signature-missing", ""),
    (
        "Failed to validate plugin signature",
        {"plugin_id": A, "error": "VerifyPlugin: Unable to verify plugin signature."},
        "signature-missing",
        A,
    ),
    (
        "Failed to install prepackaged plugin",
        {"path": "p/a.tar.gz", "error": "Prepackaged plugin missing required signature file"},
        "prepackaged-unsigned",
        "",
    ),
    ("Skipping sync for unmanaged plugin", {"plugin_id": A}, "unmanaged-plugin", A),
    ("Changing PluginSettings.EnableUploads is not allowed due to security reasons.", {}, "uploads-change-refused", ""),
    ("Plugins and/or plugin uploads have been disabled.", {}, "uploads-disabled", ""),
    ("Plugins have been disabled. Please check your logs for details.", {}, "plugin-system-off", ""),
    ("http: request body too large", {}, "upload-limit", ""),
    ("Unable to restart plugin on upgrade.", {}, "plugin-start-failed", ""),
    ("ExtractTarGz: unknown type: 2 in a/b", {}, "bundle-damaged", ""),
    (
        "Plugin failed to ServeHTTP, muxBroker couldn't accept connection",
        {"error": "timeout waiting for accept"},
        "plugin-hangs",
        "",
    ),
]
# To 4.9 an activation's failure stands bare.
BARE: List[Tuple[str, str, str]] = [
    (
        "failed to install prepackaged plugin: installPlugin: app.plugin.filesystem.app_error, "
        "mkdir /tmp/plugintmp1601950: permission denied",
        "tmpdir-not-writable",
        "",
    ),
    ("failed to start up plugins: mkdir ./client/plugins: no such file or directory", "working-directory-wrong", ""),
    ("failed to start up plugins: mkdir ./client/plugins: permission denied", "directory-not-writable", ""),
    ("failed to activate plugins: open ./plugins: permission denied", "directory-not-writable", ""),
    (f"unable to start plugin: {A}: timed out waiting for plugin", "plugin-start-timeout", A),
    (f"unable to start plugin: {A}: fork/exec plugins/{A}/server/plugin: exec format error", "wrong-architecture", A),
    (f"unable to read webapp bundle: {A}", "webapp-missing", A),
    (f"multiple plugins found: {A}", "duplicate-plugin", A),
    ("plugin env not initialized", "plugin-system-off", ""),
    ("Unable to find i18n directory", "working-directory-wrong", ""),
]
SYSTEMD = [
    (
        "mattermost.service: Changing to the requested working directory failed: No such file",
        "working-directory-missing",
    ),
    (
        "mattermost.service: Failed at step CHDIR spawning /opt/mattermost/bin/mattermost: No such file",
        "working-directory-missing",
    ),
    ("mattermost.service: Failed to determine user credentials: No such process", "account-missing"),
    ("mattermost.service: Failed to set up mount namespacing: /srv/x: No such file or directory", "sandbox-failed"),
]
HEALTHY = [
    '{"level":"info","ts":1582016335.589,"caller":"mlog/log.go:166","msg":"Starting up plugins"}',
    '{"level":"info","ts":1582016335.5,"caller":"a.go:1","msg":"Current version is 5.19.1 (5.19.1/Thu/x/y)"}',
    '{"level":"info","ts":1582016335.5,"caller":"x.go:1","msg":"Syncing plugins from the file store"}',
    '{"level":"debug","ts":1582016335.5,"caller":"x.go:1","msg":"Received HTTP request","url":"/a/v4/plugins/webapp"}',
    "[2018/01/04 14:20:35 UTC] [INFO] Activated com.example.a plugin",
    "2021-05-17T11:29:33.250+0200 info mlog/log.go:247 Starting up plugins",
]


def as_text(message: str, fields: Dict[str, str]) -> str:
    error = fields.get("error", "")
    plugin = f" plugin_id={fields['plugin_id']}" if "plugin_id" in fields else ""
    return f"[2018/01/04 14:20:35 UTC] [EROR] {message}{': ' + error if error else ''}{plugin}"


def as_zap(message: str, fields: Dict[str, str]) -> str:
    return json.dumps({"level": "error", "ts": 1515075635.25, "caller": "app/plugin.go:1", "msg": message, **fields})


def as_logr(message: str, fields: Dict[str, str]) -> str:
    start = {"timestamp": "2018-01-04 15:20:35.250 +01:00", "level": "error", "msg": message, "caller": "app/p.go:1"}
    return json.dumps({**start, **fields})


def as_zap_console(message: str, fields: Dict[str, str]) -> str:
    return f"2018-01-04T14:20:35.250Z\terror\tapp/plugin.go:1\t{message}\t{json.dumps(fields)}"


def as_logr_console(message: str, fields: Dict[str, str]) -> str:
    pairs = "".join(f" {name}={json.dumps(value)}" for name, value in fields.items())
    return f'error [2018-01-04 14:20:35.250 Z] {message:40} caller="app/plugin.go:1"{pairs}'


FORMATS: List[Callable[[str, Dict[str, str]], str]] = [as_text, as_zap, as_logr, as_zap_console, as_logr_console]


def told(line: LogLine) -> Tuple[str, str]:
    meaning = meaning_of(line)
    assert meaning is not None, line
    assert meaning.code in CODES
    return meaning.code, meaning.plugin_id


@pytest.mark.parametrize(("line", "code", "plugin_id"), [case[1:] for case in QUOTED], ids=[case[0] for case in QUOTED])
def test_lines_of_public_issues(line: str, code: str, plugin_id: str) -> None:
    assert told(parse_log_line(line)) == (code, plugin_id)
    assert INTERESTING.search(line.encode())


@pytest.mark.parametrize("written", FORMATS, ids=[form.__name__ for form in FORMATS])
@pytest.mark.parametrize(
    ("message", "fields", "code", "plugin_id"), SAID, ids=[f"{case[2]}-{number}" for number, case in enumerate(SAID)]
)
def test_every_known_line_in_every_format(
    message: str, fields: Dict[str, str], code: str, plugin_id: str, written: Callable[[str, Dict[str, str]], str]
) -> None:
    line = written(message, fields)
    found = parse_log_line(line)
    assert told(found) == (code, plugin_id)
    assert int(found.time or 0) == 1515075635
    assert found.level == "error"
    assert INTERESTING.search(line.encode())
    assert not UNIMPORTANT.match(line.encode())
    behind_a_journal = parse_journal_line(f"1515075700.5 app1 mattermost[962]: {line}")
    assert (told(behind_a_journal), behind_a_journal.time) == ((code, plugin_id), 1515075700.5)


@pytest.mark.parametrize(("line", "code", "plugin_id"), BARE)
def test_bare_lines_of_old_servers(line: str, code: str, plugin_id: str) -> None:
    assert told(parse_log_line(f"[2018/01/04 14:20:35 UTC] [EROR] {line}")) == (code, plugin_id)
    assert INTERESTING.search(line.encode())


@pytest.mark.parametrize(("line", "code"), SYSTEMD)
def test_lines_of_systemd(line: str, code: str) -> None:
    assert told(parse_journal_line(f"1515075635.25 app1 systemd[1]: {line}")) == (code, "")
    assert INTERESTING.search(line.encode())


@pytest.mark.parametrize("line", HEALTHY)
def test_what_a_healthy_server_says_means_nothing(line: str) -> None:
    assert meaning_of(parse_log_line(line)) is None


def test_every_pattern_has_a_line() -> None:
    lines = (
        [parse_log_line(case[1]).text for case in QUOTED] + [case[0] for case in BARE] + [case[0] for case in SYSTEMD]
    )
    lines += [parse_log_line(as_zap(message, fields)).text for message, fields, _, _ in SAID]
    lines += list(OTHER)
    first = {next(known for known in _KNOWN if known.found_in(line)) for line in lines}
    assert [known for known in _KNOWN if known not in first] == []


OTHER: Dict[str, str] = {
    'unable to start plugin: a: failed to parse MinServerVersion "x"': "min-server-version",
    "unable to start plugin: a: unable to generate plugin checksum: open p: no such file or directory": (
        "executable-missing"
    ),
    "unable to start plugin: a: unable to generate plugin checksum: what": "executable-for-platform-missing",
    "unable to start plugin: must at least have a web app or server component": "manifest-unreadable",
    "unable to copy webapp bundle directory: a: lstat plugins/a/webapp: no such file or directory": "webapp-missing",
    "ent.cluster.save_config.error": "config-read-only-cluster",
    "api.plugin.install.directory_conflict.app_error": "import-directory-conflict",
    "Failed to restart plugin": "plugin-crashes",
}


@pytest.mark.parametrize(("line", "code"), OTHER.items())
def test_other_lines(line: str, code: str) -> None:
    assert told(LogLine(None, "error", line))[0] == code
    assert INTERESTING.search(line.encode())


def test_causes_are_codes() -> None:
    named = {code for known in _KNOWN for code in (known.code, *known.causes)}
    assert named - set(CODES) == set()


def test_a_start_hides_what_came_before_it() -> None:
    lines = [
        LogLine(1.0, "error", "Failed to start up plugins: mkdir ./plugins: permission denied"),
        LogLine(2.0, "info", "Server is initializing..."),
        LogLine(3.0, "info", "Current version is 9.10.0 (9.10.0/x/y/z)"),
    ]
    assert since_last_start(lines) == lines[1:]
    assert version_in(lines) == "9.10.0"
    assert since_last_start(lines[:1]) == lines[:1]


def test_a_plugin_that_the_server_removes_is_named() -> None:
    line = parse_log_line(as_logr("Removing local installation of managed plugin before sync", {"plugin_id": A}))
    assert deleted_plugin(line) == A
    assert deleted_plugin(LogLine(None, "info", "Starting up plugins")) == ""
