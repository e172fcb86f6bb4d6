# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml, its way back and rollback.yml on an app server whose service account is an attacker."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import pytest

from plugops_tests.sandbox.app_server import NEW, OLD, PLUGIN_ID, VERSION
from plugops_tests.security.attacked import Deployment, failures
from plugops_tests.security.attacks import OWNED, Target, as_service, meanwhile, replace_by_link, swapping, target

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: what a service account can make root do is tested"),
]

FILESTORE = "11.0.0"


def wish(found: Target, section: str, key: str) -> None:
    path = found.install / "config" / "config.json"

    def write() -> None:
        document = json.loads(path.read_text(encoding="utf-8"))
        document[section][key] = "/victim"
        path.write_text(json.dumps(document, indent=4), encoding="utf-8")

    as_service(write)


@pytest.mark.parametrize("name", ["plugins", pytest.param("client", marks=pytest.mark.matrix)])
def test_site_follows_no_link_that_the_service_account_made(name: str) -> None:
    with target(OWNED) as found:
        replace_by_link(found.install / name, "/victim")
        run = Deployment(found, VERSION).run("site", Deployment(found, VERSION).wanted(NEW))
        assert run.returncode != 0
        assert f"/opt/mattermost/{name}" in failures(run)
        found.assert_unharmed()


@pytest.mark.parametrize(
    ("section", "key"),
    [pytest.param("PluginSettings", "Directory", marks=pytest.mark.matrix), ("FileSettings", "Directory")],
)
def test_site_makes_nothing_where_the_servers_file_wishes_it(section: str, key: str) -> None:
    version = FILESTORE if section == "FileSettings" else VERSION
    with target(OWNED, version) as found:
        wish(found, section, key)
        run = Deployment(found, version).run("site", Deployment(found, version).wanted(NEW))
        assert run.returncode != 0
        assert "/victim" in failures(run)
        found.assert_unharmed()


def test_site_and_rollback_write_config_json_nowhere_else() -> None:
    with target(OWNED) as found:
        deployment = Deployment(found, VERSION)
        path = found.install / "config" / "config.json"
        deployment.run("site", deployment.wanted(OLD), may_fail=False)
        with meanwhile(swapping(path, str(found.canary.place / "open" / "profile.sh"), 1)):
            deployment.run("site", deployment.wanted(NEW))
            deployment.run("rollback", {})
        found.assert_unharmed()


def test_a_way_back_leads_nowhere_else() -> None:
    """The directories were the server's own when the checkpoint was taken, and are links now."""
    with target(OWNED) as found:
        deployment = Deployment(found, VERSION)
        deployment.run("site", deployment.wanted(NEW), may_fail=False)
        for name in ("plugins", "client/plugins"):
            replace_by_link(found.install / name, str(found.canary.place))
        run = deployment.run("rollback", {})
        assert run.returncode != 0
        found.assert_unharmed()


def test_what_only_root_reads_comes_back_with_no_way_back() -> None:
    """In the place of a signature lies a link to it; the attacker makes the health gate fail, and a second way back."""
    with target(OWNED, FILESTORE) as found:
        deployment = Deployment(found, FILESTORE)
        folder = found.install / "data" / "plugins"
        stored = folder / f"{PLUGIN_ID}.tar.gz"
        bundle = found.place.bundle(OLD)
        new = Path(found.place.bundle(NEW)).read_bytes()

        def put() -> None:
            folder.mkdir(exist_ok=True)
            shutil.copy(bundle, stored)
            os.symlink(found.canary.secret, folder / f"{stored.name}.sig")

        def spoil() -> None:
            time.sleep(0.005)
            if hashlib.sha256(stored.read_bytes()).digest() == hashlib.sha256(new).digest():
                stored.unlink()

        as_service(put)
        with found.canary.watched() as watch:
            with meanwhile(spoil):
                run = deployment.run("site", deployment.wanted(NEW))
            assert run.returncode != 0
            back = run.results("plugops.mattermost.mattermost_plugin_checkpoint", "app3")
            # Either nothing is noted of it, and nothing changed, or it goes back.
            refused = f"{PLUGIN_ID}.tar.gz.sig" in back[0].get("msg", "")
            assert refused or len(back) == 2, "nothing went back: the attack was not made"
            deployment.run("rollback", {})
        assert watch.seen == []
        found.assert_unharmed()
