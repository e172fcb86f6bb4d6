"""Every option of every module: check, run, check, run. What check mode says is what the run does, and then is done.

A new option without a case here fails `test_every_option_has_a_case`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Tuple

import pytest
import yaml
from ansible_collections.plugops.mattermost.plugins.doc_fragments import node as node_fragment

from sandbox.app_server import NEW, OLD, PLUGIN_ID, VERSION, AppServer, make_sandbox, remove_sandbox
from support.bundles import make_bundle
from support.module_harness import call, snapshot
from support.playbooks import REPOSITORY
from support.server_process import ServerProcess, unprivileged_user

SECRET = "s3cr3t-of-the-contract"
SOCKET = "/run/mattermost.sock"
ENSURING = (
    "mattermost_plugin",
    "mattermost_plugin_directories",
    "mattermost_plugin_settings",
    "mattermost_service_directory",
)
ALL = (*ENSURING, "mattermost_plugin_info")
# Given by the controller half alone; every case of `plugins` goes through them.
INTERNAL = {"bundles", "delivery"}


@dataclass
class Place:
    """One broken app server, and what a case changes of it before the module is called."""

    directory: Path
    server: AppServer
    arguments: Dict[str, Any] = field(default_factory=dict)
    needs_server: bool = False

    def bundle(self, version: str) -> str:
        return str(self.directory / "bundles" / f"{PLUGIN_ID}-{version}.tar.gz")

    def real(self, path: str) -> Path:
        return self.server.root / path.lstrip("/")


# Options of the node: what they need besides the argument.


def other_install_dir(place: Place) -> None:
    shutil.move(str(place.server.install_dir), str(place.real("/opt/chat")))
    unit = place.real("/etc/systemd/system/mattermost.service")
    unit.write_text(unit.read_text().replace("/opt/mattermost/", "/opt/chat/"))
    place.arguments["install_dir"] = "/opt/chat"


def other_working_directory(place: Place) -> None:
    place.arguments["working_directory"] = "/opt/mattermost/bin"


def other_service(place: Place) -> None:
    units = place.real("/etc/systemd/system")
    (units / "mattermost.service").rename(units / "chat.service")
    place.arguments["service"] = "chat"


def _second_account(place: Place) -> None:
    passwd, group = place.real("/etc/passwd"), place.real("/etc/group")
    own = passwd.read_text().splitlines()[-1].split(":")
    passwd.write_text(passwd.read_text() + f"chat:x:{own[2]}:{own[3]}::/:/bin/sh\n")
    group.write_text(group.read_text() + f"chatters:x:{own[3]}:\n")


def other_user(place: Place) -> None:
    _second_account(place)
    place.arguments["service_user"] = "chat"


def other_group(place: Place) -> None:
    _second_account(place)
    place.arguments["service_group"] = "chatters"


def arguments(**values: Any) -> Callable[[Place], None]:
    """A case that is an argument and nothing else."""
    return lambda place: place.arguments.update(values)


NODE_CASES: Dict[str, Callable[[Place], None]] = {
    "root": arguments(),
    "install_dir": other_install_dir,
    "working_directory": other_working_directory,
    "service": other_service,
    "service_user": other_user,
    "service_group": other_group,
    "config_path": arguments(config_path="/opt/mattermost/config/config.json"),
    "server_version": arguments(server_version="9.10.0"),
    "socket": arguments(socket="/run/nobody-answers.sock"),
    "state_dir": arguments(state_dir="/srv/plugops"),
}


# Options of the modules.


def entry(version: str = NEW, **more: Any) -> Callable[[Place], None]:
    def prepare(place: Place) -> None:
        place.arguments["plugins"] = [{"src": place.bundle(version), **more}]

    return prepare


def sha256_of_new(place: Place) -> None:
    path = place.bundle(NEW)
    place.arguments["plugins"] = [{"src": path, "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest()}]


def absent(place: Place) -> None:
    place.arguments["plugins"] = [{"id": PLUGIN_ID, "state": "absent"}]


def with_server(**values: Any) -> Callable[[Place], None]:
    """A case with a running server that answers on its local-mode socket."""

    def prepare(place: Place) -> None:
        place.needs_server = True
        place.arguments.update(values, socket=SOCKET)

    return prepare


CASES: Dict[str, Dict[str, Callable[[Place], None]]] = {
    "mattermost_plugin": {
        "plugins": entry(),
        "plugins.src": entry(),
        "plugins.id": entry(id=PLUGIN_ID),
        "plugins.version": entry(version=NEW),
        "plugins.sha256": sha256_of_new,
        "plugins.enabled": entry(enabled=False),
        "plugins.state": absent,
        "strategy": arguments(strategy="unpack"),
        "strategy=upload": with_server(strategy="upload"),
        "strategy=auto": with_server(strategy="auto"),
        "directory": arguments(directory="/opt/mattermost/other"),
        "client_directory": arguments(client_directory="/opt/mattermost/client/other"),
        "verify": arguments(verify="full"),
    },
    "mattermost_plugin_directories": {
        "directory": arguments(directory="./other"),
        "client_directory": arguments(client_directory="/opt/mattermost/client/other"),
        "mode": arguments(mode="0750"),
    },
    "mattermost_plugin_settings": {
        "enable": arguments(enable=False),
        "enable_uploads": arguments(enable_uploads=True),
        "directory": arguments(directory="/srv/plugins"),
        "client_directory": arguments(client_directory="/srv/client"),
        "enable_health_check": arguments(enable_health_check=False),
        "allow_insecure_download_url": arguments(allow_insecure_download_url=True),
        "enable_marketplace": arguments(enable_marketplace=False),
        "marketplace_url": arguments(marketplace_url="https://marketplace.example.com"),
        "require_plugin_signature": arguments(require_plugin_signature=True),
        "signature_public_key_files": arguments(signature_public_key_files=["a.gpg", "b.gpg"]),
        "enable_remote_marketplace": arguments(enable_remote_marketplace=False),
        "automatic_prepackaged_plugins": arguments(automatic_prepackaged_plugins=False),
        "chimera_oauth_proxy_url": arguments(chimera_oauth_proxy_url="https://p.example.com", server_version="6.7.2"),
        "settings": arguments(settings={"EnableMarketplace": False}),
        "states": arguments(states={PLUGIN_ID: True}),
        "plugins": arguments(plugins={PLUGIN_ID: {"token": SECRET, "nested": {"secret": SECRET}}}),
        "via": arguments(via="file"),
        "via=socket": with_server(via="socket", enable_health_check=False),
        "backup": arguments(backup=True),
    },
    "mattermost_service_directory": {},
    "mattermost_plugin_info": {
        "plugins": entry(),
        "strategy": arguments(strategy="unpack"),
        "settings": arguments(settings={"EnableUploads": True}),
        "states": arguments(states={PLUGIN_ID: True}),
        "plugin_settings": arguments(plugin_settings={PLUGIN_ID: {"token": SECRET}}),
        "via": arguments(via="file"),
        "via=socket": with_server(via="socket"),
        "directory_mode": arguments(directory_mode="0700"),
        "files": arguments(files=True),
        "verify": arguments(verify="full"),
        "update_cache": arguments(update_cache=False),
        "wait": arguments(wait=1),
    },
}
BASE: Dict[str, Callable[[Place], None]] = {
    "mattermost_plugin": entry(),
    "mattermost_plugin_directories": arguments(),
    "mattermost_plugin_settings": arguments(enable_uploads=True),
    "mattermost_service_directory": arguments(),
    "mattermost_plugin_info": entry(),
}


def cases(modules: Tuple[str, ...]) -> List[Any]:
    """(module, option, what the option's case prepares)."""
    found = []
    for module in modules:
        for option, prepare in {**NODE_CASES, **CASES[module]}.items():
            found.append(pytest.param(module, prepare, id=f"{module}-{option}"))
    return found


def documented(module: str) -> List[str]:
    """The options that the module documents, those of list elements as ``outer.inner``, fragments included."""
    options = yaml.safe_load(_documentation(module)).get("options", {})
    names = [name for name in options if name not in INTERNAL]
    for name, option in options.items():
        names += [f"{name}.{inner}" for inner in option.get("suboptions", {})]
    return names + list(yaml.safe_load(node_fragment.ModuleDocFragment.DOCUMENTATION)["options"])


def _documentation(module: str) -> str:
    namespace: Dict[str, Any] = {}
    text = (REPOSITORY / "library" / f"{module}.py").read_text(encoding="utf-8")
    start = text.index('DOCUMENTATION = r"""')
    exec(text[start : text.index('"""', start + 30) + 3], namespace)
    return str(namespace["DOCUMENTATION"])


@pytest.mark.parametrize("module", ALL)
def test_every_option_has_a_case(module: str) -> None:
    known = {name for name in {**NODE_CASES, **CASES[module]} if "=" not in name}
    assert known == set(documented(module))


def test_every_module_has_cases() -> None:
    modules = {path.stem for path in (REPOSITORY / "library").glob("*.py")}
    assert modules == {*ALL, "mattermost_plugin_parity"}  # parity contacts no host: test_parity.py


@pytest.fixture
def place() -> Iterator[Place]:
    # Short: the path of a unix socket has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="po-") as directory:
        os.chmod(directory, 0o755)
        where = Path(directory) / "s"
        servers = make_sandbox(where)
        try:
            yield Place(where, servers[2])  # the one with the older version
        finally:
            remove_sandbox(where)


@contextlib.contextmanager
def running(place: Place) -> Iterator[None]:
    """Where the case needs one: a healthy server that answers on its socket."""
    if not place.needs_server:
        yield
        return
    call("mattermost_plugin_directories", {"root": str(place.server.root)}, False, place.directory / "facts")
    config = place.server.install_dir / "config" / "config.json"
    document = json.loads(config.read_text(encoding="utf-8"))
    socket = place.real(SOCKET)
    socket.parent.mkdir()
    if os.geteuid() == 0:
        shutil.chown(socket.parent, unprivileged_user())
    document["ServiceSettings"].update(EnableLocalMode=True, LocalModeSocketLocation=str(socket))
    document["PluginSettings"]["EnableUploads"] = True
    config.write_text(json.dumps(document, indent=4), encoding="utf-8")
    install = place.server.install_dir
    with ServerProcess(install, user=unprivileged_user(), cwd=install) as process:
        process.wait_for(socket.exists, "the local-mode socket")
        yield


def prepared(module: str, prepare: Callable[[Place], None], place: Place) -> None:
    """The module's own arguments and the case's; directories where bundles need them."""
    BASE[module](place)
    os.chmod(place.server.root, 0o755)  # so that a case can make a directory in it
    prepare(place)
    place.arguments = {"root": str(place.server.root), "server_version": VERSION, **place.arguments}
    if module == "mattermost_plugin":
        wanted = ("root", "server_version", "directory", "client_directory", *NODE_CASES)
        call(
            "mattermost_plugin_directories",
            {name: value for name, value in place.arguments.items() if name in wanted},
            False,
            place.directory / "facts",
        )


def four_times(module: str, place: Place) -> List[Dict[str, Any]]:
    """Check, run, check, run; check mode leaves everything alone."""
    answers = []
    churning = [place.server.install_dir / name for name in ("logs", "data")]
    for check_mode in (True, False, True, False):
        before = snapshot(place.server.root, churning)
        answers.append(call(module, place.arguments, check_mode, place.directory / "facts"))
        if check_mode:
            assert snapshot(place.server.root, churning) == before, "check mode changed something"
    for answer in answers:
        assert not answer.get("failed"), answer.get("msg")
        assert SECRET not in json.dumps(answer)
    return answers


def essence(answer: Mapping[str, Any]) -> Tuple[Any, ...]:
    return answer["changed"], answer["differences"], answer["diff"]


@pytest.mark.parametrize(("module", "prepare"), cases(ENSURING))
def test_check_predicts_and_a_second_run_changes_nothing(
    module: str, prepare: Callable[[Place], None], place: Place
) -> None:
    prepared(module, prepare, place)
    with running(place):
        predicted, done, predicted_again, done_again = four_times(module, place)
    assert done["changed"], "the case must show the option at work"
    assert essence(predicted) == essence(done)
    assert essence(predicted_again) == essence(done_again)
    assert not done_again["changed"]


@pytest.mark.parametrize(("module", "prepare"), cases(("mattermost_plugin_info",)))
def test_info_changes_nothing(module: str, prepare: Callable[[Place], None], place: Place) -> None:
    prepared(module, prepare, place)
    with running(place):
        churning = [place.server.install_dir / name for name in ("logs", "data")]
        before = snapshot(place.server.root, churning)
        answers = four_times(module, place)
        assert snapshot(place.server.root, churning) == before
    assert not any(answer["changed"] for answer in answers)
    assert all(answer["differences"] == answers[0]["differences"] for answer in answers)
    assert answers[0]["differences"]


def test_info_keeps_digests_only_when_told_to(place: Place) -> None:
    prepared("mattermost_plugin_info", arguments(update_cache=True), place)
    before = set(snapshot(place.server.root))
    call("mattermost_plugin_info", place.arguments, True, place.directory / "facts")
    assert set(snapshot(place.server.root)) == before
    call("mattermost_plugin_info", place.arguments, False, place.directory / "facts")
    added = {path for path in set(snapshot(place.server.root)) - before if os.path.isfile(path)}
    assert added <= {str(place.real("/var/lib/plugops/trees.json"))}


MISTAKES = {
    "mattermost_plugin": arguments(strategy="upload"),  # nobody answers
    "mattermost_plugin_directories": arguments(install_dir="/opt/no-such-directory"),
    "mattermost_plugin_settings": arguments(config_path="/etc/passwd"),
    "mattermost_service_directory": arguments(working_directory="/opt/no-such-directory"),
}


@pytest.mark.parametrize("module", ENSURING)
def test_a_mistake_changes_nothing(module: str, place: Place) -> None:
    prepared(module, MISTAKES[module], place)
    before = snapshot(place.server.root)
    answer = call(module, place.arguments, False, place.directory / "facts")
    assert answer.get("failed"), answer
    assert "What to do:" in answer["msg"]
    assert snapshot(place.server.root) == before


def test_a_plugin_of_the_same_version_with_other_bytes_differs(place: Place) -> None:
    other = make_bundle(place.directory / "bundles" / "other.tar.gz", PLUGIN_ID, OLD, files={"more.txt": b"more"})
    prepared("mattermost_plugin", lambda p: p.arguments.update(plugins=[{"src": str(other)}]), place)
    predicted, done, _, again = four_times("mattermost_plugin", place)
    names = [difference["name"] for difference in done["differences"]]
    assert names == [f"plugins.{PLUGIN_ID}.files", f"plugins.{PLUGIN_ID}.enabled"]
    assert predicted["changed"]
    assert not again["changed"]
