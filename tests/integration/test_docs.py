# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection documents is what it is: options, defaults, examples that run, results that are explained."""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.plugops.mattermost.plugins.action.mattermost_audit_report import ARGUMENTS as AUDIT_REPORT
from ansible_collections.plugops.mattermost.plugins.action.mattermost_plugin_lock import ARGUMENTS as LOCK
from ansible_collections.plugops.mattermost.plugins.action.mattermost_plugin_parity import ARGUMENTS as PARITY
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.arguments import PLUGIN_ARGUMENTS
from yamllint import linter
from yamllint.config import YamlLintConfig

from plugops_tests.sandbox.app_server import VERSION, AppServer, make_sandbox, remove_sandbox
from plugops_tests.standin.release import build_release
from plugops_tests.support.bundles import make_bundle
from plugops_tests.support.playbooks import REPOSITORY, Run, clean_environment, program, run_playbook

pytestmark = pytest.mark.slow

COLLECTION = "plugops.mattermost"
MODULES = sorted(path.stem for path in (REPOSITORY / "plugins" / "modules").glob("*.py"))
# Their examples and results need a Windows: test_windows.py.
WINDOWS = sorted(module for module in MODULES if module.startswith(("nssm_", "windows_")))
ON_POSIX = [module for module in MODULES if module not in WINDOWS]
CHANGING = {module for module in MODULES if not module.endswith(("_info", "_parity", "_report"))}
# Those that run on the controller alone.
ON_THE_CONTROLLER = {
    "mattermost_plugin_lock": LOCK,
    "mattermost_plugin_parity": PARITY,
    "mattermost_audit_report": AUDIT_REPORT,
}
ROLES = sorted((REPOSITORY / "roles").iterdir())
EXAMPLE_BUNDLES = {"com.example.todo": "1.2.0", "com.example.poll": "2.0.1"}
# What has to be done on a host before the examples can do anything.
PRESUPPOSED: Dict[str, List[Dict[str, Any]]] = {
    "mattermost_plugin": [{f"{COLLECTION}.mattermost_plugin_directories": {}}]
}
# Every module of Ansible may return these.
COMMON = {"changed", "deprecations", "diff", "failed", "invocation", "warnings"}
PYTHON_TYPES = {"bool": bool, "dict": dict, "int": int, "list": list, "raw": object, "str": str}


def ansible_doc(*arguments: str) -> str:
    done = subprocess.run(
        [program("ansible-doc"), *arguments],
        cwd=REPOSITORY,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    # 2.21 warns of a part of itself.
    assert [line for line in done.stderr.splitlines() if "/ansible/_protomatter" not in line] == []
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)  # bold, also where nobody looks


@pytest.fixture(scope="module")
def documents() -> Dict[str, Any]:
    """What ansible-doc says of each module, fragments included."""
    found = json.loads(ansible_doc("--json", *(f"{COLLECTION}.{module}" for module in MODULES)))
    return {name.rpartition(".")[2]: document for name, document in found.items()}


# What ansible-doc shows.


def assert_named(names: Iterable[str], shown: str) -> None:
    for name in names:
        assert re.search(rf"^[-= ]+{name}\b", shown, re.MULTILINE), name


def test_modules_can_be_read_on_a_terminal(documents: Dict[str, Any]) -> None:
    shown = ansible_doc(*(f"{COLLECTION}.{module}" for module in MODULES))
    pages = re.split(rf"^> MODULE {COLLECTION}\.(\w+)", shown, flags=re.MULTILINE)[1:]
    assert pages[::2] == MODULES
    for module, page in zip(MODULES, pages[1::2]):
        assert_named([*documents[module]["doc"]["options"], *documents[module]["return"]], page)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_role_can_be_read_on_a_terminal(role: Path) -> None:
    shown = ansible_doc("--type", "role", f"{COLLECTION}.{role.name}")
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    assert re.findall(r"^ENTRY POINT: \*?(\w+)", shown, re.MULTILINE) == [*specs]
    assert_named(yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8")), shown)


def paths(items: Mapping[str, Any], inner: str, prefix: str = "") -> Iterator[str]:
    """Names of options or results as references spell them: ``outer``, ``outer[].inner``, ``outer.inner``."""
    for name, item in items.items():
        yield prefix + name
        dot = "[]." if item.get("type") == "list" else "."
        yield from paths(item.get(inner) or {}, inner, prefix + name + dot)


@pytest.mark.parametrize("module", MODULES)
def test_a_reference_leads_to_an_option_or_a_result(module: str, documents: Dict[str, Any]) -> None:
    text = json.dumps([documents[module]["doc"], documents[module]["return"]])
    options = set(paths(documents[module]["doc"]["options"], "suboptions"))
    results = set(paths(documents[module]["return"], "contains"))
    assert {name for name in re.findall(r"\bO\(([^)=]+)", text) if not name.startswith("ignore:")} <= options
    assert set(re.findall(r"\bRV\(([^)=]+)", text)) <= results
    assert set(re.findall(r"\bM\(plugops\.mattermost\.([^)]+)", text)) <= set(MODULES)


# Options.


def argument_spec(module: str, monkeypatch: pytest.MonkeyPatch) -> Dict[str, Any]:
    """What the module gives to AnsibleModule, or for one that runs on the controller alone, to its validation."""
    if module in ON_THE_CONTROLLER:
        return ON_THE_CONTROLLER[module]
    if module in WINDOWS:
        action = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.action.{module}")
        return dict(action.ARGUMENTS)
    loaded = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.modules.{module}")
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


@pytest.mark.parametrize("module", MODULES)
def test_the_documented_options_are_those_of_the_module(
    module: str, documents: Dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_same_options(documents[module]["doc"]["options"], argument_spec(module, monkeypatch), "suboptions")


def assert_same_options(documented: Mapping[str, Any], spec: Mapping[str, Any], inner: str) -> None:
    """Documentation agrees with an argument spec, also on the options of list elements.

    :param inner: the documentation's key for these
    """
    assert set(documented) == set(spec)
    for name, option in documented.items():
        keys = ("type", "default", "choices", "elements", "aliases")
        assert {key: option.get(key) for key in keys} == {key: spec[name].get(key) for key in keys}, name
        assert bool(option.get("required")) == bool(spec[name].get("required")), name
        assert_same_options(option.get(inner) or {}, spec[name].get("options") or {}, inner)


def test_every_list_of_plugins_documents_what_an_entry_may_hold(documents: Dict[str, Any]) -> None:
    """Not that of mattermost_plugin_checkpoint: it takes ids, too, and Ansible knows no options of such a list."""
    options = {module: documents[module]["doc"]["options"].get("plugins", {}) for module in MODULES}
    lists = {module for module, option in options.items() if option.get("elements") == "dict"}
    assert lists == {"mattermost_plugin", "mattermost_plugin_info", "mattermost_plugin_lock"}
    for module in lists:
        assert set(options[module]["suboptions"]) == set(PLUGIN_ARGUMENTS)
    for spec in role_specs("app_server"):
        assert_same_options(spec["mattermost_plugins"]["options"], PLUGIN_ARGUMENTS, "options")


def test_a_list_of_plugins_is_required(tmp_path: Path) -> None:
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [{f"{COLLECTION}.mattermost_plugin": {}}]}]
    run = playbook(tmp_path, play, {}, may_fail=True)
    assert [task["result"]["msg"] for task in run.tasks] == [
        "one of the following is required: plugins, bundle_directory, lock"
    ]


# Examples and results.


def playbook(place: Path, play: Any, hosts: Dict[str, Any], may_fail: bool = False) -> Run:
    """Run a play of a test's own on hosts that are directories of this machine."""
    path = place / "play.yml"
    path.write_text(yaml.safe_dump(play), encoding="utf-8")
    inventory = place / "inventory.json"
    common = {
        "ansible_connection": "local",
        "ansible_pipelining": True,
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": common}}), encoding="utf-8")
    return run_playbook(str(path), inventory, {}, may_fail=may_fail)


def presuppose(server: AppServer) -> None:
    """What the examples take for granted on a host: a volume below /srv, a second service, a prepackaged plugin."""
    server.root.chmod(0o755)
    volume = server.root / "srv" / "mattermost"
    volume.mkdir(parents=True)
    units = server.root / "etc" / "systemd" / "system"
    unit = (units / "mattermost.service").read_text(encoding="utf-8")
    (units / "mattermost-server.service").write_text(unit.replace("/opt/", "/srv/"), encoding="utf-8")
    prepackaged = server.install_dir / "prepackaged_plugins"
    prepackaged.mkdir(exist_ok=True)
    make_bundle(prepackaged, "com.mattermost.calls", "0.27.1")


def adapted(task: Dict[str, Any], files: Mapping[str, Path]) -> Dict[str, Any]:
    """An example as it can run in the sandbox: no other user, the sandbox's root, bundles that there are."""
    task = {key: value for key, value in task.items() if key not in ("become", "notify")}
    for name, arguments in task.items():
        if not name.startswith(COLLECTION):
            continue
        controller = name.rpartition(".")[2] in ON_THE_CONTROLLER
        version, root = ({}, {}) if controller else ({"server_version": VERSION}, {"root": "{{ sandbox }}"})
        text = json.dumps({**version, **(arguments or {}), **root})
        for written, path in files.items():
            text = text.replace(written, str(path))
        task[name] = json.loads(text)
    return task


@dataclass(frozen=True)
class Examples:
    """The examples of one module, and what came of running them."""

    module: str
    tasks: List[Dict[str, Any]]
    hosts: List[str]
    run: Run

    def results(self) -> List[Dict[str, Any]]:
        """What the module's own tasks returned."""
        action = f"{COLLECTION}.{self.module}"
        return [task["result"] for task in self.run.tasks if task["action"] == action]


@pytest.fixture(scope="module", params=ON_POSIX)
def examples(request: pytest.FixtureRequest, documents: Dict[str, Any], tmp_path_factory: Any) -> Examples:
    place = tmp_path_factory.mktemp(request.param)
    names = ["app1", "app2"] if request.param in ON_THE_CONTROLLER else ["app1"]
    try:
        return run_examples(request.param, documents[request.param]["examples"], place, names)
    finally:
        for name in names:
            remove_sandbox(place / name)


def run_examples(module: str, text: str, place: Path, names: List[str]) -> Examples:
    """Run the examples of a module on new app servers with these names."""
    servers = [replace(make_sandbox(place / name, names=["app1"])[0], name=name) for name in names]  # alike
    for server in servers:
        presuppose(server)
    files = {
        f"files/{plugin_id}-{version}.tar.gz": make_bundle(place, plugin_id, version)
        for plugin_id, version in EXAMPLE_BUNDLES.items()
    }
    tasks = yaml.safe_load(text)
    release = build_release(VERSION, place)
    files["files/mattermost-9.10.0-linux-amd64.tar.gz"] = release
    todo = files["files/com.example.todo-1.2.0.tar.gz"]
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars": {
            "lock_file": str(place / "plugins.lock.yml"),
            "release_sha256": hashlib.sha256(release.read_bytes()).hexdigest(),
            "todo_sha256": hashlib.sha256(todo.read_bytes()).hexdigest(),
            "vault_todo_webhook_secret": "s3cr3t-of-the-example",
        },
        "tasks": [adapted(task, files) for task in [*PRESUPPOSED.get(module, []), *tasks]],
    }
    hosts = {server.name: {"sandbox": str(server.root)} for server in servers}
    return Examples(module, tasks, list(hosts), playbook(place, [play], hosts))


def test_every_example_runs(examples: Examples) -> None:
    own = [task for task in examples.tasks if f"{COLLECTION}.{examples.module}" in task]
    runs = sum(1 if task.get("run_once") else len(examples.hosts) for task in own)
    assert len(examples.results()) == runs > 0
    assert any(result["changed"] for result in examples.results()) == (examples.module in CHANGING)


def test_every_result_is_documented_and_every_documented_one_returned(
    examples: Examples, documents: Dict[str, Any]
) -> None:
    returned = {name for result in examples.results() for name in result if not name.startswith("_ansible_")}
    assert returned - COMMON == set(documents[examples.module]["return"])


def faults(documented: Mapping[str, Any], value: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Where a result is not as documented: a key that is not, or a value of another type."""
    for name, found in value.items():
        path = prefix + name
        if name not in documented:
            yield f"{path} is not documented"
            continue
        said = documented[name]
        if found is not None and not isinstance(found, PYTHON_TYPES[said["type"]]):
            yield f"{path} is no {said['type']}: {found!r}"
        elements = found if isinstance(found, list) else [found]
        if said["type"] == "list" and not all(isinstance(item, PYTHON_TYPES[said["elements"]]) for item in elements):
            yield f"{path} is no list of {said['elements']}: {found!r}"
        if said.get("contains"):
            for item in elements:
                yield from faults(said["contains"], item or {}, f"{path}.")


def test_results_have_the_documented_keys_and_types(examples: Examples, documents: Dict[str, Any]) -> None:
    for result in examples.results():
        own = {name: value for name, value in result.items() if name in documents[examples.module]["return"]}
        assert not list(faults(documents[examples.module]["return"], own))


# The text itself.


def blocks() -> Iterator[Any]:
    """Every DOCUMENTATION, EXAMPLES and RETURN in modules and fragments."""
    for directory in ("plugins/modules", "plugins/doc_fragments"):
        for path in sorted((REPOSITORY / directory).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)):
                    continue
                name = node.targets[0].id
                if name in ("DOCUMENTATION", "EXAMPLES", "RETURN"):
                    yield pytest.param(ast.literal_eval(node.value), id=f"{path.stem}-{name}")


@pytest.mark.parametrize("block", list(blocks()))
def test_documentation_is_tidy_yaml(block: str) -> None:
    rules = yaml.safe_load((REPOSITORY / ".yamllint").read_text(encoding="utf-8"))
    rules["rules"]["document-start"] = "disable"  # a string in a module is no document
    assert list(linter.run(block.lstrip("\n"), YamlLintConfig(yaml.safe_dump(rules)))) == []


def role_specs(role: str) -> List[Dict[str, Any]]:
    """The documented options of each entry point."""
    text = (REPOSITORY / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    return [spec["options"] for spec in yaml.safe_load(text)["argument_specs"].values()]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_roles_options_are_its_defaults(role: Path) -> None:
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8"))
    readme = (role / "README.md").read_text(encoding="utf-8")
    for options in role_specs(role.name):
        assert {name: option["default"] for name, option in options.items()} == defaults
        validated = ArgumentSpecValidator(options).validate(defaults)
        assert validated.error_messages == []
        assert validated.validated_parameters == defaults, "a default of another type than documented"
    for name in defaults:
        assert f"`{name}`" in readme, name


def test_every_variable_of_a_playbook_is_an_option_of_a_role() -> None:
    documented = {name for role in ROLES for options in role_specs(role.name) for name in options}
    used = {
        name
        for path in [*REPOSITORY.glob("playbooks/*.yml"), *REPOSITORY.glob("roles/*/[dtv]*/*")]
        for name in re.findall(r"(?<![\w.])mattermost_[a-z0-9_]+", path.read_text(encoding="utf-8"))
    }
    groups = {"mattermost_app_servers", "mattermost_windows_servers"}
    assert groups < used
    assert used - groups - set(MODULES) - documented == set()


def test_defaults_in_a_playbook_are_those_of_the_role() -> None:
    """A play without a role has none of its defaults."""
    documented = {name: option["default"] for options in role_specs("app_server") for name, option in options.items()}
    forms = (r"(mattermost_\w+) \| default\((.+?)\)", r"attribute='(mattermost_\w+)', default=(.+?)\)")
    stated = [
        (name, yaml.safe_load(default))
        for path in sorted(REPOSITORY.glob("playbooks/*.yml"))
        for form in forms
        for name, default in re.findall(form, path.read_text(encoding="utf-8"))
    ]
    assert len(stated) >= 8
    for name, default in stated:
        assert default == documented[name], name


def test_every_module_stands_in_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for module in MODULES:
        assert f"`{module}`" in readme


def test_module_utils_import_nothing_that_a_host_lacks() -> None:
    """Standard library and ansible-core's module_utils alone; YAML is optional and guarded."""
    for path in sorted((REPOSITORY / "plugins" / "module_utils").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in names:
                known = name.split(".")[0] in sys.stdlib_module_names or name.startswith("ansible.module_utils.")
                assert known or (path.name, name) == ("yaml.py", "yaml"), f"{path.name} imports {name}"
