# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directories an app server may claim."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._node.node import Node
from ansible_collections.plugops.mattermost.plugins.module_utils._node.options import NodeOptions
from ansible_collections.plugops.mattermost.plugins.module_utils._node.territory import (
    SHARED_DIRECTORIES,
    SYSTEM_DIRECTORIES,
    Territory,
    system_directory,
)

from plugops_tests.sandbox.app_server import make_sandbox

OURS = Territory("/opt/mattermost-11.0.0", ("/srv/mm",), ("/opt/mattermost", "/srv/mm"))


def _kind(path: str, asked: str = "", territory: Territory = OURS) -> Optional[str]:
    found = territory.blocker("PluginSettings.Directory", asked or path, path)
    return found.kind if found else None


@pytest.mark.parametrize("path", ["/opt/mattermost-11.0.0/plugins", "/srv/mm", "/srv/mm/a/b"])
def test_what_is_ours(path: str) -> None:
    assert _kind(path) is None


def test_a_link_of_roots_leads_out_of_the_install_directory() -> None:
    assert _kind("/mnt/volume/client", "/opt/mattermost/client") is None
    assert _kind("/mnt/volume/client", "/srv/other/client") == "directory-outside"


@pytest.mark.parametrize("path", ["/srv/mmx", "/srv/other", "/opt/mattermost-11.0.0x", "/var/lib/mattermost"])
def test_what_nobody_named(path: str) -> None:
    found = OURS.blocker("FileSettings.Directory", path, path)
    assert found is not None
    assert found.kind == "directory-outside"
    assert "mattermost_allowed_directories" in found.remedy


@pytest.mark.parametrize(
    "path", [*SYSTEM_DIRECTORIES, *SHARED_DIRECTORIES, "/", "/var", "/var/lib", "/etc/x", "/usr/local"]
)
def test_directories_of_the_system_are_nobodys(path: str) -> None:
    everything = Territory("/opt/mattermost", ("/",), ("/opt/mattermost", "/"))
    assert _kind(path, territory=everything) == "system-directory"
    assert _kind(path, "/opt/mattermost/plugins", everything) == "system-directory", "nor by a link of root's"


@pytest.mark.parametrize(
    ("path", "install_dir"),
    [
        ("/usr/local/mattermost/plugins", "/usr/local/mattermost"),
        ("/usr/share/webapps/mattermost/client", "/usr/share/webapps/mattermost"),
        ("/usr/lib/mattermost/plugins", "/usr/lib/mattermost"),
        ("/var/lib/mattermost", ""),
        ("/home/mm/plugins", ""),
    ],
)
def test_installations_that_lie_below_the_systems(path: str, install_dir: str) -> None:
    assert system_directory(path, install_dir) == ""


def test_the_option_itself_names_no_directory_of_the_system() -> None:
    parameters = dict.fromkeys(NodeOptions.__dataclass_fields__)
    for path in ("/etc", "/", "relative"):
        with pytest.raises(OperatorError, match="allowed_directories"):
            NodeOptions.from_params({**parameters, "allowed_directories": [path]})


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, whose files others cannot write")
@pytest.mark.parametrize(
    ("owner", "path", "refused"),
    [(65534, "/etc/other.json", True), (0, "/etc/other.json", False), (65534, "/opt/mattermost/config/x.json", False)],
)
def test_a_configuration_elsewhere_that_the_service_account_names(
    tmp_path: Path, owner: int, path: str, refused: bool
) -> None:
    (server,) = make_sandbox(tmp_path / "s", "9.11.0", ["app3"])
    drop_in = server.root / "etc/systemd/system/mattermost.service.d/90-test.conf"
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text("[Service]\nEnvironmentFile=/opt/mattermost/env\n")
    environment = server.root / "opt/mattermost/env"
    environment.write_text(f"MM_CONFIG={path}\n")
    os.chown(environment, owner, owner)

    def source(**options: str) -> str:
        return Node(NodeOptions(root=str(server.root), **options), lambda argv: (1, "", "")).config_source.path

    if refused:
        with pytest.raises(OperatorError, match=r"others than root name it.*mattermost_config_path"):
            source()
        assert source(config_path=path) == path
    else:
        assert source() == path
