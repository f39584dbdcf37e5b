"""Every equation in a docstring is evaluated, as it stands there, against the code beside it.

What stands in double backticks and has an operator is read by ``equations.Scope``; below is, for
each docstring with such formulas, what its names stand for and what the code has to equal. A
formula that is not evaluated fails the test, and so does an equation outside of backticks.
"""

import ast
import math
import re
from collections.abc import Callable, Iterator
from statistics import NormalDist

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
import torch
from torch import Tensor, nn

import rnnnotes as rn
from equations import Family, Scope, formulas, sides
from public_names import PACKAGE
from rnnnotes.cells.base import add_product, linear
from rnnnotes.layers import dropout_factors

torch.set_num_threads(1)
B, T, D, H = 2, 6, 3, 4
DOUBLE = torch.float64
EXACT = 1e-12


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=DOUBLE, generator=seeded(seed))


def equal(found, expected, tolerance: float = EXACT) -> None:
    found, expected = (torch.as_tensor(x, dtype=DOUBLE).detach() for x in (found, expected))
    assert found.shape == expected.shape, (found.shape, expected.shape)
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


# ---- the docstrings and their formulas -----------------------------------------------------------


def docstrings() -> Iterator[tuple[str, str]]:
    """Every docstring of the package but the site's: ``cells/lstm.py:LSTMCell`` and its text."""

    def inside(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
        text = ast.get_docstring(node)
        if text:
            yield name, text
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef):
                within = f"{name}.{child.name}" if ":" in name else f"{name}:{child.name}"
                yield from inside(child, within)

    for path in sorted(PACKAGE.rglob("*.py")):
        file = path.relative_to(PACKAGE)
        if file.parts[0] != "site":
            yield from inside(ast.parse(path.read_text("utf-8")), file.as_posix())


# Formulas that say nothing about the code beside them.
NOTATION = {
    "min(P, M * arithmetic_intensity)",  # of machines
    "||W_out||^2",  # of what ridge_regression penalises, and is evaluated there
}
WITH_FORMULAS = {
    name: found
    for name, text in docstrings()
    if (found := [formula for formula in formulas(text) if formula not in NOTATION])
}


class Docstring:
    """The formulas of one docstring; it knows which have been evaluated."""

    def __init__(self, name: str) -> None:
        self.left = list(WITH_FORMULAS[name])

    def _take(self, left: str) -> tuple[str, str]:
        found = next((text for text in self.left if sides(text)[0] == left), None)
        assert found is not None, f"expected a formula for {left!r}, left are {self.left}"
        self.left.remove(found)
        return sides(found)

    def right(self, left: str = "") -> Callable[[Scope], object]:
        """The next formula whose left side this is, to be evaluated as often as one likes."""
        _, text = self._take(left)
        return lambda scope: scope.value(text)

    def value(self, left: str, scope: Scope):
        return self.right(left)(scope)

    def both(self, left: str, scope: Scope):
        """The values of both sides."""
        texts = self._take(left)
        return tuple(scope.value(text) for text in texts)


EVALUATIONS: dict[str, Callable[[Docstring], None]] = {}


def of(*names: str) -> Callable:
    """The decorated function evaluates the formulas of these docstrings."""

    def register(evaluate: Callable) -> Callable:
        for name in names:
            assert name not in EVALUATIONS, name
            EVALUATIONS[name] = evaluate
        return evaluate

    return register


# ---- cells ---------------------------------------------------------------------------------------


def cell_of(kind: Callable, *more: object, d: int = D, h: int = H, **options: object) -> rn.Cell:
    return kind(d, h, *more, generator=seeded(), dtype=DOUBLE, **options)


def run(cell: rn.Cell, steps: int = T) -> tuple[Tensor, list]:
    """Inputs (T, D) of one sequence, and its T + 1 states, from a random first one."""
    x = draw(1, steps, cell.input_size, seed=1)
    parts = tuple(draw(1, H, seed=2 + k).tanh() for k in range(len(cell.state_names)))
    states = rn.unroll(cell, x, parts if len(parts) > 1 else parts[0]).states
    return x[0], [tuple(part[0] for part in cell.parts(state)) for state in states]


def weights_of(cell: rn.Cell) -> dict[str, Tensor]:
    """Weights by their names in the equations: W_ih, or by gate W_ii, W_hi, b_ii, b_hi, b_i."""
    names = {"W_ih": cell.weight_ih, "W_hh": cell.weight_hh}
    names |= {"b_ih": cell.bias_ih, "b_hh": cell.bias_hh, "b": cell.bias_ih + cell.bias_hh}
    for k, gate in enumerate(cell.gate_names):
        rows = slice(k * H, (k + 1) * H)
        names |= {f"W_i{gate}": cell.weight_ih[rows], f"W_h{gate}": cell.weight_hh[rows]}
        names |= {f"b_i{gate}": cell.bias_ih[rows], f"b_h{gate}": cell.bias_hh[rows]}
        names[f"b_{gate}"] = cell.bias_ih[rows] + cell.bias_hh[rows]
    return names


def sequence_scope(cell: rn.Cell, **more: object) -> tuple[Scope, list]:
    x, states = run(cell)
    families = {
        name: Family.listed([state[k] for state in states])
        for k, name in enumerate(cell.state_names)
    }
    names = {"x": Family.listed(x, 1), "T": T, **families, **weights_of(cell), **more}
    return Scope(names), states


@of("cells/base.py:Cell")
def _(say):
    cell = cell_of(rn.ElmanCell)
    scope, states = sequence_scope(cell, step=lambda p, h: cell.step(p[None], h[None])[0])
    scope = scope.within(state=scope.names["h"])
    right = say.right("state_t")
    for t in range(1, T + 1):
        equal(right(scope.within(t=t)), states[t][0])


def one_and_several(function: Callable, right: Callable, names: dict[str, Tensor]) -> None:
    """``right`` of the names of one net, and of each of several nets side by side."""
    equal(
        function(*(named[0] for named in names.values())),
        right({k: v[0] for k, v in names.items()}),
    )
    together = function(*names.values())
    for s in range(len(together)):
        equal(together[s], right({name: named[s] for name, named in names.items()}))


@of("cells/base.py:add_product")
def _(say):
    right = say.right()
    names = {"added": draw(2, 1, H), "x": draw(2, 1, D, seed=1), "W": draw(2, H, D, seed=2)}

    def of_row(one: dict[str, Tensor]) -> Tensor:
        return right(Scope(one | {"x": one["x"][0], "added": one["added"][0]}))[None]

    one_and_several(add_product, of_row, names)


@of("cells/base.py:linear")
def _(say):
    right = say.right()
    names = {"x": draw(2, 1, D), "W": draw(2, H, D, seed=1), "b": draw(2, 1, H, seed=2)}

    def of_row(one: dict[str, Tensor]) -> Tensor:
        return right(Scope(one | {"x": one["x"][0], "b": one["b"][0]}))[None]

    one_and_several(linear, of_row, names)
    equal(linear(names["x"], names["W"]), linear(*names.values()) - names["b"])


@of("cells/base.py:Cell.project_input")
def _(say):
    cell, x = cell_of(rn.LSTMCell), draw(D)
    equal(say.value("", Scope({**weights_of(cell), "x": x})), cell.project_input(x))


@of("cells/elman.py:ElmanCell")
def _(say):
    phis = {
        "tanh": torch.tanh,
        "relu": lambda a: a.clamp_min(0),
        "leaky_relu": lambda a: torch.where(a > 0, a, 0.01 * a),
        "identity": lambda a: a,
    }
    assert set(phis) == set(rn.ElmanCell.nonlinearities)
    right = say.right("h_t")
    for name, phi in phis.items():
        scope, states = sequence_scope(cell_of(rn.ElmanCell, name), phi=phi)
        for t in range(1, T + 1):
            equal(right(scope.within(t=t)), states[t][0])


@of("cells/elman.py:ElmanCell.step")
def _(say):
    cell, projected, h = cell_of(rn.ElmanCell), draw(H, seed=1), draw(H, seed=2)
    scope = Scope({**weights_of(cell), "projected": projected, "h": h, "phi": torch.tanh})
    equal(say.value("", scope), cell.step(projected[None], h[None])[0])


@of("cells/elman.py:irnn")
def _(say):
    cell = cell_of(rn.irnn, scale=0.5)
    scope = Scope({"scale": 0.5, "I": torch.eye(H, dtype=DOUBLE)})
    equal(say.value("W_hh", scope), cell.weight_hh)
    equal(say.value("b", scope) + torch.zeros(2 * H), torch.cat([cell.bias_ih, cell.bias_hh]))
    cell, x = cell_of(rn.irnn), draw(1, T, D, seed=1).abs()
    with torch.no_grad():
        cell.weight_ih.abs_()
    states = [state[0] for state in rn.unroll(cell, x).states]
    names = {"W_ih": cell.weight_ih, "h": Family.listed(states), "x": Family.listed(x[0], 1)}
    right = say.right("h_t")
    for t in range(1, T + 1):
        equal(right(Scope({**names, "t": t})), states[t])


@of("cells/gru.py:GRUCell")
def _(say):
    gates = {name: say.right(name) for name in "rz"}
    candidates = {reset: say.right("n") for reset in ("after", "before")}
    mixed = say.right("h_t")
    for reset, candidate in candidates.items():
        cell = cell_of(rn.GRUCell, reset=reset)
        scope, states = sequence_scope(cell)
        for t in range(1, T + 1):
            now = scope.within(t=t)
            now = now.within(**{name: right(now) for name, right in gates.items()})
            now = now.within(n=candidate(now))
            equal(mixed(now), states[t][0])
            shown = cell.gates(scope.named(f"x_{{{t}}}")[None], states[t - 1][0][None])
            for name in "rzn":
                equal(now.names[name], shown[name][0])


@of("cells/gru.py:GRUCell.project_input")
def _(say):
    cell, x = cell_of(rn.GRUCell), draw(D)
    equal(say.value("", Scope({**weights_of(cell), "x": x})), cell.project_input(x))


@of("cells/lstm.py:LSTMCell")
def _(say):
    rights = {left: say.right(left) for left in ("i", "f", "g", "o", "c_t", "h_t")}
    scope, states = sequence_scope(cell_of(rn.LSTMCell))
    for t in range(1, T + 1):
        now = scope.within(t=t)
        for left, right in rights.items():
            now = now.within(**{left: right(now)})
        equal(now.names["h_t"], states[t][0])
        equal(now.names["c_t"], states[t][1])


def variant_rights(say: Docstring, variant: str) -> dict[str, Callable]:
    return {left: say.right(left) for left in ("i", "f", "g", "c_t", "o", "h_t")}


@of("cells/lstm_variants.py:LSTMVariantCell")
def _(say):
    rights = variant_rights(say, "V")
    recurrent = say.right()
    for variant in ("V", "CIFG", "NIG", "NFG", "NOG", "FGR"):
        cell = cell_of(rn.LSTMVariantCell, variant)
        peepholes = {f"p_{k}": getattr(cell, f"peephole_{k}", None) for k in "ifo"}
        scope, states = sequence_scope(cell, **peepholes)
        now_rights = dict(rights)
        # What a variant changes stands in the table of variants, as an equation.
        for left, right in re.findall(r"([ifo]) = (.+)$", rn.VARIANTS[variant]):
            now_rights[left] = lambda now, right=right: now.value(right) + torch.zeros(H)
        for t in range(1, T + 1):
            now = scope.within(t=t)
            more = torch.zeros(3 * H, dtype=DOUBLE)
            if variant == "FGR":
                more = recurrent(now.within(W_gg=cell.weight_gg))
            now = now.within(
                **{
                    f"b_{k}": now.names.get(f"b_{k}", 0) + more[n * H : (n + 1) * H]
                    for n, k in enumerate("ifo")
                }
            )
            for left in ("i", "f", "g", "c_t", "o", "h_t"):
                now = now.within(**{left: now_rights[left](now)})
            equal(now.names["h_t"], states[t][0])
            equal(now.names["c_t"], states[t][1])


# ---- spectra, starts -----------------------------------------------------------------------------


@of("spectra.py:spectral_radius")
def _(say):
    matrix = draw(5, 5)
    values = torch.linalg.eigvals(matrix)
    scope = Scope({"lambda": Family.listed(values)}, {"i": range(5)})
    rho = rn.spectral_radius(matrix)
    equal(say.value("rho", scope), rho)
    norm, radius, limit = say.right(), say.right(), say.right("rho")
    names = {"norm": rn.spectral_norm, "rho": rho, "W": matrix, "lim": 1}
    ratios = [norm(s) / radius(s) for s in (Scope({**names, "k": k}) for k in (40, 60, 80))]
    assert max(ratios) / min(ratios) < 5  # they grow alike, where rho^k grows by much more
    equal(limit(Scope({**names, "k": 2000, "W": matrix / rho})), 1, 0.01)


@of("spectra.py:spectral_norm")
def _(say):
    matrix = draw(4, 3)
    directions = torch.cat([draw(3, 500, seed=1), torch.linalg.svd(matrix).Vh.mT], 1)
    scope = Scope({"W": matrix, "v": directions, "norm": lambda x: x.norm(dim=0)})
    equal(say.value("", scope), rn.spectral_norm(matrix))


@of("spectra.py:henrici")
def _(say):
    matrix = draw(5, 5)
    values = torch.linalg.eigvals(matrix)
    scope = Scope({"W": matrix, "lambda": Family.listed(values)}, {"i": range(5)})
    equal(say.value("", scope), rn.henrici(matrix), 1e-10)
    normal, zero = matrix - matrix.mT, say.right()
    equal(*say.both("W W'", Scope({"W": normal})))
    assert rn.henrici(normal) < zero(Scope({"W": normal})) * 10
    relative = rn.henrici(matrix, relative=True)
    equal(rn.henrici(matrix) / say.value("", scope), relative, 1e-10)


@of("init.py:uniform_")
def _(say):
    size, near = 300, say.right()
    bound = say.value("bound", Scope({"H": size})).item()
    torchs = torch.nn.RNN(1, size).weight_hh_l0
    assert 0.999 * bound < torchs.abs().max() <= bound
    radii = [
        rn.spectral_radius(rn.uniform_(torch.empty(size, size), bound, generator=seeded(k)))
        for k in range(4)
    ]
    expected = near(Scope({"bound": bound, "H": size})).item()
    assert torch.stack(radii).mean().item() == pytest.approx(expected, rel=0.05)
    assert f"{expected:.2f}" == "0.58"


@of("init.py:xavier_")
def _(say):
    weight = rn.xavier_(torch.empty(4 * 50, 70, dtype=DOUBLE), 1.5, blocks=4, generator=seeded())
    a = say.value("a", Scope({"gain": 1.5, "fan_in": 70, "fan_out": 50})).item()
    assert 0.999 * a < weight.abs().max().item() <= a


@of("init.py:orthogonal_")
def _(say):
    q = rn.orthogonal_(torch.empty(5, 5, dtype=DOUBLE), generator=seeded())
    equal(*say.both("Q'Q", Scope({"Q": q, "I": torch.eye(5, dtype=DOUBLE)})))


@of("init.py:scale_spectral_radius_")
def _(say):
    matrix = draw(5, 5)
    scope = Scope({"W": matrix.clone(), "radius": 0.7, "rho": rn.spectral_radius})
    equal(say.value("W", scope), rn.scale_spectral_radius_(matrix, 0.7))


# ---- layers, gradient flow -----------------------------------------------------------------------


@of("layers.py:Stacked")
def _(say):
    cells = [cell_of(rn.GRUCell), *(cell_of(rn.GRUCell, d=H) for _ in range(2))]
    x = draw(B, T, D, seed=1)
    outputs = [rn.Recurrent(cells[0])(x)[0]]
    right = say.right("output_l")
    for cell in cells[1:]:
        layer = rn.Recurrent(cell)
        names = {"layer": lambda y, layer=layer: layer(y)[0], "output": Family.listed(outputs)}
        outputs.append(right(Scope({**names, "l": len(outputs)})))
    equal(outputs[-1], rn.Stacked(cells, residual=True)(x)[0])


@of("gradient_flow.py")
def _(say):
    cell, x = cell_of(rn.ElmanCell), draw(1, T, D)
    lag, norms = say.right("lag"), rn.gradient_norms_by_lag(cell, x)
    trajectory = rn.unroll(cell, x)
    (gradients,) = rn.state_gradients(rn.last_step_sum(trajectory.hidden), trajectory)
    for t in range(1, T + 1):
        equal(norms[lag(Scope({"T": T, "t": t}))], gradients[t - 1].norm())


def stepper(cell: rn.Cell, x: Tensor) -> Callable[[Tensor], Tensor]:
    """One step as a function of the joined state."""

    def step(s: Tensor) -> Tensor:
        parts = tuple(part[None] for part in s.split(H))
        after = cell(x[None], parts if len(parts) > 1 else parts[0])
        return torch.cat(cell.parts(after), dim=1)[0]

    return step


@of("gradient_flow.py:step_jacobians")
def _(say):
    right = say.right("J_t[i, j]")
    for kind in (rn.ElmanCell, rn.LSTMCell):
        cell = cell_of(kind)
        x, states = run(cell, 3)
        first = tuple(part[None] for part in states[0])
        jacobians = rn.step_jacobians(cell, x[None], first if len(first) > 1 else first[0])
        size = jacobians.shape[-1]

        def derivative(after: str, before: str, scope: Scope, cell=cell, x=x, states=states):
            """Of s_t[i] by s_{t-1}[j], by a central difference."""
            (s, t, (i,)), (_, earlier, (j,)) = scope.place(after), scope.place(before)
            assert s == "s" and earlier == t - 1
            step, state, nudge = stepper(cell, x[t - 1]), torch.cat(states[t - 1]), 1e-6
            way = nudge * torch.eye(len(state), dtype=DOUBLE)[j]
            return (step(state + way)[i] - step(state - way)[i]) / (2 * nudge)

        for t in range(1, 4):
            for i in range(size):
                for j in range(size):
                    scope = Scope({"t": t, "i": i, "j": j}, {}, derivative)
                    equal(right(scope), jacobians[t - 1, 0, i, j], 1e-8)


@of("gradient_flow.py:jacobian_product")
def _(say):
    cell = cell_of(rn.LSTMCell)
    x, states = run(cell)
    start, end = 1, T

    def derivative(after: str, before: str, scope: Scope) -> Tensor:
        """The Jacobian of several steps at once."""

        def steps(s: Tensor) -> Tensor:
            for t in range(scope.place(before)[1] + 1, scope.place(after)[1] + 1):
                s = stepper(cell, x[t - 1])(s)
            return s

        return torch.autograd.functional.jacobian(steps, torch.cat(states[start]))

    jacobians = rn.step_jacobians(cell, x[None], tuple(part[None] for part in states[0]))
    names = {"J": Family.listed(jacobians[:, 0], 1), "start": start, "end": end}
    scope = Scope(names, derivative=derivative)
    left, right = say.both("d s_end / d s_start", scope)
    equal(left, right)
    equal(rn.jacobian_product(jacobians, start, end)[0], right)


def loss_of(h: Tensor) -> Tensor:
    """A loss of every step, not symmetric in anything."""
    return (h * draw(*h.shape[1:], seed=9)).sum(dim=(1, 2)).square().sum()


@of("gradient_flow.py:gradient_norms_by_lag")
def _(say):
    cell, x = cell_of(rn.ElmanCell), draw(B, T, D)
    h, states = torch.zeros(B, H, dtype=DOUBLE), []
    for t in range(T):
        h = cell(x[:, t], h)
        states.append(h)
    gradients = torch.autograd.grad(loss_of(torch.stack(states, 1)), states)

    def by_state(of_what: str, by: str, scope: Scope) -> Tensor:
        _, t, (b,) = scope.place(by)
        return gradients[t - 1][b]

    right, norms = say.right("norms[k]"), rn.gradient_norms_by_lag(cell, x, loss_of)
    for k in range(T):
        equal(right(Scope({"T": T, "k": k}, {"b": range(B)}, by_state)), norms[k])

    model, inputs = nn.Linear(D, H).double(), x.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(loss_of(model(inputs)), inputs)

    def by_input(of_what: str, by: str, scope: Scope) -> Tensor:
        _, t, (b,) = scope.place(by)
        return slopes[b, t - 1]

    right, norms = say.right(), rn.gradient_norms_by_lag(model, x, loss_of, reduce="none")
    for k in range(T):
        for b in range(B):
            equal(right(Scope({"T": T, "k": k, "b": b}, {}, by_input)), norms[k, b])


@of("gradient_flow.py:horizon")
def _(say):
    right = say.right("horizon")
    for norms in (0.5 ** torch.arange(20.0), torch.ones(5), torch.tensor([1.0, 1e-4, 1.0])):
        scope = Scope({"norms": norms, "fraction": 1e-3}, {"k": range(len(norms))})
        assert right(scope) == rn.horizon(norms, 1e-3)


@of("gradient_flow.py:untied_contributions")
def _(say):
    cell, x = cell_of(rn.LSTMCell), draw(B, T, D)
    parts = rn.untied_contributions(cell, x, loss_of)
    (tied,) = torch.autograd.grad(loss_of(rn.unroll(cell, x).hidden), cell.weight_hh)

    def derivative(of_what: str, by: str, scope: Scope) -> Tensor:
        _, t, _ = scope.place(by)
        return tied if t is None else parts[t - 1]

    equal(*say.both("dL/dW", Scope({}, {"t": range(1, T + 1)}, derivative)))


@of("gradient_flow.py:CellPath")
def _(say):
    path = rn.direct_path(cell_of(rn.LSTMCell), draw(B, T, D))
    equal(say.value("total", Scope(path._asdict())), path.total)


@of("gradient_flow.py:direct_path")
def _(say):
    cell, x = cell_of(rn.LSTMCell), draw(B, T, D)
    trajectory = rn.unroll(cell, x)
    f = trajectory.gates()["f"].unbind(1)
    c = trajectory.states[-1][1]
    (last,) = torch.autograd.grad(rn.last_step_sum(trajectory.hidden), c)
    direct, right = rn.direct_path(cell, x).direct, say.right("direct[k]")
    for k in range(4, T):
        scope = Scope({"f": Family.listed(f, 1), "T": T, "k": k}, {}, lambda a, b, scope: last)
        equal(right(scope), direct[k])


# ---- shortcuts, convolutions ---------------------------------------------------------------------


def feed_forward(d: int = D, h: int = H, phi: str = "tanh") -> rn.FeedForward:
    layer = rn.FeedForward(d, h, phi, generator=seeded(), dtype=DOUBLE)
    rn.uniform_(layer.bias, 1.0, generator=seeded(1))
    return layer


@of("shortcuts.py:FeedForward")
def _(say):
    layer, x = feed_forward(), draw(D, seed=1)
    scope = Scope({"phi": torch.tanh, "W": layer.weight, "b": layer.bias, "x": x})
    equal(say.value("y", scope), layer(x))
    sizes = Scope({"gain": 1.5, "D": 300, "H": 400})
    rows, columns = (say.value("", sizes) for _ in range(2))
    for init in ("normal", "uniform"):
        weight = rn.FeedForward(300, 400, init=init, gain=1.5, generator=seeded()).weight
        assert weight.var().item() == pytest.approx(rows, rel=0.02)
    wide = rn.FeedForward(300, 400, init="orthogonal", gain=1.5, generator=seeded()).weight
    assert wide.var().item() == pytest.approx(columns, rel=0.02)


@of("shortcuts.py:FeedForward.forward")
def _(say):
    layer, x = feed_forward(), draw(D, seed=1)
    scope = Scope({"phi": torch.tanh, "W": layer.weight, "b": layer.bias, "x": x})
    equal(say.value("", scope), layer(x))


@of("shortcuts.py:Residual", "shortcuts.py:Residual.forward")
def _(say):
    inner, x = feed_forward(H), draw(H, seed=1)
    scope = Scope({"F": inner, "x": x, "I": torch.eye(H, dtype=DOUBLE)})
    layer = rn.Residual(inner)
    if len(say.left) == 1:
        equal(say.value("", scope), layer(x))
        return
    equal(say.value("y", scope), layer(x))
    jacobian = torch.autograd.functional.jacobian
    slopes = {"y": jacobian(layer, x), "F": jacobian(inner, x)}
    scope.derivative = lambda of_what, by, scope: slopes[of_what]
    equal(*say.both("dy/dx", scope))


@of("shortcuts.py:Highway", "shortcuts.py:Highway.forward")
def _(say):
    inner, gate, x = feed_forward(H), feed_forward(H, phi="sigmoid"), draw(H, seed=1)
    layer = rn.Highway(inner, gate, -1.5)
    scope = Scope({"H": inner, "T": gate, "x": x, "W_T": gate.weight, "b_T": gate.bias})
    equal(gate.bias, torch.full((H,), -1.5))
    if len(say.left) == 1:
        equal(say.value("", scope), layer(x))
        return
    equal(say.value("y", scope), layer(x))
    equal(say.value("T(x)", scope), gate(x))


@of("shortcuts.py:DeepNet")
def _(say):
    x = draw(H, seed=1)
    gate = say.right("t")
    for shortcut in ("none", "residual", "highway", "dense"):
        net = rn.DeepNet(H, 4, shortcut=shortcut, generator=seeded(), dtype=DOUBLE)
        for name, parameter in net.named_parameters():
            if name.endswith("bias"):
                rn.uniform_(parameter, 1.0, generator=seeded(len(name)))
        values, right = net.activations(x), say.right("x_l")
        inner = [getattr(layer, "inner", layer) for layer in net.layers]
        names = {
            "x": Family.listed(values),
            "W": Family.listed([layer.weight for layer in inner], 1),
            "b": Family.listed([layer.bias for layer in inner], 1),
            "phi": torch.tanh,
        }
        if shortcut == "highway":
            names["T"] = Family.listed([layer.gate for layer in net.layers], 1)
        for l in range(2 if shortcut != "dense" else 3, 5):
            scope = Scope({**names, "l": l})
            if shortcut == "highway":
                scope = scope.within(t=gate(scope))
            equal(right(scope), values[l])
    tied, right = rn.DeepNet(H, 3, tied=True, generator=seeded()), say.right("W_l")
    for layer in tied.layers:
        equal(right(Scope({"W": tied.layers[0].weight})), layer.weight)


@of("shortcuts.py:Attention")
def _(say):
    states, query = draw(1, T, H), draw(1, H, seed=1)
    context, softmax = say.right("context"), say.right("a")
    scores = {name: say.right("e_t") for name in ("additive", "dot")}
    slope = say.right()
    for name, score in scores.items():
        attention = rn.Attention(H, name, 5, generator=seeded(), dtype=DOUBLE)
        names = {
            "v": attention.weight_score,
            "W_q": attention.weight_query,
            "W_k": attention.weight_key,
            "q": query[0],
            "A": 5,
            "h": Family.listed(states[0], 1),
        }
        e = torch.stack([score(Scope({**names, "t": t})) for t in range(1, T + 1)])
        a = softmax(Scope({"softmax": lambda e: e.softmax(0), "e": e}))
        attended = attention(states, query=query)
        equal(a, attended.weights[0])
        scope = Scope({**names, "a": Family.listed(a, 1)}, {"t": range(1, T + 1)})
        equal(context(scope), attended.context[0])

    def derivative(of_what: str, by: str, scope: Scope) -> Tensor:
        """Of the context by h_t, the weights held."""
        values = states[0].clone().requires_grad_()
        held = (a.detach()[:, None] * values).sum(0)
        rows = [torch.autograd.grad(part, values, retain_graph=True)[0] for part in held]
        return torch.stack([row[scope.place(by)[1] - 1] for row in rows])

    for t in range(1, T + 1):
        scope = Scope({"t": t}, {}, derivative)
        equal(slope(scope), a[t - 1] * torch.eye(H, dtype=DOUBLE))


@of("shortcuts.py:AttentionReadout")
def _(say):
    readout = rn.AttentionReadout(rn.Recurrent(cell_of(rn.GRUCell)), 2, generator=seeded())
    rn.uniform_(readout.head.bias, 1.0, generator=seeded(1))
    x = draw(1, T, D, seed=1)
    names = {
        "W_out": readout.head.weight,
        "b_out": readout.head.bias,
        "context": readout.attend(x).context[0],
        "h": Family.listed(readout.layer(x)[0][0], 1),
        "T": T,
    }
    equal(say.value("y", Scope(names)), readout(x)[0])


@of("conv.py:CausalConv1d")
def _(say):
    k, d = 3, 2
    layer = rn.CausalConv1d(D, H, k, d, generator=seeded(), dtype=DOUBLE)
    x, y = draw(1, T, D, seed=1), say.right("y_t")
    a = say.value("a", Scope({"k": k, "D": D})).item()
    wide = rn.CausalConv1d(D, 500, k, generator=seeded(), dtype=DOUBLE)
    assert 0.99 * a < wide.weight.abs().max().item() <= a
    before = Family(lambda t: x[0, t - 1] if t >= 1 else torch.zeros(D, dtype=DOUBLE))
    names = {"b": layer.bias, "W": layer.weight, "x": before, "k": k, "d": d}
    output = layer(x)[0]
    for t in range(1, T + 1):
        equal(y(Scope({**names, "t": t}, {"j": range(k)})), output[t - 1])


@of("conv.py:TemporalBlock")
def _(say):
    block = rn.TemporalBlock(D, H, 2, 2, generator=seeded(), dtype=DOUBLE)
    x, inner, outer = draw(1, T, D, seed=1), say.right("F(x)"), say.right("y")
    names = {"conv_1": block.conv_1, "conv_2": block.conv_2, "skip": block.skip, "x": x}
    scope = Scope({**names, "drop": lambda value: value})
    equal(outer(scope.within(F=lambda x: inner(scope.within(x=x)))), block(x))
    normed = rn.TemporalBlock(D, H, 2, weight_norm=True, generator=seeded(), dtype=DOUBLE).conv_1
    kept, right = normed.parametrizations.weight, say.right("W")
    for row in range(H):
        scope = Scope({"g": kept.original0[row].squeeze(), "V": kept.original1[row]})
        equal(right(scope), normed.weight[row])


@of("conv.py:TemporalConvNet")
def _(say):
    field = say.right()
    for k, n in ((2, 1), (2, 4), (3, 3)):
        net = rn.TemporalConvNet(1, [8] * n, k, generator=seeded(), dtype=DOUBLE)
        expected = field(Scope({"k": k, "n": n}))
        assert expected == net.receptive_field
        assert expected == rn.measured_receptive_field(net, draw(50, expected + 3, 1))


@of("conv.py:TextCNN")
def _(say):
    net = rn.TextCNN(D, 2, 3, (2, 3), generator=seeded(), dtype=DOUBLE)
    x = draw(1, T, D, seed=1)
    window, largest, read = say.right("c_i"), say.right("z"), say.right("y")
    z = []
    for k, weight, bias in zip((2, 3), net.weights, net.biases, strict=True):
        for feature in range(2):
            names = {"w": weight[feature].T, "b": bias[feature], "k": k}
            names["x"] = Family.listed(x[0], 1)
            scope = Scope(names, {"i": range(1, T - k + 2)})
            c = Family(lambda i, scope=scope: window(scope.within(i=i)))
            z.append(largest(scope.within(c=c)))
    z = torch.stack(z)
    equal(z, net.features(x)[0])
    names = {"W_out": net.head.weight, "b_out": net.head.bias, "z": z, "drop": lambda z: z}
    equal(read(Scope(names)), net(x)[0])


@of("conv.py:receptive_field")
def _(say):
    dilations, right = [1, 2, 4, 3], say.right()
    scope = Scope({"k": 3, "d": Family.listed(dilations, 1)}, {"l": range(1, 5)})
    assert right(scope) == rn.receptive_field(3, dilations)


@of("conv.py:measured_receptive_field")
def _(say):
    net, position = rn.CausalConv1d(D, H, 3, 2, generator=seeded(), dtype=DOUBLE), T - 1
    x = draw(1, T, D, seed=1).requires_grad_()
    (slopes,) = torch.autograd.grad(net(x)[0, position].sum(), x)
    extent, differs = say.right(), say.right()
    scope = Scope({}, {}, lambda a, b, scope: slopes[0, scope.place(b)[1]])
    seen = [t for t in range(T) if differs(scope.within(t=t)).any()]
    found = extent(Scope({"first": seen[0], "last": seen[-1]}))
    assert found == rn.measured_receptive_field(net, x, position) == 5


@of("layers.py:dropout_factors")
def _(say):
    factors = dropout_factors(torch.empty(1000, dtype=DOUBLE), 0.2, seeded())
    expected = say.value("", Scope({"dropout": 0.2}))
    assert factors.unique().tolist() == pytest.approx([0.0, expected])
    assert (factors == 0).double().mean().item() == pytest.approx(0.2, abs=0.04)


# ---- cost ----------------------------------------------------------------------------------------

CELLS = {1: rn.ElmanCell, 3: rn.GRUCell, 4: rn.LSTMCell}


@of("cost.py:Cost.arithmetic_intensity")
def _(say):
    cost = rn.step_cost(cell_of(rn.LSTMCell), 3)
    scope = Scope({"flops": cost.flops, "bytes_moved": cost.bytes_moved})
    equal(say.value("", scope), cost.arithmetic_intensity)


@of("cost.py:parameter_count")
def _(say):
    cells, recurrent, convolution = (say.right() for _ in range(3))
    for k, kind in CELLS.items():
        scope = Scope({"k": k, "H": H, "D": D})
        assert cells(scope) == rn.parameter_count(cell_of(kind))
    full, plain = (rn.parameter_count(rn.LSTMVariantCell(D, H, v)) for v in ("FGR", "V"))
    assert recurrent(Scope({"H": H})) == full - plain
    assert convolution(Scope({"k": 2, "H": H, "D": D})) == rn.parameter_count(
        rn.CausalConv1d(D, H, 2)
    )


@of("cost.py:step_cost")
def _(say):
    cells, recurrent = say.right("product_flops"), say.right()
    convolution = say.right("product_flops")
    for k, kind in CELLS.items():
        scope = Scope({"k": k, "H": H, "D": D, "B": B})
        assert cells(scope) == rn.step_cost(cell_of(kind), B).product_flops
    full, plain = (rn.step_cost(rn.LSTMVariantCell(D, H, v), B).product_flops for v in ("FGR", "V"))
    assert recurrent(Scope({"B": B, "H": H})) == full - plain
    scope = Scope({"k": 3, "H": H, "D": D, "B": B})
    assert convolution(scope) == rn.step_cost(rn.CausalConv1d(D, H, 3), B).product_flops


# ---- reservoir -----------------------------------------------------------------------------------


@of("reservoir.py:LeakyIntegratorCell")
def _(say):
    cell = cell_of(rn.LeakyIntegratorCell, 0.3)
    scope, states = sequence_scope(cell, a=0.3, phi=torch.tanh)
    right = say.right("h_t")
    for t in range(1, T + 1):
        equal(right(scope.within(t=t)), states[t][0])
    still = cell_of(rn.LeakyIntegratorCell, 0.3, bias=False)
    x = torch.zeros(1, 1, D, dtype=DOUBLE)
    scope = Scope({"a": 0.3, "I": torch.eye(H, dtype=DOUBLE), "W_hh": still.weight_hh})
    equal(say.value("", scope), rn.step_jacobians(still, x)[0, 0])


@of("reservoir.py:LeakyIntegratorCell.step")
def _(say):
    cell, projected, h = cell_of(rn.LeakyIntegratorCell, 0.3), draw(H, seed=1), draw(H, seed=2)
    scope = Scope({**weights_of(cell), "projected": projected, "h": h, "a": 0.3})
    equal(say.value("", scope.within(phi=torch.tanh)), cell.step(projected[None], h[None])[0])


def reservoir() -> rn.EchoStateNetwork:
    series = draw(1, 40, D, seed=3).cumsum(1).sin()
    network = rn.EchoStateNetwork(D, H, D, density=0.8, washout=5, generator=seeded())
    return network.fit(series[:, :-1], series[:, 1:], 1e-3)


@of("reservoir.py:EchoStateNetwork")
def _(say):
    network, x, right = reservoir(), draw(1, T, D, seed=1), say.right("y_t")
    h = Family.listed(network.states(x)[0], 1)
    names = {"W_out": network.weight_out, "b_out": network.bias_out, "h": h}
    for t in range(1, T + 1):
        equal(right(Scope({**names, "t": t})), network(x)[0, t - 1])


@of("reservoir.py:EchoStateNetwork.forecast")
def _(say):
    network, x = reservoir(), draw(1, T, D, seed=1)
    read, closed = say.right("y_{T+k}"), say.right("x_{T+k}")
    states = [network.states(x)[:, -1]]
    values = []
    names = {"W_out": network.weight_out, "b_out": network.bias_out, "T": T}
    for k in range(4):
        scope = Scope({**names, "k": k, "h": Family.listed([s[0] for s in states], T)})
        if k:
            fed = closed(scope.within(y=Family.listed(values, T)))
            states.append(network.cell(fed[None], states[-1]))
            scope = scope.within(h=Family.listed([s[0] for s in states], T))
        values.append(read(scope))
    equal(torch.stack(values), network.forecast(x, 4)[0])


@of("reservoir.py:ridge_regression")
def _(say):
    x, y, ridge = draw(20, 5), draw(20, 2, seed=1), 0.3
    weight, bias = rn.ridge_regression(x, y, ridge)
    cost = say.right()

    def lost(w: Tensor, b: Tensor) -> Tensor:
        return cost(Scope({"X": x, "Y": y, "W": w, "b": b, "ridge": ridge}))

    slopes = torch.autograd.functional.jacobian(lost, (weight, bias))
    equal(slopes[0], torch.zeros(2, 5), 1e-10)
    equal(slopes[1], torch.zeros(2), 1e-10)
    assert lost(weight, bias) < lost(1.01 * weight, bias)
    centred = {"X": x - x.mean(0), "Y": y - y.mean(0), "ridge": ridge}
    equal(say.value("W'", Scope({**centred, "I": torch.eye(5, dtype=DOUBLE)})), weight.T)
    means = {"X": x, "Y": y, "W": weight, "mean": lambda values: values.mean(0)}
    equal(say.value("b", Scope(means)), bias)
    q, r = torch.linalg.qr(centred["X"])
    u, s, vh = torch.linalg.svd(r)
    parts = {"V": vh.T, "U": u, "Q": q, "s": s}
    equal(say.value("W'", Scope({**centred, **parts})), weight.T)


@of("reservoir.py:contraction")
def _(say):
    cell, x = cell_of(rn.ElmanCell), draw(1, T, D, seed=1)
    found = rn.contraction(cell, x, generator=seeded(5))
    starts = torch.zeros(2, H, dtype=DOUBLE).uniform_(-1, 1, generator=seeded(5))
    runs = [rn.unroll(cell, x, start[None]).states for start in starts]
    names = {
        name: Family.listed([h[0] for h in r]) for name, r in zip(("s", "s'"), runs, strict=True)
    }
    right = say.right()
    for t in range(T + 1):
        equal(right(Scope({**names, "t": t})), found[0, t])


# ---- tasks ---------------------------------------------------------------------------------------


@of("tasks/adding.py:adding")
def _(say):
    batch, right = rn.tasks.adding(9).sample(20, seeded()), say.right("y")
    for inputs, target in zip(batch.inputs, batch.targets, strict=True):
        i, j = inputs[:, 1].nonzero()[:, 0].tolist()
        assert i < 4 <= j
        equal(right(Scope({"u": Family.listed(inputs[:, 0]), "i": i, "j": j})), target[0])


@of("tasks/copy.py:Copy.baseline_loss")
def _(say):
    task = rn.tasks.copy(30, 7, 5)
    expected = say.value("", Scope({"S": 5, "K": 7, "length": 30}))
    equal(expected, task.baseline_loss())


@of("tasks/latch.py:latch")
def _(say):
    batch, right = rn.tasks.latch(9, cue=4).sample(20, seeded()), say.right("u_t")
    for inputs, y in zip(batch.inputs, batch.targets, strict=True):
        for u in inputs[:4, 0]:
            equal(right(Scope({"y": y})), u)


@of("tasks/temporal_order.py:TemporalOrder")
def _(say):
    task = rn.tasks.temporal_order(30)
    batch, right = task.sample(50, seeded()), say.right()
    for inputs, target in zip(batch.inputs, batch.targets.tolist(), strict=True):
        shown = inputs.argmax(1)
        first, second = shown[shown < 2].tolist()
        assert right(Scope({"first": first, "second": second})) == target


@of("tasks/mackey_glass.py:MackeyGlass.nrmse")
def _(say):
    task = rn.tasks.mackey_glass(20)
    output, target = draw(7, 1), draw(7, 1, seed=1)
    answers = task._runs()[:, -2000:]
    names = {"output": output, "target": target, "variance": answers.var(correction=0)}
    equal(say.value("", Scope(names)), task.nrmse(output, target))


@of("tasks/mackey_glass.py:mackey_glass_series")
def _(say):
    given = {"beta": 0.2, "gamma": 0.1, "tau": 17.0, "exponent": 10.0}
    step = 0.01
    series = rn.tasks.mackey_glass_series(4000, step=step, stride=1, discard=3000)
    slope = say.right("dx/dt")
    for place in (1800, 2500, 3999 - 5):
        x = {0.0: series[place], 17.0: series[place - 1700]}
        names = {**given, "t": 0.0, "x": lambda t, x=x: x[-t]}
        measured = (series[place + 1] - series[place - 1]) / (2 * step)
        equal(slope(Scope(names)), measured, 1e-5)
    start = rn.tasks.mackey_glass_series(1, history=0.7, discard=0)[0]
    equal(say.value("x(t)", Scope({"history": 0.7})), start)
    assert say.value("", Scope({"step": 0.1, "stride": 10})) == pytest.approx(1.0)
    plain, squashed = (rn.tasks.mackey_glass_series(5, squash=s) for s in (False, True))
    equal(say.value("", Scope({"x": plain})), squashed)


@of("tasks/mackey_glass.py:nrmse84")
def _(say):
    given: dict[str, Tensor] = {}

    def forecast(inputs: Tensor, steps: int) -> Tensor:
        given["y"] = draw(len(inputs), steps, 1)
        return given["y"]

    found = rn.tasks.nrmse84(forecast, generator=seeded(), runs=5, warmup=30)
    task = rn.tasks.mackey_glass(30, 84)
    true = task.sample(5, seeded()).targets[:, 0]
    names = {
        "x": Family.listed(true),
        "y": Family.listed(given["y"][:, -1, 0]),
        "runs": 5,
        "variance": task._runs()[:, -2000:].var(correction=0),
    }
    equal(say.value("", Scope(names, {"i": range(5)})), found)


# ---- training ------------------------------------------------------------------------------------


@of("training/ensemble.py:Ensemble")
def _(say):
    models = [
        rn.SequenceModel(rn.Recurrent(cell_of(rn.ElmanCell)), 2, generator=seeded(s))
        for s in range(2)
    ]
    rn.uniform_(models[1].layer.cell.weight_hh, 1.0, generator=seeded(7))
    x = draw(2, 1, T, D)
    ensemble = rn.Ensemble(models)
    last, outputs = ensemble.states(x)[-1], ensemble(x)
    read = say.right("y")
    for s, model in enumerate(models):
        names = {"W": model.head.weight, "b": model.head.bias, "h": last[s, 0]}
        equal(read(Scope(names)), outputs[s, 0])


@of("training/clipping.py:clip_scalar")
def _(say):
    right = say.right("clip(g)")
    for g in (-3.0, -1.0, -0.2, 0.0, 0.7, 1.0, 40.0):
        scope = Scope({"g": torch.tensor(g, dtype=DOUBLE), "threshold": 1.0})
        equal(right(scope), rn.clip_scalar(g, 1.0))


def parameters(scale: float = 1.0) -> tuple[list[nn.Parameter], list[Tensor]]:
    gradients = [scale * draw(3, 2), scale * draw(4, seed=1)]
    made = [nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for parameter, gradient in zip(made, gradients, strict=True):
        parameter.grad = gradient.clone()
    return made, gradients


@of("training/clipping.py:gradient_norm")
def _(say):
    made, gradients = parameters()
    scope = Scope({"g": Family.listed(gradients)}, {"p": range(2)})
    equal(say.value("norm", scope), rn.gradient_norm(made))


@of("training/clipping.py:clip_norm_")
def _(say):
    right = say.right("g_p")
    for scale in (1.0, 0.01):
        made, gradients = parameters(scale)
        norm = rn.clip_norm_(made, 1.0)
        for p, parameter in enumerate(made):
            names = {"g": Family.listed(gradients), "p": p, "max_norm": 1.0, "norm": norm}
            equal(right(Scope(names)), parameter.grad)


@of("training/clipping.py:clip_value_")
def _(say):
    (made, gradients), right = parameters(), say.right("g_i")
    rn.clip_value_(made, 0.5)
    for parameter, gradient in zip(made, gradients, strict=True):
        for i, clipped in enumerate(parameter.grad.flatten()):
            g = Family.listed(gradient.flatten())
            equal(right(Scope({"g": g, "i": i, "clip_value": 0.5})), clipped)


@of("training/penalties.py:l1_penalty")
def _(say):
    parts = [draw(3), draw(2, 2, seed=1)]
    scope = Scope({"w": torch.cat([part.flatten() for part in parts])})
    equal(say.value("L1", scope), rn.l1_penalty(parts))


@of("training/penalties.py:l2_penalty")
def _(say):
    parts = [draw(3), draw(2, 2, seed=1)]
    scope = Scope({"w": torch.cat([part.flatten() for part in parts])})
    equal(say.value("L2", scope), rn.l2_penalty(parts))


@of("training/penalties.py:omega_penalty")
def _(say):
    cell, x = cell_of(rn.ElmanCell), draw(B, T, D)
    trajectory = rn.unroll(cell, x)
    loss = loss_of(trajectory.hidden)
    gradients = torch.autograd.grad(loss, trajectory.states[1:], retain_graph=True)
    omega, v, slopes, inside = (say.right(left) for left in ("Omega", "v_k", "D_k", "a_k"))

    def family(right: Callable) -> Family:
        """By the step k; the sequence is the b of the sum."""
        return Family(lambda k: right(scope_of(k)))

    def scope_of(k: int) -> Scope:
        b = current["b"]
        names = {
            **weights_of(cell),
            "k": k,
            "x": Family.listed(x[b], 1),
            "h": Family.listed([state[b] for state in trajectory.states]),
            "phi'": lambda a: 1 - a.tanh() ** 2,
        }
        by_state = Scope(names, {}, lambda a, by, scope: gradients[scope.place(by)[1] - 1][b])
        return by_state.within(a=Family(lambda k: inside(by_state.within(k=k))))

    current: dict[str, int] = {}

    def sequences() -> Iterator[int]:
        for b in range(B):
            current["b"] = b
            yield b

    names = {"v": family(v), "D": family(slopes), "W_hh": cell.weight_hh}
    means = [omega(Scope(names, {"k": range(1, T + 1), "b": [b]})) for b in sequences()]
    equal(sum(means) / B, rn.omega_penalty(loss, trajectory))


@of("training/tbptt.py:truncation_windows")
def _(say):
    end, start = say.right("end"), say.right("start")
    for length, k1, k2 in ((10, 3, 3), (10, 3, 7), (4, 9, 9), (12, 4, 5)):
        windows = rn.truncation_windows(length, k1, k2)
        assert [window.first for window in windows] == list(range(0, length, k1))
        for window in windows:
            scope = Scope({"length": length, "k1": k1, "k2": k2, "first": window.first})
            scope = scope.within(end=end(scope))
            assert (scope.names["end"], start(scope)) == (window.end, window.start)


@of("training/loop.py:SequenceModel")
def _(say):
    x, right = draw(1, T, D), say.right("y")
    for readout in ("last", "all"):
        model = rn.SequenceModel(rn.Recurrent(cell_of(rn.GRUCell)), 2, readout, generator=seeded())
        hidden = rn.unroll(model.layer.cell, x).hidden[0]
        names = {"W_out": model.head.weight, "b_out": model.head.bias}
        outputs = [right(Scope({**names, "h": h})) for h in hidden]
        expected = torch.stack(outputs) if readout == "all" else outputs[-1]
        equal(model(x)[0], expected)


@of("training/monitors.py:GradientHistory")
def _(say):
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with rn.GradientMonitor(model) as monitor:
        before = [p.detach().clone() for p in model.parameters()]
        model(torch.ones(4, 3)).square().sum().backward()
        optimizer.step()
    history, after = monitor.history, list(model.parameters())
    gradients = Family.listed([p.grad for p in after])
    total = say.value("", Scope({"g": gradients}, {"p": range(2)}))
    equal(total, history.total_norm[0], 1e-6)
    ratio = say.right()
    for p in range(2):
        scope = Scope({"update": after[p] - before[p], "w": before[p]})
        equal(ratio(scope), history.update_ratio[0, p], 1e-5)


@of("training/ledger.py:Claim")
def _(say):
    over, under = say.right(), say.right()
    claim = rn.Claim("A1", "a number", above=0.5, below=0.9)
    for x in (0.4, 0.5, 0.7, 0.9, 1.0):
        scope = Scope({"x": x, "above": 0.5, "below": 0.9})
        assert claim.accepts(x) == (over(scope) and under(scope))


# ---- figures -------------------------------------------------------------------------------------


@of("plot/charts.py:wilson_interval")
def _(say):
    share, level = say.right("p"), say.right()
    rights = {left: say.right(left) for left in ("middle", "half", "low", "high")}
    for successes, n, confidence in ((3, 10, 0.95), (1, 4, 0.8), (40, 41, 0.99)):
        scope = Scope({"successes": successes, "n": n, "confidence": confidence})
        scope = scope.within(p=share(scope), z=NormalDist().inv_cdf(level(scope)))
        for left, right in rights.items():
            scope = scope.within(**{left: right(scope)})
        low, high = rn.plot.wilson_interval(successes, n, confidence)
        equal([scope.names["low"], scope.names["high"]], [float(low), float(high)])


@of("plot/coloured_text.py:ColouredText")
def _(say):
    values, right = torch.linspace(-2, 3, 12).tolist(), say.right("level")
    levels = rn.plot.ColouredText("x" * 12, values, limits=(-1.0, 2.0)).levels
    for value, level in zip(values, levels, strict=True):
        found = int(right(Scope({"value": value, "low": -1.0, "high": 2.0})))
        assert min(max(found, 0), 8) == level


@of("plot/gradient_text.py:GradientText")
def _(say):
    matrix, right = draw(7, 7).abs().tril(), say.right("level[t, k]")
    for t, row in enumerate(rn.plot.GradientText("x" * 7, matrix).levels):
        for k, level in enumerate(row):
            scope = Scope({"m": matrix, "t": t}, {"k": range(t + 1)})
            assert min(int(right(scope.within(k=k))), 8) == level


SUBSCRIPTS = str.maketrans("ₜ₋₁−·²", "t-1-*2")


def drawn(draw_it: Callable, *arguments: object, **options: object) -> list[str]:
    """The equations written in a drawing, in the notation of the docstrings."""
    texts = []
    for text in draw_it(*arguments, **options).texts:
        # An equation in two colours is written in parts, the first up to its sign or beyond it.
        if text.get_va() == "baseline" and "=" not in text.get_text():
            texts[-1] += f" {text.get_text()}"
        else:
            texts.append(text.get_text())
    found = []
    for text in texts:
        plain = re.sub("[ₜ₋₁]+", lambda m: f"_{{{m[0]}}}", text)
        plain = plain.replace("ᵀ", "'").replace("²", "^2").translate(SUBSCRIPTS)
        plain = re.sub(r"_\{(\w)\}", r"_\1", plain).replace("_t'", "_t'")
        found += [plain] if " = " in plain else []
    plt.close("all")
    return found


def bare(texts: list[str]) -> list[str]:
    return [re.sub(r"[*() ]", "", text) for text in texts]


def is_drawn(draw_it: Callable, name: str, *arguments: object) -> None:
    """The drawing shows what its docstring says, but for brackets and signs of a product."""
    assert bare(drawn(draw_it, *arguments)) == bare(WITH_FORMULAS[name])


@of("plot/diagrams.py:rnn_folded")
def _(say):
    is_drawn(rn.plot.rnn_folded, "plot/diagrams.py:rnn_folded")
    scope, states = sequence_scope(cell_of(rn.ElmanCell))
    right, read = say.right("h_t"), say.right("y_t")
    model = rn.SequenceModel(rn.Recurrent(cell_of(rn.ElmanCell)), 2, generator=seeded())
    nn.init.zeros_(model.head.bias)
    for t in range(1, T + 1):
        equal(right(scope.within(t=t)), states[t][0])
        y = read(scope.within(t=t, W_ho=model.head.weight))
        equal(y, model.head(states[t][0]))


@of("plot/diagrams.py:rnn_unrolled")
def _(say):
    (text,) = drawn(rn.plot.rnn_unrolled, 4, True)
    cell = cell_of(rn.ElmanCell)
    scope, states = sequence_scope(cell)
    x = torch.stack([scope.named(f"x_{t}") for t in range(1, T + 1)])
    jacobians = rn.step_jacobians(cell, x[None], states[0][0][None])
    right = say.right("J_t")
    for t in range(1, T + 1):
        equal(right(scope.within(t=t)), jacobians[t - 1, 0])
        equal(scope.within(t=t).value(sides(text)[1]), jacobians[t - 1, 0].T)
    assert sides(text)[0] == "J_t'"


@of("plot/cell_diagrams.py:lstm_cell")
def _(say):
    is_drawn(rn.plot.lstm_cell, "plot/cell_diagrams.py:lstm_cell", 4)
    cell = cell_of(rn.LSTMCell)
    x, states = run(cell)
    before = tuple(torch.stack(part)[None] for part in zip(*states[:-1], strict=True))
    gates = {k: Family.listed(v[0], 1) for k, v in cell.gates(x[None], before).items()}
    rights = {left: say.right(left) for left in ("c_t", "h_t")}
    names = {**gates, "c": Family.listed([state[1] for state in states])}
    for t in range(1, T + 1):
        scope = Scope({**names, "t": t})
        equal(rights["c_t"](scope), states[t][1])
        equal(rights["h_t"](scope), states[t][0])


@of("plot/cell_diagrams.py:lstm_variant")
def _(say):
    rights = {left: say.right(left) for left in ("c_t", "h_t")}
    cell = cell_of(rn.LSTMVariantCell, "V")
    names, states = variant_names(cell)
    for t in range(1, T + 1):
        scope = Scope({**names, "t": t})
        equal(rights["c_t"](scope), states[t][1])
        equal(rights["h_t"](scope), states[t][0])


def variant_names(cell: rn.Cell) -> tuple[dict[str, object], list]:
    """Inputs, states and gates of a run as families, and the states."""
    x, states = run(cell)
    before = tuple(torch.stack(part)[None] for part in zip(*states[:-1], strict=True))
    first = dict(zip(cell.state_names, states[0], strict=True))
    names = {
        name: Family.listed([first.get(name, torch.full((H,), math.nan)), *values[0]])
        for name, values in cell.gates(x[None], before).items()
    }
    for k, name in enumerate("hc"):
        names[name] = Family.listed([state[k] for state in states])
    return {**names, "x": Family.listed(x, 1)}, states


@pytest.mark.parametrize("variant", rn.VARIANTS)
def test_every_equation_drawn_of_a_variant_is_the_cells(variant):
    cell = cell_of(rn.LSTMVariantCell, variant)
    names, _ = variant_names(cell)
    weights = weights_of(cell)
    said = set()
    for text in drawn(rn.plot.lstm_variant, variant):
        lefts, right = sides(text.replace("σ", "sigmoid").replace("…", "a"))
        for left in lefts.split(", "):
            said.add(left)
            gate = left.removesuffix("_t")
            own = {
                "W_ih": weights.get(f"W_i{gate}"),
                "W_hh": weights.get(f"W_h{gate}"),
                "b": weights.get(f"b_{gate}"),
                "p": getattr(cell, f"peephole_{gate}", None),
            }
            if variant == "FGR" and gate in "ifo":
                own["W_gg"] = cell.weight_gg.chunk(3)["ifo".index(gate)]
            for t in range(1, T + 1):
                scope = Scope({**names, **own, "t": t})
                # What stood there before peepholes came, or before the gates saw each other.
                if "a +" in right:
                    a = scope.value("W_ih x_t + W_hh h_{t-1} + b")
                    if variant == "FGR":
                        a = a + scope.value("p * c_t" if gate == "o" else "p * c_{t-1}")
                    scope = scope.within(a=a)
                equal(scope.value(right), names[gate].of(t))
    assert {"c_t", "h_t"} <= said
    assert ({"i_t", "f_t", "o_t"} <= said) == (variant in ("V", "NP", "FGR"))
    assert ("g_t" in said) == (variant == "NIAF")


@of("plot/cell_diagrams.py:gru_cell")
def _(say):
    after, before, mixed = WITH_FORMULAS["plot/cell_diagrams.py:gru_cell"]
    candidates = {"after": say.right("n_t"), "before": say.right("n_t")}
    right = say.right("h_t")
    for reset, candidate in (("after", after), ("before", before)):
        assert bare(drawn(rn.plot.gru_cell, reset=reset)) == bare([candidate, mixed])
        cell = cell_of(rn.GRUCell, bias=False, reset=reset)
        x, states = run(cell)
        states_before = torch.stack([state[0] for state in states[:-1]])[None]
        gates = {k: Family.listed(v[0], 1) for k, v in cell.gates(x[None], states_before).items()}
        rows = slice(2 * H, 3 * H)
        names = {
            **gates,
            "W_in": cell.weight_ih[rows],
            "W_hn": cell.weight_hh[rows],
            "x": Family.listed(x, 1),
            "h": Family.listed([state[0] for state in states]),
        }
        for t in range(1, T + 1):
            scope = Scope({**names, "t": t})
            equal(candidates[reset](scope), gates["n"].of(t))
            equal(right(scope), states[t][0])


# ---- the tests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WITH_FORMULAS)
def test_every_formula_of_the_docstring_is_evaluated(name):
    docstring = Docstring(name)
    assert name in EVALUATIONS, f"nothing evaluates {docstring.left}"
    EVALUATIONS[name](docstring)
    assert docstring.left == []


CHANGES = {" + ": " - ", " - ": " + ", " * ": " + ", " / ": " * ", "-1": "-2", "^2": "^3"}
CHANGES |= {"sqrt": "", "sum": "max", "max": "min", "min": "max", ">": "<", "<": ">", "2": "3"}


@pytest.mark.parametrize("name", WITH_FORMULAS)
def test_a_formula_that_is_changed_no_longer_holds(name):
    """So that the test above can fail: one change to each formula, where one is at hand."""
    for place, formula in enumerate(WITH_FORMULAS[name]):
        left, right = sides(formula)
        sign = next((sign for sign in CHANGES if sign in right), None)
        if sign is None:
            continue
        docstring = Docstring(name)
        changed = right.replace(sign, CHANGES[sign], 1)
        docstring.left[place] = f"{left} = {changed}" if left else changed
        with pytest.raises(Exception):  # noqa: B017
            EVALUATIONS[name](docstring)


def test_no_evaluation_is_left_of_a_docstring_that_has_gone():
    assert set(EVALUATIONS) <= set(WITH_FORMULAS)
    assert set().union(*(formulas(text) for _, text in docstrings())) >= NOTATION


def test_no_equation_stands_outside_of_backticks():
    """``a = 1`` may: a setting; ``c = f * c + i * g`` may not, nor any other calculation."""
    calculation = re.compile(r"\S+ (?:=|<-) [^,.;:]*(?: [-+*/] |\^|\(|\|)")
    found = []
    for name, text in docstrings():
        prose = re.sub("``.+?``", "", text, flags=re.DOTALL)
        prose = re.sub(r"^ *(?:>>>|\.\.\.) .*", "", prose, flags=re.MULTILINE)
        found += [f"{name}: {match[0]}" for match in calculation.finditer(prose)]
    assert found == []


# ---- the reader ----------------------------------------------------------------------------------

MATRIX, VECTOR = draw(3, 3), draw(3, seed=1)
READ = {
    "a + 2 b^2 / 4 - 1": 2 + 2 * 9 / 4 - 1,
    "-a (b - 1)": -4,
    "W v": MATRIX @ VECTOR,
    "v' W v": VECTOR @ MATRIX @ VECTOR,
    "W'W": MATRIX.T @ MATRIX,
    "W^2 W^-1": MATRIX,
    "(W)^2": MATRIX**2,
    "W * W": MATRIX * MATRIX,
    "W[:, 1] + W[a, a]": MATRIX[:, 1] + MATRIX[2, 2],
    "||v|| + |a - b|": VECTOR.norm() + 1,
    "||W||_F^2": MATRIX.square().sum(),
    "2 ||v||^2": 2 * VECTOR.square().sum(),
    "[v, v; v]": torch.cat([VECTOR] * 3),
    "sqrt(a) tanh(v)": math.sqrt(2) * VECTOR.tanh(),
    "sum_k f_k - 1": 1 + 2 + 3 + 4 - 1,
    "sum_k k f_{k-1}": 0 + 2 + 6 + 12,
    "mean_{k, m} k m": 2.5 * 1.5,
    "max_k |2 - f_k|": 2,
    "sum |v|": VECTOR.abs().sum(),
    "f_4 * f_3 * ... * f_1": 24,
    "[g_1, ..., g_4]": torch.tensor([1, 2, 3, 4]),
    "1 if a > b else 5": 5,
    "min {k : f_k > a}": 3,
    "min {k : f_k > 9}": math.inf,
    "min(a, b) + max(a, b)": 5,
}


@pytest.mark.parametrize("text", READ)
def test_the_reader_reads(text):
    names = {"a": 2, "b": 3, "W": MATRIX, "v": VECTOR}
    names["f"] = Family(lambda k: torch.tensor(float(k)))
    names["g"] = Family(lambda k: torch.tensor([k]))
    names["lambda"] = None
    ranges = {"k": range(1, 5), "m": range(1, 3)}
    equal(Scope(names, ranges).value(text), READ[text])


@pytest.mark.parametrize("text", ["a b c", "a +", "a b)", "f_1 * ... * f_2", "a $ b", "f_{q}"])
def test_the_reader_refuses_what_it_cannot_read(text):
    with pytest.raises((AssertionError, IndexError, AttributeError)):
        Scope({"a": 2, "b": 3, "f": Family(float)}).value(text)


def test_formulas_are_found_and_parted():
    text = (
        "By ``a <- b * c``, or ``x_t = y(1,\n  2)``; ``h (B, T)``, ``k=2`` and ``W_hh`` are none."
    )
    assert formulas(text) == ["a <- b * c", "x_t = y(1, 2)"]
    assert sides("a <- b * c") == ("a", "b * c")
    assert sides("W' = V[i, j] = 2") == ("W'", "V[i, j] = 2")
    assert sides("a + b") == ("", "a + b")
