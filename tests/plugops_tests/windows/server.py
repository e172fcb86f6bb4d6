# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in server on a Windows machine: NSSM's program starts it in the directory that NSSM says, and ends it."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Tuple

from plugops_tests.servers.server_process import free_port
from plugops_tests.windows.machine import INSTALL_DIR, SERVER, Machine
from plugops_tests.windows.wine import wait_for

USER, PASSWORD = "admin", "Api-Passw0rd"


@dataclass(frozen=True)
class WindowsServer:
    """
    :param place: where the install directory lies
    """

    machine: Machine
    place: Path
    port: int

    def variables(self) -> Dict[str, Any]:
        """What the inventory says of it."""
        return {
            **self.machine.variables(),
            "mattermost_api_url": f"http://127.0.0.1:{self.port}",
            "mattermost_api_username": USER,
            "mattermost_api_password": PASSWORD,
        }

    def request(self, method: str, path: str, body: Any = None) -> Tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, f"/api/v4{path}", None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.request("GET", "/system/ping")[0] == 200
        return False

    def plugins(self) -> Any:
        """Id -> version of the plugins that browsers get; the status where there is no list."""
        status, body = self.request("GET", "/plugins/webapp")
        return {item["id"]: item["version"] for item in json.loads(body)} if status == 200 else status

    def settings(self) -> Dict[str, Any]:
        found = json.loads((self.place / "config" / "config.json").read_text(encoding="utf-8"))["PluginSettings"]
        assert isinstance(found, dict)
        return found


def install(machine: Machine, release: Path) -> WindowsServer:
    """As an operator leaves it: running in the wrong directory, with an admin, uploads on."""
    machine.stop_service()
    place = machine.wine.real(INSTALL_DIR)
    with tarfile.open(release) as archive:
        archive.extractall(place.parent, filter="data")
    program = place / "bin" / "mattermost.exe"
    program.unlink()  # it may have more names than this one
    shutil.copy2(machine.wine.real(SERVER), program)
    server = WindowsServer(machine, place, free_port())
    path = place / "config" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["ServiceSettings"]["ListenAddress"] = f"127.0.0.1:{server.port}"
    config["FileSettings"]["Directory"] = str(place / "data")  # accounts lie there, whatever directory it runs in
    config["PluginSettings"]["EnableUploads"] = True
    path.write_text(json.dumps(config, indent=4), encoding="utf-8")
    machine.start_service()
    wait_for(server.answers, "the server behind NSSM")
    server.request("POST", "/users", {"username": USER, "email": "admin@example.com", "password": PASSWORD})
    return server
