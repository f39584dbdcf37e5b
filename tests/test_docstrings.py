"""The form of the docstrings of all public names: a line, shapes, ranges, errors, sources.

Their equations are evaluated in ``test_equations``.
"""

import ast
import inspect
import re
import textwrap

import pytest

from public_names import public_names

PUBLIC = {
    name: thing
    for name, thing in public_names().items()
    if inspect.isclass(thing) or inspect.isfunction(thing)
}
# What comes from a paper, and so has to name it; and what is our own, or of no one in particular.
FROM_PAPERS = set(
    """
    Attention Bidirectional CausalConv1d DeepNet EchoStateNetwork ElmanCell FeedForward GRUCell
    Highway LSTMCell LSTMVariantCell LeakyIntegratorCell Residual Stacked TemporalBlock
    TemporalConvNet TextCNN clip_norm_ clip_scalar contraction direct_path forget_bias_ henrici
    identity_ irnn omega_penalty orthogonal_ ridge_regression step_jacobians truncated_backward
    xavier_ tasks.adding tasks.agreement tasks.copy tasks.mackey_glass_series tasks.nrmse84
    tasks.latch tasks.recall tasks.temporal_order plot.wilson_interval
    """.split()
)
OUR_OWN = set(
    """
    AttentionReadout Attended Cell CellPath Claim Cost Diagnosis Ensemble GradientHistory
    GradientMonitor History LagNorms Recurrent SequenceModel Trajectory Verdict cite clip_value_
    detach_state eigenvalues evaluate fit fit_ensemble from_torch gradient_norm
    gradient_norms_by_lag horizon jacobian_product l1_penalty l2_penalty last_step_sum
    measured_receptive_field parameter_count receptive_field scale_spectral_radius_ sequence_cost
    singular_values spectral_norm spectral_radius state_from_torch state_gradients state_to_torch
    step_cost to_torch truncation_windows uniform_ unroll untied_contributions tasks.Batch
    tasks.Task tasks.TextBatch tasks.characters tasks.digits tasks.mackey_glass tasks.sentiment
    tasks.syntax_labels
    """.split()
)
OUR_OWN |= {name for name in PUBLIC if name.startswith("plot.")} - FROM_PAPERS
every_public = pytest.mark.parametrize("name", PUBLIC)
SHAPE = re.compile(
    r"\((?:\.\.\., ?)?\*?[A-Za-z0-9_]+(?: ?[-+*] ?[A-Za-z0-9_]+)*(?:, ?[-+*.A-Za-z0-9_ ()]+)*,?\)"
    r"|\(\.\.\.\)|scalar|any shape|number"
)
RANGE = re.compile(r"above|at least|at most|below|between|from .* to |\d to \d|None|[<>]|one of")
TENSORS = ("Tensor", "ArrayLike", "Curves")


def methods(thing: type) -> dict[str, object]:
    """Public methods that a class defines itself."""
    return {
        name: member
        for name, member in vars(thing).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }


def documented() -> dict[str, tuple[object, str]]:
    """Public functions, classes and their methods, each with all that is said about it."""
    found = {}
    for name, thing in PUBLIC.items():
        text = inspect.getdoc(thing) or ""
        found[name] = (thing, text)
        if inspect.isclass(thing):
            for method, function in methods(thing).items():
                found[f"{name}.{method}"] = (function, f"{inspect.getdoc(function)}\n\n{text}")
    return found


DOCUMENTED = documented()


def source_of(thing: object) -> ast.AST:
    if inspect.isclass(thing):
        own = [vars(thing)[m] for m in ("__init__", "__post_init__") if m in vars(thing)]
        # A dataclass's __init__ is written by Python, and is in no file.
        own = [m for m in own if inspect.unwrap(m).__code__.co_filename.endswith(".py")]
        if not own:
            return ast.Module([], [])
        thing = own[0]
    return ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(thing))))


def entry(text: str, argument: str) -> str:
    """What a docstring says of one argument: its entry under Args, or all that is said."""
    names = rf"(?:\w+, )*{argument}(?:, \w+)*"
    following = r"^ *\w+(?:, \w+)*: |\n *\n|\Z"
    match = re.search(rf"^ *{names}: (.*?)(?={following})", text, re.DOTALL | re.MULTILINE)
    return match[1] if match else text


@every_public
def test_the_first_line_is_a_sentence(name):
    text = inspect.getdoc(PUBLIC[name])
    assert text and not text.startswith(PUBLIC[name].__name__ + "("), name
    first, *rest = text.split("\n")
    assert re.search(r"[.?:]$", first), first
    assert first[0].isupper() or first.startswith(("``", "torch")), first
    assert not rest or rest[0] == "", "one line, then an empty one"
    for method, function in methods(PUBLIC[name]).items() if inspect.isclass(PUBLIC[name]) else ():
        text = inspect.getdoc(function)
        assert text and re.search(r"[.?:]$", text.split("\n")[0]), method


@pytest.mark.parametrize("name", DOCUMENTED)
def test_shapes_are_given_where_tensors_are_taken(name):
    thing, text = DOCUMENTED[name]
    for parameter in inspect.signature(thing).parameters.values():
        annotation = str(parameter.annotation)
        if "Callable" not in annotation and any(kind in annotation for kind in TENSORS):
            assert SHAPE.search(entry(text, parameter.name)), parameter.name


@pytest.mark.parametrize("name", DOCUMENTED)
def test_ranges_are_given_where_they_are_checked(name):
    thing, text = DOCUMENTED[name]
    for call in ast.walk(source_of(thing)):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        kind, given = call.func.id, call.args[0] if call.args else None
        if not (kind.startswith("check_") and isinstance(given, ast.Constant)):
            continue
        said = entry(text, given.value.partition("[")[0])
        if kind in ("check_positive", "check_non_negative", "check_probability"):
            assert RANGE.search(said), given.value
        elif kind == "check_number" and call.keywords:
            assert RANGE.search(said), given.value
        elif kind == "check_int" and len(call.args) > 2:
            assert RANGE.search(said), given.value
        elif kind == "check_choice":
            assert '"' in said or ":" in said or "name" in said, given.value


@pytest.mark.parametrize("name", DOCUMENTED)
def test_errors_that_are_raised_are_named(name):
    thing, text = DOCUMENTED[name]
    raised = {
        node.exc.func.id
        for node in ast.walk(source_of(thing))
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
    }
    for error in raised - {"NotImplementedError"}:
        assert error in text, error


@every_public
def test_what_comes_from_a_paper_names_it(name):
    text = inspect.getdoc(PUBLIC[name])
    assert (name in FROM_PAPERS) != (name in OUR_OWN), "either from a paper or our own"
    if name in FROM_PAPERS:
        assert "Source:" in text
    for source in re.findall(r"Source: (.*?)(?:\n\n|\Z)", text, re.DOTALL):
        assert re.search(r"\b(?:18|19|20)\d\d\b", source) or "class:" in source, source


def test_the_lists_hold_no_name_that_has_gone():
    assert FROM_PAPERS | OUR_OWN <= set(PUBLIC)
