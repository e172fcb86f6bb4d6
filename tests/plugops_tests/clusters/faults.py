# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault of an app server that a Linux machine can have, how it is made, and what an audit has to find."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import FrozenSet, List, Tuple

from plugops_tests.support.bundles import SERVER_EXECUTABLE

FUNCTIONS = Path(__file__).with_name("faults.sh")
NAMED = "/srv/none/plugins"  # the operator allows it; it does not exist
_SERVER_SCRIPT = f"server_part $A {SERVER_EXECUTABLE}"
SERVER_PART = f"$PL/$A/{SERVER_EXECUTABLE}"
# A header for a processor that the tests do not run on, and one with a loader that no machine has.
_ELF = """python3 -c "
import struct, sys
out = b'\\x7fELF\\x02\\x01\\x01' + bytes(9)
out += struct.pack('<HHIQQQIHHHHHH', 2, {machine}, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
out += struct.pack('<IIQQQQQQ', 3, 4, 120, 0, 0, {length}, {length}, 1) + b'/lib/ld-none.so' + bytes(9)
sys.stdout.buffer.write(out)" """


@dataclass(frozen=True)
class Fault:
    """One fault.

    :param script: makes it; runs with the functions of faults.sh
    :param codes: what an audit must find, errors and warnings, and no other
    :param notes: likewise notes, besides those of a healthy app server
    """

    name: str
    script: str
    codes: FrozenSet[str]
    notes: FrozenSet[str] = frozenset()


def _fault(name: str, script: str, *codes: str, notes: Tuple[str, ...] = ()) -> Fault:
    found = codes if codes or name in notes else (name,)
    return Fault(name, script, frozenset(found), frozenset(notes))


FAULTS: List[Fault] = [
    # settings
    _fault("plugins-disabled", "conf PluginSettings Enable false; again"),
    _fault(
        "environment-override",
        "drop_in Environment=MM_PLUGINSETTINGS_ENABLEUPLOADS=false; again",
        "environment-override",
        notes=("uploads-disabled",),
    ),
    _fault(
        "config-file-ignored",
        "cp -p $P/config/config.json /etc/mattermost-fault.json; "
        "drop_in Environment=MM_CONFIG=/etc/mattermost-fault.json; again",
        notes=("config-file-ignored",),
    ),
    _fault("config-unreadable", "touch $KEPT/restarted; echo '{' >$P/config/config.json"),
    _fault(
        "relative-directory",
        "conf PluginSettings Directory '\"../mattermost/plugins\"'; again",
        notes=("relative-directory",),
    ),
    _fault("upload-limit", "conf FileSettings MaxFileSize 10; again"),
    _fault(
        "upload-limit-of-proxy",
        "mkdir -p /etc/nginx/sites-enabled; printf '%s\\n' 'server { client_max_body_size 10;' "
        "'location / { proxy_pass http://127.0.0.1:8065; } }' >/etc/nginx/sites-enabled/fault",
        "upload-limit",
    ),
    _fault("import-directory-conflict", "conf ImportSettings Directory '\"./plugins\"'"),
    _fault(
        "directories-identical",
        "systemctl stop mattermost; touch $KEPT/restarted; conf PluginSettings ClientDirectory '\"./plugins\"'",
        "directories-identical",
        "service-not-running",
        notes=("relative-directory",),
    ),
    # directories
    _fault("directory-missing", "rm -rf $CL"),
    _fault("directory-not-writable", "chown root $PL"),
    _fault("foreign-owner", "chown -R root $PL/$B"),
    _fault("content-closed", "chmod u-w $PL/$B"),
    _fault("parent-not-searchable", "chmod o-x /opt"),
    _fault("acl", "setfacl -m u:mattermost:--- /opt"),
    _fault("parent-missing", f"conf PluginSettings ClientDirectory '\"{NAMED}\"'; again"),
    _fault(
        "directory-outside",
        "conf PluginSettings ClientDirectory '\"/srv/other/plugins\"'; again",
        *("directory-outside", "not-ensurable", "plugin-system-off"),
    ),
    _fault(
        "untrusted-link",
        "mv $CL /srv/linked; ln -s /srv/linked $CL; chown -h mattermost: $CL",
        *("untrusted-link", "not-ensurable"),
    ),
    _fault("not-a-directory", "rm -rf $CL; touch $CL"),
    _fault("mount-read-only", "mount --bind $PL $PL; mount -o remount,bind,ro $PL"),
    _fault("mount-noexec", "mount --bind $PL $PL; mount -o remount,bind,noexec $PL"),
    _fault("immutable", "chattr +i $PL"),
    _fault("append-only", "chattr +a $CL"),
    _fault("sandbox-read-only", "drop_in ReadOnlyPaths=$PL; again"),
    _fault("sandbox-hidden", "drop_in InaccessiblePaths=$CL; again"),
    _fault("sandbox-noexec", "drop_in NoExecPaths=$PL; again"),
    _fault(
        "protect-system",
        "drop_in ProtectSystem=strict ReadWritePaths=$P/data ReadWritePaths=$P/logs "
        "ReadWritePaths=$P/config ReadWritePaths=$CL; again",
        "sandbox-read-only",
        "tmpdir-not-writable",
        "socket-hidden",
    ),
    _fault("disk-full", "small $PL size=2M"),
    _fault("inodes-full", "small $PL size=100M,nr_inodes=200"),
    # service
    _fault("service-not-running", "systemctl stop mattermost; touch $KEPT/restarted"),
    _fault(
        "unit-unusable",
        "cp -p $UNIT $KEPT/unit; sed -i '/^User=/i WorkingDirectory=opt/mattermost' $UNIT; systemctl daemon-reload",
    ),
    _fault("drop-in-ignored", "drop_in WorkingDirectory=opt/mattermost; systemctl daemon-reload"),
    _fault(
        "sandbox-other-root",
        "drop_in RootDirectory=/srv; systemctl daemon-reload",
        "working-directory-missing",
        notes=("sandbox-other-root",),
    ),
    _fault(
        "start-fails",  # and is tried again later
        "drop_in ExecStartPre=/bin/false RestartSec=60; again",
        "service-not-running",
    ),
    _fault(
        "start-fails-at-once",  # and is tried again, for ever
        "drop_in ExecStart= ExecStart=/bin/false RestartSec=0 '[Unit]' StartLimitIntervalSec=0; again",
        "service-not-running",
    ),
    _fault("unit-not-reloaded", "drop_in Environment=A=b"),
    _fault("account-missing", "drop_in User=nobody-there; systemctl daemon-reload"),
    _fault(
        "working-directory-wrong",
        "drop_in WorkingDirectory=$P/bin; again",
        "working-directory-wrong",
        "leftovers-in-bin",
    ),
    _fault(
        "working-directory-missing",
        "drop_in WorkingDirectory=/srv/none; again",
        "working-directory-wrong",
        "service-not-running",
    ),
    _fault("process-elsewhere", "drop_in WorkingDirectory=/srv; again; rm $DROP_IN; systemctl daemon-reload"),
    _fault(
        "process-user",
        "drop_in User=root; again; rm $DROP_IN; systemctl daemon-reload",
        "process-user",
        "foreign-owner",
    ),
    _fault("restart-owed", "require_restart"),
    _fault("leftovers-in-bin", "mkdir $P/bin/data; echo a >$P/bin/data/file"),
    _fault("socket-hidden", "drop_in PrivateTmp=yes; again"),
    _fault(
        "socket-foreign",
        "touch $KEPT/restarted; rm -f /var/tmp/mattermost_local.socket; runuser -u nobody -- python3 -c "
        "\"import socket; socket.socket(socket.AF_UNIX).bind('/var/tmp/mattermost_local.socket')\"",
    ),
    _fault("tmpdir-not-writable", "drop_in Environment=TMPDIR=/srv/none; again"),
    _fault("sandbox-failed", "drop_in ReadOnlyPaths=/srv/none; again", "sandbox-failed", "service-not-running"),
    # plugins
    _fault("wrong-architecture", f"{_ELF.format(machine=243, length=0)} >{SERVER_PART}"),
    _fault("executable-missing", f"rm {SERVER_PART}"),
    _fault(
        "executable-for-platform-missing",
        "manifest $A \"m.pop('backend'); m['server'] = {'executables': {'darwin-amd64': 'server/x'}}\"",
    ),
    _fault("executable-not-executable", f"chmod a-x {SERVER_PART}"),
    _fault("loader-missing", f"{_ELF.format(machine=62, length=16)} >{SERVER_PART}"),
    _fault("plugin-died-at-start", f"{_SERVER_SCRIPT} 'exit 1'", "plugin-died-at-start", notes=("unmanaged-plugin",)),
    _fault(
        "plugin-start-timeout",
        f"{_SERVER_SCRIPT} 'exec sleep 60'",
        "plugin-start-timeout",
        notes=("unmanaged-plugin",),
    ),
    _fault("webapp-missing", "rm $PL/$B/webapp/*.js"),
    _fault("min-server-version", "manifest $B \"m['min_server_version'] = '99.0.0'\""),
    _fault("duplicate-plugin", "cp -a $PL/$B $PL/$B.bak"),
    _fault("misnamed-directory", "mv $PL/$B $PL/another"),
    _fault("backup-copy", "touch $PL/plugins-2020.tar.gz; chown mattermost: $PL/plugins-2020.tar.gz"),
    _fault("linked-plugin", "ln -s /srv $PL/linked; chown -h mattermost: $PL/linked"),
    _fault("manifest-unreadable", "mkdir $PL/half; echo '{' >$PL/half/plugin.json; chown -R mattermost: $PL/half"),
    _fault("plugin-missing", 'conf PluginSettings PluginStates \'{"com.example.gone": {"Enable": true}}\''),
    _fault(
        "plugin-not-running",
        "enabled com.example.copy; again; copy $B com.example.copy; rm $PL/com.example.copy/.filestore",
        "plugin-not-running",
        notes=("unmanaged-plugin",),
    ),
    # the file store
    _fault("unmanaged-plugin", "unmanaged $B", notes=("unmanaged-plugin",)),
    _fault("bundle-damaged", "echo x >$P/data/plugins/$B.tar.gz; again"),
    _fault(
        "filestore-sync-failed",
        "chown root $P/data/plugins/$B.tar.gz; chmod 0600 $P/data/plugins/$B.tar.gz; again",
    ),
    _fault(
        "marker-on-copy",
        "copy $B com.example.copy",
    ),
    _fault("store-copy-wins", "manifest $B \"m['version'] = '9.9.9'\""),
    _fault("signature-missing", "conf PluginSettings RequirePluginSignature true; again", notes=("uploads-disabled",)),
    _fault("signature-key-missing", "conf PluginSettings SignaturePublicKeyFiles '[\"gone.gpg\"]'; again"),
    # what keeps the audit from looking
    _fault("not-audited", "rm $P/logs/mattermost.log; mkdir $P/logs/mattermost.log; touch $KEPT/restarted"),
]
BY_NAME = {fault.name: fault for fault in FAULTS}
# Two at once: on different parts, and on the same.
PAIRS: List[Tuple[str, str]] = [
    ("directory-not-writable", "executable-missing"),
    ("foreign-owner", "duplicate-plugin"),
    ("mount-noexec", "executable-not-executable"),
    ("backup-copy", "mount-read-only"),
    ("directory-missing", "webapp-missing"),
    ("parent-not-searchable", "leftovers-in-bin"),
    ("disk-full", "manifest-unreadable"),
    ("unit-not-reloaded", "min-server-version"),
    ("service-not-running", "wrong-architecture"),
    ("upload-limit-of-proxy", "linked-plugin"),
    ("import-directory-conflict", "content-closed"),
    ("not-a-directory", "store-copy-wins"),
]
# What a run of all tests makes of them: of every area, and of every way to make one. The others on request.
EVERY_RUN: FrozenSet[str] = frozenset(
    {
        "environment-override",
        "foreign-owner",
        "untrusted-link",
        "linked-plugin",
        "acl",
        "mount-noexec",
        "sandbox-hidden",
        "sandbox-read-only",
        "working-directory-wrong",
        "drop-in-ignored",
        "unit-not-reloaded",
        "executable-missing",
        "plugin-died-at-start",
        "marker-on-copy",
        "foreign-owner+duplicate-plugin",
    }
)
# On different parts, so that all fit on one host; the service runs, so that bundles can be uploaded.
MENDED_TOGETHER: List[Tuple[str, ...]] = [
    ("directory-missing", "foreign-owner", "executable-not-executable", "process-elsewhere"),
    ("directory-not-writable", "content-closed", "executable-not-executable", "restart-owed", "store-copy-wins"),
]
