"""What the modules document is what they are: options, defaults, examples that run, results that are explained."""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
import yaml

from sandbox.app_server import VERSION, AppServer, make_sandbox
from support.bundles import make_bundle
from support.module_harness import call
from support.playbooks import REPOSITORY, clean_environment, program, run_playbook

pytestmark = pytest.mark.slow

MODULES = sorted(path.stem for path in (REPOSITORY / "library").glob("*.py"))
EXAMPLE_BUNDLES = {"com.example.todo": "1.2.0", "com.example.poll": "2.0.1"}
# Ansible's own, and what only the controller half reads.
NOT_DOCUMENTED = {"changed", "diff", "invocation", "warnings", "failed", "lacking", "_ansible_parsed"}


@pytest.fixture(scope="module")
def documents() -> Dict[str, Any]:
    """What ansible-doc says of each module, fragments included."""
    done = subprocess.run(
        [program("ansible-doc"), "--json", *(f"plugops.mattermost.{module}" for module in MODULES)],
        cwd=REPOSITORY,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.rpartition(".")[2]: document for name, document in json.loads(done.stdout).items()}


def argument_spec(module: str, monkeypatch: pytest.MonkeyPatch) -> Optional[Dict[str, Any]]:
    """What the module gives to AnsibleModule; None where there is only documentation."""
    loaded = importlib.import_module(f"ansible_collections.plugops.mattermost.plugins.modules.{module}")
    if not hasattr(loaded, "main"):
        return None
    given: Dict[str, Any] = {}

    class Seen(Exception):
        pass

    def see(**arguments: Any) -> None:
        given.update(arguments)
        raise Seen

    monkeypatch.setattr(loaded, "AnsibleModule", see)
    with pytest.raises(Seen):
        loaded.main()
    return dict(given["argument_spec"])


@pytest.mark.parametrize("module", [module for module in MODULES if module != "mattermost_plugin_parity"])
def test_the_documented_options_are_those_of_the_module(
    module: str, documents: Dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = argument_spec(module, monkeypatch)
    assert spec is not None
    options = documents[module]["doc"]["options"]
    assert set(options) == set(spec)
    for name, option in options.items():
        found = {key: spec[name].get(key) for key in ("type", "default", "choices", "elements")}
        said = {key: option.get(key) for key in ("type", "default", "choices", "elements")}
        assert found == said, name


def bundles(place: Path) -> Dict[str, Path]:
    """Path as the examples write it -> a bundle that there really is."""
    made = {}
    for plugin_id, version in EXAMPLE_BUNDLES.items():
        path = make_bundle(place, plugin_id, version)
        made[f"files/{path.name}"] = path
    return made


def presuppose(server: AppServer) -> None:
    """What the examples take for granted on a host: a volume below /srv, and a second service."""
    server.root.chmod(0o755)
    volume = server.root / "srv" / "mattermost"
    volume.mkdir(parents=True)
    units = server.root / "etc" / "systemd" / "system"
    unit = (units / "mattermost.service").read_text(encoding="utf-8")
    (units / "mattermost-server.service").write_text(unit.replace("/opt/", "/srv/"), encoding="utf-8")


def adapted(task: Dict[str, Any], root: str, files: Dict[str, Path]) -> Dict[str, Any]:
    """An example as it can run in the sandbox: no other user, the sandbox's root, bundles that there are."""
    task = {key: value for key, value in task.items() if key not in ("become", "notify")}
    for name, arguments in task.items():
        if not name.startswith("plugops.mattermost.") or name.endswith("_parity"):
            continue
        arguments = dict(arguments or {})
        arguments.setdefault("server_version", VERSION)
        arguments["root"] = root
        text = json.dumps(arguments)
        for written, path in files.items():
            text = text.replace(written, str(path))
        task[name] = json.loads(text)
    return task


@pytest.mark.parametrize("module", MODULES)
def test_every_example_runs(module: str, documents: Dict[str, Any], tmp_path: Path) -> None:
    place = tmp_path / "sandbox"
    servers = make_sandbox(place)
    for server in servers:
        presuppose(server)
    files = bundles(tmp_path)
    tasks: List[Dict[str, Any]] = [
        {"plugops.mattermost.mattermost_plugin_directories": {"root": "{{ sandbox }}", "server_version": VERSION}}
    ]
    examples = yaml.safe_load(documents[module]["examples"])
    tasks += [adapted(example, "{{ sandbox }}", files) for example in examples]
    playbook = tmp_path / "examples.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    inventory = tmp_path / "inventory.json"
    hosts = {server.name: {"sandbox": str(server.root)} for server in servers}
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "todo_sha256": hashlib.sha256(files["files/com.example.todo-1.2.0.tar.gz"].read_bytes()).hexdigest(),
        "vault_todo_webhook_secret": "s3cr3t-of-the-example",
    }
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
    options = [] if module != "mattermost_plugin_parity" else ["--limit", "app1"]
    run = run_playbook(str(playbook), inventory, {}, options)
    ran = {task["action"] for task in run.tasks if task["status"] == "ok"}
    assert f"plugops.mattermost.{module}" in ran


@pytest.mark.parametrize("module", [module for module in MODULES if module != "mattermost_plugin_parity"])
def test_every_result_is_documented(module: str, documents: Dict[str, Any], tmp_path: Path) -> None:
    server = make_sandbox(tmp_path / "sandbox")[0]
    arguments: Dict[str, Any] = {"root": str(server.root), "server_version": VERSION}
    call("mattermost_plugin_directories", arguments, False, tmp_path / "facts")
    if module in ("mattermost_plugin", "mattermost_plugin_info"):
        arguments["plugins"] = [{"src": str(path)} for path in bundles(tmp_path).values()]
    answer = call(module, arguments, False, tmp_path / "facts")
    assert not answer.get("failed"), answer
    assert set(answer) - NOT_DOCUMENTED <= set(documents[module]["return"])


def test_the_roles_options_are_its_defaults() -> None:
    role = REPOSITORY / "roles" / "app_server"
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8"))
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    readme = (role / "README.md").read_text(encoding="utf-8")
    for spec in specs.values():
        assert {name: option["default"] for name, option in spec["options"].items()} == defaults
    for name in defaults:
        assert f"`{name}`" in readme, name


def test_every_module_stands_in_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for module in MODULES:
        assert f"`{module}`" in readme


def test_rooms_import_nothing_that_a_host_lacks() -> None:
    """Standard library and ansible-core's module_utils alone; YAML is optional and guarded."""
    for path in sorted((REPOSITORY / "plugins" / "module_utils").glob("_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in names:
                known = name.split(".")[0] in sys.stdlib_module_names or name.startswith("ansible.module_utils.")
                assert known or (path.name, name) == ("_yaml.py", "yaml"), f"{path.name} imports {name}"
