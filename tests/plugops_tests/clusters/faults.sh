# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Sourced on a test host before a fault is injected: ways to break the app server, and the one way back.
set -e
P=/opt/mattermost
PL=$P/plugins
CL=$P/client/plugins
KEPT=/root/kept
UNIT=/etc/systemd/system/mattermost.service
DROP_IN=$UNIT.d/zzz-fault.conf
A=com.example.plugin01   # has a server part
B=com.example.plugin02   # has none

# What is put back by reset; taken while all is well.
keep() {
  mkdir -p $KEPT
  systemctl stop mattermost
  tar -C $P -cf $KEPT/files.tar plugins client/plugins config data
  systemctl start mattermost
  settled
}

# All plugins that are enabled run.
settled() {
  python3 - <<'PY'
import sys, time, urllib.error, urllib.request
deadline = time.monotonic() + 15
while time.monotonic() < deadline:
    try:
        with urllib.request.urlopen("http://127.0.0.1:8065/api/v4/plugins/webapp", timeout=2) as answer:
            if answer.read().count(b'"id"') >= 4:
                sys.exit(0)
    except OSError:
        pass
    time.sleep(0.05)
sys.exit("the plugins do not run")
PY
}

# The service starts anew, or fails to, with the fault.
again() {
  touch $KEPT/restarted
  systemctl daemon-reload
  systemctl reset-failed mattermost || true
  systemctl restart mattermost || true
}

drop_in() {
  printf '[Service]\n' >$DROP_IN
  printf '%s\n' "$@" >>$DROP_IN
}

# conf SECTION KEY JSON: in config.json, which the server watches: what it says then ends with a restart
conf() {
  touch $KEPT/restarted
  python3 - "$@" <<'PY'
import json, sys
path = "/opt/mattermost/config/config.json"
with open(path) as source:
    document = json.load(source)
document.setdefault(sys.argv[1], {})[sys.argv[2]] = json.loads(sys.argv[3])
with open(path, "w") as out:
    json.dump(document, out, indent=4)
PY
}

# manifest PLUGIN PYTHON: change the manifest, a dict called m
manifest() {
  python3 - "$PL/$1/plugin.json" "$2" <<'PY'
import json, sys
with open(sys.argv[1]) as source:
    m = json.load(source)
exec(sys.argv[2])
with open(sys.argv[1], "w") as out:
    json.dump(m, out)
PY
}

# copy PLUGIN ID: a copy under another id, there at once and whole
copy() {
  cp -a "$PL/$1" $KEPT/copy
  sed -i "s/\"$1\"/\"$2\"/" $KEPT/copy/plugin.json
  cp -a $KEPT/copy "$PL/.copy" && mv "$PL/.copy" "$PL/$2"
  rm -r $KEPT/copy
}

# unmanaged PLUGIN: the server leaves it as it is, also at its start
unmanaged() {
  rm -f "$PL/$1/.filestore" "$P/data/plugins/$1.tar.gz"
}

# server_part PLUGIN LINE: its server part is a shell script of this one line, and the server starts with it
server_part() {
  unmanaged "$1"
  printf '#!/bin/sh\n%s\n' "$3" >"$PL/$1/$2"
  again
}

# enabled PLUGIN: in config.json, besides those that are
enabled() {
  touch $KEPT/restarted
  python3 - "$1" <<'PY'
import json, sys
path = "/opt/mattermost/config/config.json"
with open(path) as source:
    document = json.load(source)
document["PluginSettings"]["PluginStates"][sys.argv[1]] = {"Enable": True}
with open(path, "w") as out:
    json.dump(document, out, indent=4)
PY
}

# require_restart: as a run of this collection leaves it that was cut off between a change and the restart
require_restart() {
  python3 - "$(systemctl show -P MainPID mattermost)" <<'PY'
import json, sys
with open("/proc/sys/kernel/random/boot_id") as source:
    boot = source.read().strip()
with open(f"/proc/{sys.argv[1]}/stat") as source:
    started = source.read().rpartition(")")[2].split()[19]
note = [{"process": f"{boot} {sys.argv[1]} {started}", "reason": "PluginSettings.Directory was changed"}]
with open("/var/lib/plugops/restart-required.json", "w") as out:
    json.dump(note, out)
PY
}

# small DIRECTORY OPTIONS: a small file system of the service user in the place of the directory, with what was in it
small() {
  mount -t tmpfs -o "uid=$(id -u mattermost),gid=$(id -g mattermost),mode=0755,$2" small "$1"
  tar -C $P -xf $KEPT/files.tar "${1#"$P/"}"
}

reset() {
  for mounted in $(findmnt -rno TARGET | grep "^$P/" | tac); do umount -l "$mounted"; done
  chattr -R -i -a $PL $CL 2>/dev/null || true
  chmod 0755 /opt $P
  setfacl -b /opt
  if [ -d $P/logs/mattermost.log ]; then rmdir $P/logs/mattermost.log; fi
  rm -f /var/lib/plugops/restart-required.json
  rm -rf $P/bin/data $P/bin/logs $P/bin/plugins /etc/nginx/sites-enabled/fault /etc/mattermost-fault.json
  if [ -e $KEPT/restarted ]; then systemctl stop mattermost; fi
  if [ -S /var/tmp/mattermost_local.socket ] && [ -e $KEPT/restarted ]; then rm /var/tmp/mattermost_local.socket; fi
  if [ -e $KEPT/unit ]; then mv $KEPT/unit $UNIT; systemctl daemon-reload; fi
  if [ -e $DROP_IN ]; then rm -f $DROP_IN; systemctl daemon-reload; fi
  rm -rf $PL $CL $P/data/plugins /srv/linked
  # The server watches its configuration: that is put back only while it does not run.
  tar -C $P -xpf $KEPT/files.tar $(if [ ! -e $KEPT/restarted ]; then echo plugins client/plugins data; fi)
  if [ -e $KEPT/restarted ]; then
    rm -f $KEPT/restarted
    systemctl reset-failed mattermost 2>/dev/null || true
    systemctl start mattermost
    settled
  fi
}
