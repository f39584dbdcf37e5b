"""The stubs tell the truth, and importing the package costs, writes and changes nothing."""

import importlib
import inspect
import json
import os
import subprocess
import sys

import joblib
import pytest

import rnnnotes as rn
from public_names import PACKAGE, STUBS, public_names, stubbed

# One process that imports torch, then everything of the package but figures, then these too; it
# notes what is loaded, what is opened for writing, made, moved or removed, and what is set.
IMPORTING = """
import json, random, sys
import numpy, torch

written = []
def watch(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if (mode and set(str(mode)) & set("wax+")) or (flags or 0) & 0o1103:
            written.append(str(path))
    elif event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink"):
        written.append(f"{event} {arguments[0]}")

def settings():
    return {
        "torch's seed": torch.initial_seed(),
        "torch's numbers": torch.get_rng_state().tolist(),
        "numpy's numbers": [str(part) for part in numpy.random.get_state(legacy=True)],
        "python's numbers": random.getstate(),
        "type": str(torch.get_default_dtype()),
        "device": str(torch.get_default_device()),
        "threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "gradients": [torch.is_grad_enabled(), torch.is_anomaly_enabled()],
        "determinism": torch.are_deterministic_algorithms_enabled(),
        "precision": torch.get_float32_matmul_precision(),
        "onednn": torch.backends.mkldnn.enabled,
        "printing": str(vars(torch._tensor_str.PRINT_OPTS)),
        "numpy's printing": str(numpy.get_printoptions()),
        "numpy's errors": numpy.geterr(),
    }

def figures():
    backend = matplotlib.rcParams._get_backend_or_none()
    return {"backend": backend, **{key: str(value) for key, value in matplotlib.rcParams.items()}}

torchs, before = set(sys.modules), settings()
sys.addaudithook(watch)
import rnnnotes as rn
for name in set(rn.__all__) - {"plot"}:
    getattr(rn, name)
for name in rn.tasks.__all__:
    getattr(rn.tasks, name)
found = {
    "written": list(written),
    "torch's": len(torchs),
    "loaded": sorted(set(sys.modules) - torchs),
    "set": [name for name, value in settings().items() if before[name] != value],
}
import matplotlib
drawn_before = figures()
for name in rn.plot.__all__:
    getattr(rn.plot, name)
found["set by figures"] = [name for name, value in figures().items() if drawn_before[name] != value]
found["set by figures"] += [name for name, value in settings().items() if before[name] != value]
print(json.dumps(found))
"""


def run(code: str, folder) -> dict:
    """What a fresh process, in an empty folder that is its home too, prints as JSON at its end."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    environment = kept | {"HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout.splitlines()[-1])


# ---- the stubs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("prefix", "package"), STUBS.items())
def test_every_name_of_a_stub_resolves_to_what_its_file_defines(prefix, package):
    module = importlib.import_module(package)
    names = stubbed(package)
    assert list(module.__all__) == sorted(names)
    assert dir(module) == sorted(names)
    for name, source in names.items():
        found = getattr(module, name)
        if inspect.ismodule(found):
            assert found.__name__ == f"{package}.{name}"
            continue
        assert found is getattr(importlib.import_module(source), name), name
        # Defined there, not passed on from elsewhere: a page that uses it depends on that file.
        if inspect.isclass(found) or inspect.isfunction(found):
            assert found.__module__ == source, name
            assert found.__qualname__ == name


def test_public_names_keep_to_the_rules():
    for path, thing in public_names().items():
        name = path.rpartition(".")[2]
        assert name.isascii() and not name.startswith("_"), path
        if inspect.isclass(thing):
            assert name[0].isupper() and "_" not in name, path
        elif inspect.isfunction(thing):
            assert name == name.lower(), path
        elif not inspect.ismodule(thing):
            assert name == name.upper(), path
        if inspect.isfunction(thing) and name.endswith("_"):
            # A last underscore is torch's sign of what changes its argument in place.
            assert path in IN_PLACE, path


IN_PLACE = {"clip_norm_", "clip_value_", "forget_bias_", "identity_", "orthogonal_"}
IN_PLACE |= {"scale_spectral_radius_", "uniform_", "xavier_"}


def test_what_names_a_part_of_the_package_can_be_sent_to_another_process():
    parts = [importlib.import_module(package) for package in STUBS.values()]
    calls = [joblib.delayed(lambda part=part: dir(part))() for part in parts]
    assert joblib.Parallel(n_jobs=2)(calls) == [dir(part) for part in parts]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"rnnnotes.*LTSMCell"):
        rn.LTSMCell  # noqa: B018


def test_type_checkers_are_told_that_the_package_has_types():
    assert (PACKAGE / "py.typed").is_file()
    untyped = []
    for path, thing in public_names().items():
        function = thing.__init__ if inspect.isclass(thing) else thing
        if not inspect.isfunction(function):
            continue
        for parameter in inspect.signature(function).parameters.values():
            hidden = parameter.name in ("self", "args", "kwargs", "_cls")
            if parameter.annotation is inspect.Parameter.empty and not hidden:
                untyped.append(f"{path}({parameter.name})")
    assert untyped == []


# ---- the import ----------------------------------------------------------------------------------


def test_importing_loads_next_to_nothing(tmp_path):
    code = "import sys, json; before = set(sys.modules); import rnnnotes;"
    loaded = run(code + "print(json.dumps(sorted(set(sys.modules) - before)))", tmp_path)
    heavy = {"torch", "numpy", "matplotlib", "mkdocs", "tqdm", "joblib", "sklearn", "keras"}
    assert not heavy & set(loaded)
    assert [name for name in loaded if name.startswith("rnnnotes")] == ["rnnnotes"]


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    return {**run(IMPORTING, folder), "left": sorted(path.name for path in folder.iterdir())}


def test_all_names_load_little_beside_torch_and_no_figures_or_site(imported):
    kept_out = {"matplotlib", "mkdocs", "sklearn", "scipy", "joblib", "keras", "pandas"}
    assert not kept_out & {name.partition(".")[0] for name in imported["loaded"]}
    assert not [name for name in imported["loaded"] if name.startswith("rnnnotes.site")]
    # Three in ten more modules would be three in ten more time; the time is in tests/bench.
    assert len(imported["loaded"]) <= 0.3 * imported["torch's"]


def test_importing_writes_nothing(imported):
    assert imported["written"] == []
    # What matplotlib keeps, at its own first import, is its own.
    assert set(imported["left"]) <= {".config", ".cache"}


def test_importing_sets_no_seed_and_changes_no_setting(imported):
    assert imported["set"] == []
    assert imported["set by figures"] == []
