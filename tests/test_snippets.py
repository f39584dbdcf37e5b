"""Each file of ``snippets/`` in an empty folder, where ``rnnnotes`` cannot be imported.

And whether it notices a fault of its own, and what the page practice/snippets tells about it.
"""

import ast
import copy
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import nn

import rnnnotes as rn

ROOT = Path(__file__).parents[1]
SNIPPETS = sorted((ROOT / "snippets").glob("*.py"))
LINES, COLUMNS, SECONDS = 40, 100, 120
MAY_IMPORT = {"torch"} | sys.stdlib_module_names

# As on a reader's machine: none of our package, any warning is a fault.
RUN_ALONE = """
import runpy, sys
sys.modules["rnnnotes"] = None
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def is_main(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def faults(text: str) -> list[str]:
    """What in the text of a snippet is against the rules, a line each."""
    tree, found = ast.parse(text), []
    lines = text.splitlines()
    if len(lines) > LINES:
        found.append(f"{len(lines)} lines, more than {LINES}")
    found += [f"line {n}: over {COLUMNS} wide" for n, x in enumerate(lines, 1) if len(x) > COLUMNS]
    if not ast.get_docstring(tree):
        found.append("no docstring that says what it does")
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "."]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [a for a in ast.walk(node.args) if isinstance(a, ast.arg)]
            bare = [a.arg for a in arguments if not a.annotation and a.arg != "self"]
            found += [f"{node.name}: {name} has no type" for name in bare]
            if node.returns is None:
                found.append(f"{node.name}: no type of what it returns")
        found += [f"imports {n}" for n in names if n.split(".")[0] not in MAY_IMPORT]
    mains = [node for node in tree.body if is_main(node)]
    if not mains or mains[0] is not tree.body[-1]:
        found.append('does not end with `if __name__ == "__main__":`')
    elif not any(isinstance(node, ast.Assert) for node in ast.walk(mains[0])):
        found.append("asserts nothing when it is run")
    return found


def run_alone(snippet: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    copy = folder / snippet.name
    copy.write_bytes(snippet.read_bytes())
    command = [sys.executable, "-I", "-B", "-W", "error", "-c", RUN_ALONE, str(copy)]
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_a_copied_snippet_runs_alone_and_shows_that_it_works(snippet, tmp_path):
    done = run_alone(snippet, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip(), "it shows nothing"
    assert not done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [snippet.name], "it left files behind"


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_a_snippet_is_short_typed_and_needs_only_torch(snippet):
    assert faults(snippet.read_text("utf-8")) == []


def test_a_snippet_that_needs_the_package_fails(tmp_path):
    (tmp_path / "own").mkdir()
    snippet = tmp_path / "needs_the_package.py"
    snippet.write_text("import rnnnotes as rn\nprint(rn.LSTMCell(2, 3))\n")
    done = run_alone(snippet, tmp_path / "own")
    assert done.returncode == 1 and "import of rnnnotes halted" in done.stderr


GOOD = '''"""What it does."""
import torch

def double(x: torch.Tensor) -> torch.Tensor:
    return 2 * x

if __name__ == "__main__":
    assert double(torch.ones(1)) == 2
    print("doubled")
'''


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"""What it does."""\n', "", "no docstring"),
        ("import torch", "import torch, numpy.linalg", "imports numpy.linalg"),
        ("import torch", "import torch\nfrom rnnnotes import fit", "imports rnnnotes"),
        ("x: torch.Tensor", "x", "double: x has no type"),
        (" -> torch.Tensor", "", "double: no type of what"),
        ("    assert double(torch.ones(1)) == 2\n", "", "asserts nothing"),
        ('if __name__ == "__main__":', "if True:", "does not end with"),
        ('    print("doubled")\n', '    print("doubled")\nx = 1\n', "does not end with"),
        ("import torch", "import torch" + "\n" * 40, "49 lines"),
        ("2 * x", "2 * x" + " " * 90, "line 5: over 100"),
    ],
)
def test_each_rule_is_held(old, new, fault):
    assert faults(GOOD) == []
    assert old in GOOD
    assert any(fault in found for found in faults(GOOD.replace(old, new)))


@pytest.fixture
def seeded():
    """A seed and one thread, and afterwards everything as it was."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


# ---- does a snippet notice its own faults? -------------------------------------------------------

# A fault in what a reader copies, which the example below must not let pass.
FAULTS = {
    "attention_readout": (".masked_fill(~real, -torch.inf).softmax(1)", " * 0"),
    "check_what_outputs_see": ("other[1:-1]", "x[1:-1]"),
    "clip_gradient_norm": (", max_norm, norm)", ", 9 * max_norm, norm)"),
    "echo_state_network": (" + self.w_hh @ h)", ")"),
    "identity_relu_rnn": ("nn.init.eye_(", "nn.init.zeros_("),
    "mean_over_real_steps": ("losses[steps < lengths.to(losses.device)[:, None]]", "losses"),
    "omega_penalty": ("(ratio - 1).square()", "(ratio + 1).square()"),
    "orthogonal_start": ("weight.split(rnn.hidden_size)", "[weight]"),
    "overfit_one_batch": ("        adam.step()\n", ""),
    "pack_padded_sequences": ("lengths.cpu()", "torch.full_like(lengths, x.shape[1])"),
    "plot_gradient_by_lag": (".flip(0)", ""),
    "read_both_last_states": ("[h[-2], h[-1]]", "[h[-2], h[-2]]"),
    "read_the_gates": ("i, f, g, o = a.chunk", "i, f, o, g = a.chunk"),
    "residual_rnn_stack": ("x = x + self.scale * y", "x = self.scale * y"),
    "set_the_forget_bias": ("else 0.0", "else value"),
    "swap_lstm_for_causal_convolution": ("(left, 0)", "(0, left)"),
    "swap_lstm_for_gru": ("<= count(lstm):", "<= 2 * count(lstm):"),
    "truncated_backpropagation": ("rnn(inputs, detached(state))", "rnn(inputs)"),
    "watch_gradients": ("    if bad is None:\n", "    if True:\n"),
}


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_a_snippet_notices_a_fault_of_its_own(snippet, seeded):
    text = snippet.read_text("utf-8")
    assert snippet.stem in FAULTS, f"FAULTS has no fault to put into {snippet.name}"
    right, wrong = FAULTS[snippet.stem]
    assert text.count(right) == 1 and text.index(right) < text.index("if __name__")
    faulty = compile(text.replace(right, wrong), snippet.name, "exec")
    with pytest.raises(AssertionError):
        exec(faulty, {"__name__": "__main__"})


def load(name: str, what: str):
    return runpy.run_path(str(ROOT / "snippets" / f"{name}.py"))[what]


def test_the_snippet_s_omega_is_the_package_s(seeded):
    rnn, x = nn.RNN(3, 6, batch_first=True), torch.randn(4, 7, 3)
    output, _ = rnn(x)
    ours = load("omega_penalty", "omega_penalty")(rnn, output, output.square().sum())
    path = rn.unroll(rn.from_torch(rnn).cell, x)
    torch.testing.assert_close(ours, rn.omega_penalty(path.hidden.square().sum(), path))


def test_attention_does_not_look_at_padding(seeded):
    model = load("attention_readout", "AttentionReadout")(nn.GRU(3, 8, batch_first=True), 2)
    x, real = torch.randn(4, 9, 3), torch.arange(9) < torch.tensor([9, 5, 1, 3])[:, None]
    outputs, weights = model(x, real)
    for row, own in enumerate(real):
        alone = model(x[row : row + 1, own])
        torch.testing.assert_close(outputs[row : row + 1], alone[0])
        torch.testing.assert_close(weights[row, own], alone[1][0])
    assert not weights[~real].any()


class Swapped(nn.Module):
    """A view in the place of a transpose: every shape fits."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(3, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.rnn(x.view(x.shape[1], x.shape[0], -1))
        return y.view(*x.shape[:2], -1)


@pytest.mark.parametrize(
    ("model", "found"),
    [
        (nn.GRU(3, 8, num_layers=2, batch_first=True), []),
        (nn.Linear(3, 8), ["does not see the step before"]),
        (Swapped(), ["sequences are mixed"]),
        (nn.GRU(3, 8, bidirectional=True, batch_first=True), ["reads later steps"]),
    ],
)
def test_what_outputs_see_is_told_of_more_models(model, found, seeded):
    told = load("check_what_outputs_see", "faults")(model, torch.randn(5, 12, 3))
    assert set(found) <= set(told) and bool(found) == bool(told)


def test_what_outputs_see_wants_an_output_for_each_step(seeded):
    model = nn.Sequential(nn.Flatten(1), nn.Linear(36, 2))
    with pytest.raises(ValueError, match=r"expected outputs \(B, T, ...\).*\[5, 2\]"):
        load("check_what_outputs_see", "faults")(model, torch.randn(5, 12, 3))


def test_what_outputs_see_is_told_of_tokens(seeded):
    model = nn.Sequential(nn.Embedding(9, 4), nn.LSTM(4, 8, batch_first=True))
    tokens = torch.randint(9, (5, 12))
    assert load("check_what_outputs_see", "faults")(model, tokens) == []


def test_the_mean_over_real_steps_is_that_of_ignore_index(seeded):
    scores, lengths = torch.randn(3, 7, 5), torch.tensor([4, 7, 1])
    targets = torch.randint(5, (3, 7))
    losses = nn.functional.cross_entropy(scores.mT, targets, reduction="none")
    mean = load("mean_over_real_steps", "mean_over_real_steps")(losses, lengths)
    targets[torch.arange(7) >= lengths[:, None]] = -100
    torch.testing.assert_close(mean, nn.functional.cross_entropy(scores.mT, targets))


# ---- what the page tells -------------------------------------------------------------------------

PAGE = ROOT / "docs/practice/snippets.md"
DOES = {"Leaves the model as it is", "Changes the model in place", "Makes a new model"}
DOES |= {"Updates the model"}


class Told(NamedTuple):
    """The section of a snippet: the trouble that it stands under, its anchor and its text."""

    trouble: str
    anchor: str
    text: str


def told() -> dict[str, Told]:
    """The snippets' sections on the page, by name, in order."""
    found: dict[str, Told] = {}
    for part in re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        trouble, *sections = re.split(r"^### ", part, flags=re.MULTILINE)
        for section in sections:
            name, anchor = re.match(r"(\w+) \{ #([\w-]+) \}\n", section).groups()
            assert name not in found, f"{name} stands in two places"
            found[name] = Told(trouble.split("\n")[0], anchor, " ".join(section.split()))
    return found


def linked(text: str) -> set[str]:
    """The pages that a text links to, without their anchors."""
    return set(re.findall(r"\]\(\.\./([\w/-]+\.md)", text))


def test_every_snippet_stands_under_one_trouble():
    assert sorted(told()) == [snippet.stem for snippet in SNIPPETS]
    for name, section in told().items():
        assert section.anchor == name.replace("_", "-")


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_a_snippet_is_shown_whole_and_run_on_the_page(snippet):
    text = PAGE.read_text("utf-8")
    shown = f'```python .noeval\n--8<-- "snippets/{snippet.name}"\n```'
    run = f'runpy.run_path("../../snippets/{snippet.name}", run_name="__main__");'
    assert text.count(shown) == text.count(run) == 1
    section = told()[snippet.stem].text
    assert " ".join(shown.split()) in section and run in section


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_the_page_and_those_that_explain_a_snippet_link_to_each_other(snippet):
    pages = {page: page.read_text("utf-8") for page in (ROOT / "docs").rglob("*.md")}
    explaining = linked(told()[snippet.stem].text)
    assert explaining
    shown, back = f'--8<-- "snippets/{snippet.name}"', f"snippets.md#{told()[snippet.stem].anchor}"
    for page, text in pages.items():
        name = page.relative_to(ROOT / "docs").as_posix()
        if page != PAGE and shown in text:
            assert name in explaining, f"{name} shows it"
        if name in explaining:
            assert shown in text or back in text, f"{name} neither shows it nor links back"


def test_the_table_leads_to_every_snippet_in_order():
    row = re.compile(r"^\| .+ \| \[(\w+)\]\(#([\w-]+)\) \| (.+) \|$", re.MULTILINE)
    rows = row.findall(PAGE.read_text("utf-8"))
    assert [name for name, _, _ in rows] == list(told())
    for name, anchor, links in rows:
        assert anchor == told()[name].anchor
        assert linked(links) == linked(told()[name].text), name


def test_the_page_says_where_a_newer_torch_is_wanted():
    newer = re.compile("get_total_norm|clip_grads_with_norm_")
    for snippet in SNIPPETS:
        text = snippet.read_text("utf-8")
        wants = "PyTorch 2.6 or newer"
        assert (wants in text) == (wants in told()[snippet.stem].text) == bool(newer.search(text))


def lstm(**options) -> nn.LSTM:
    return nn.LSTM(3, 8, batch_first=True, **options)


def backward(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    loss = model(x)[0].square().mean()
    loss.backward()
    return loss


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=0.1)


def truncated(run, rnn: nn.Module, x: torch.Tensor) -> None:
    head = nn.Linear(8, 3)
    run(rnn, head, torch.optim.SGD([*rnn.parameters(), *head.parameters()], lr=0.1), x, x, 4)


# A model, and a snippet's function upon it; those that make a new model take none.
CALLS = {
    "attention_readout": ("AttentionReadout", lstm(), lambda f, m, x: f(m, 2)),
    "check_what_outputs_see": ("faults", lstm(), lambda f, m, x: f(m, x)),
    "clip_gradient_norm": (
        "training_step",
        lstm(),
        lambda f, m, x: f(m, sgd(m), m(x)[0].sum(), 1.0),
    ),
    "mean_over_real_steps": (
        "mean_over_real_steps",
        lstm(),
        lambda f, m, x: f(m(x)[0].sum(2), torch.tensor([5, 3, 8, 1])).backward(),
    ),
    "omega_penalty": (
        "omega_penalty",
        nn.RNN(3, 8, batch_first=True),
        lambda f, m, x: f(m, y := m(x)[0], y.sum()).backward(),
    ),
    "orthogonal_start": ("orthogonal_start", lstm(), lambda f, m, x: f(m)),
    "overfit_one_batch": (
        "overfit_one_batch",
        lstm(),
        lambda f, m, x: f(m, lambda m: m(x)[0].square().mean(), updates=2),
    ),
    "pack_padded_sequences": (
        "run_packed",
        lstm(),
        lambda f, m, x: f(m, x, torch.tensor([5, 3, 8, 1])),
    ),
    "plot_gradient_by_lag": ("gradient_by_lag", lstm(), lambda f, m, x: f(m, x)),
    "read_both_last_states": (
        "read_both_last_states",
        lstm(bidirectional=True),
        lambda f, m, x: f(m, x),
    ),
    "read_the_gates": ("read_the_gates", lstm(), lambda f, m, x: f(m, x)),
    "residual_rnn_stack": ("ResidualStack", lstm(), lambda f, m, x: f([m])),
    "set_the_forget_bias": ("set_forget_bias", lstm(), lambda f, m, x: f(m)),
    "swap_lstm_for_gru": ("swap_lstm_for_gru", lstm(), lambda f, m, x: f(m)),
    "truncated_backpropagation": ("train_on", lstm(), truncated),
    "watch_gradients": (
        "watched_step",
        lstm(),
        lambda f, m, x: backward(m, x) and f(m, sgd(m)),
    ),
}
WITHOUT_A_MODEL = {"echo_state_network", "identity_relu_rnn", "swap_lstm_for_causal_convolution"}


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_a_snippet_does_to_a_model_what_the_page_says(snippet, seeded):
    (does,) = re.findall(r"\*\*([A-Z][\w ]+)\.\*\*", told()[snippet.stem].text)
    assert does in DOES
    if snippet.stem in WITHOUT_A_MODEL:
        assert does == "Makes a new model"
        return
    assert snippet.stem in CALLS, f"CALLS does not say how {snippet.name} is called"
    name, model, call = CALLS[snippet.stem]
    model, x = copy.deepcopy(model), torch.randn(4, 8, 3)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    made = call(load(snippet.stem, name), model, x)
    same = all(weight.equal(before[name]) for name, weight in model.state_dict().items())
    assert same == (does in ("Leaves the model as it is", "Makes a new model"))
    assert (does == "Makes a new model") == (isinstance(made, nn.Module) and made is not model)
    if does == "Updates the model":  # by its gradient, which the others do not touch
        assert all(weight.grad is not None for weight in model.parameters())
