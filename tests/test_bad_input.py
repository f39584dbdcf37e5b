"""Bad input to every public entry: one argument at a time is made wrong in every way that applies.

For each entry of the public names stands a good call, and for each of its arguments what it takes.
From that follow the wrong values: other shapes, types and ranges, NaN, nothing at all. Each must be
refused with a ValueError or TypeError that names the argument, what was expected and what came;
or, where the table says that NaN passes, come out as NaN and not as a number that misleads.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn

import rnnnotes as rn
from public_names import public_names
from rnnnotes import plot

B, T, D, H = 2, 5, 3, 4
DOUBLE = torch.float64


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=DOUBLE, generator=seeded(seed))


# ---- what an argument takes, and so what is wrong for it ----------------------------------------

Wrong = Iterator[tuple[str, object]]


@dataclass(frozen=True)
class Floats:
    """A floating tensor. What a NaN in it does: it is "refused", it "passes", or is "unread".

    ``any_rank``: any number of dimensions will do; ``fixed``: dimensions that may not grow;
    ``dtype``: the one type that is taken, if any float is not; ``whole``: whole numbers do as well.
    """

    nan: str
    any_rank: bool = False
    fixed: tuple[int, ...] = ()
    dtype: torch.dtype | None = DOUBLE
    whole: bool = False

    def wrong(self, good: torch.Tensor) -> Wrong:
        yield "text", "x"
        yield "a list", good.tolist()
        if not self.whole:
            yield "whole numbers", good.long()
        if self.dtype is not None:
            other = torch.float32 if self.dtype == DOUBLE else DOUBLE
            yield "another float", good.detach().to(other)
        if not self.any_rank:
            yield "a dimension more", good[None]
            if good.dim():
                yield "a dimension less", good[0]
        for place in range(good.dim()):
            yield f"no size in {place}", good.narrow(place, 0, 0)
        for place in self.fixed:
            yield f"a size more in {place}", torch.cat([good, good.narrow(place, 0, 1)], place)
        if self.nan == "refused":
            for bad in (math.nan, math.inf):
                yield f"with {bad}", poisoned(good, bad)


@dataclass(frozen=True)
class Number:
    """A finite real number within its bounds."""

    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    optional: bool = False

    def wrong(self, good: object) -> Wrong:
        yield "text", "1"
        yield "NaN", math.nan
        yield "a list", [1.0]
        if not self.optional:
            yield "nothing", None
        yield "Inf", math.inf
        for bound, step in ((self.above, 0), (self.at_least, -0.5)):
            if bound is not None:
                yield "too small", bound + step
        for bound, step in ((self.below, 0), (self.at_most, 0.5)):
            if bound is not None:
                yield "too large", bound + step


@dataclass(frozen=True)
class Whole:
    """A whole number within its bounds."""

    at_least: int = 1
    at_most: int | None = None
    optional: bool = False

    def wrong(self, good: object) -> Wrong:
        yield "text", "3"
        yield "a float", 3.0
        yield "NaN", math.nan
        yield "a truth value", True
        if not self.optional:
            yield "nothing", None
        yield "too small", self.at_least - 1
        if self.at_most is not None:
            yield "too large", self.at_most + 1


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    def wrong(self, good: object) -> Wrong:
        yield "another word", "nonsense"
        yield "a number", 3
        yield "a list", ["nonsense"]


@dataclass(frozen=True)
class Lengths:
    """Whole numbers (B,) from 1 to T."""

    def wrong(self, good: torch.Tensor) -> Wrong:
        yield "a list", good.tolist()
        yield "floats", good.double()
        yield "a length of zero", good * torch.arange(len(good))
        yield "a negative length", -good
        yield "too long", good + T
        yield "one too few", good[1:]
        yield "none", good[:0]
        yield "a matrix", good[None]


@dataclass(frozen=True)
class Exactly:
    """What has no law: wrong values by hand."""

    values: dict[str, object]

    def wrong(self, good: object) -> Wrong:
        yield from self.values.items()


GENERATOR = Exactly({"a seed": 0, "text": "seed"})
NOT_A_MODULE = {"text": "x", "a tensor": torch.zeros(2), "a class": nn.Tanh}
CELL = Exactly(NOT_A_MODULE | {"another module": nn.Linear(D, H)})
MODULE = Exactly(NOT_A_MODULE)
FUNCTION = Exactly({"a number": 3, "text": "mean"})
LOSS = Exactly(
    {
        "a number": 3,
        "a vector": lambda h: h.sum((1, 2)),
        "a float": lambda h: h.sum().item(),
        "a constant": lambda h: h.detach().sum(),
    }
)
STATE = Floats("passes", fixed=(0, 1))
INPUT = Floats("passes", fixed=(2,))
ANY_INPUT = Floats("passes", dtype=None)


def poisoned(good: torch.Tensor, bad: float = math.nan) -> torch.Tensor:
    """A copy with one bad entry, the last."""
    wrong = good.detach().clone()
    wrong.view(-1)[-1] = bad
    return wrong.requires_grad_(good.requires_grad)


# ---- the entries: a good call each, and what each argument takes --------------------------------


@dataclass(frozen=True)
class Entry:
    """``good`` makes the arguments of a good call; ``also`` are other names an error may use."""

    call: Callable
    good: Callable[[], dict]
    takes: dict[str, object]
    also: dict[str, str] = field(default_factory=dict)


def elman(d: int = D, h: int = H) -> rn.ElmanCell:
    return rn.ElmanCell(d, h, generator=seeded(), dtype=DOUBLE)


def lstm(d: int = D, h: int = H) -> rn.LSTMCell:
    return rn.LSTMCell(d, h, generator=seeded(), dtype=DOUBLE)


def forward_of(layer: nn.Module) -> Callable:
    """A layer's call with its arguments by name."""
    return lambda **given: layer(**given)


def trajectory() -> rn.Trajectory:
    return rn.unroll(elman(), draw(B, T, D))


def with_gradient(**given: object) -> dict:
    parameter = nn.Parameter(torch.ones(3))
    parameter.grad = torch.tensor([1.0, 2.0, 3.0])
    return {"parameters": [parameter], **given}


PARAMETERS = Exactly(
    {"a number": 1.0, "a list of numbers": [1.0, 2.0], "names alone": ["weight"], "nothing": None}
)
WEIGHTS = Exactly({"no tensor": [], "text": "x", "a list of numbers": [1.0], "nothing": None})
SIZES = {"input_size": Whole(), "hidden_size": Whole(), "generator": GENERATOR}


def cell_entry(kind: Callable, **more: object) -> Entry:
    takes = {**SIZES, **more}
    return Entry(kind, lambda: {"input_size": D, "hidden_size": H}, takes)


def matrix_entry(call: Callable, *, square: bool = True) -> Entry:
    shape = (H, H) if square else (H, D)
    takes = Floats("refused", any_rank=True, fixed=(1,) if square else (), dtype=None)
    return Entry(call, lambda: {"weight": draw(*shape)}, {"weight": takes})


FILLED = Floats("unread", dtype=None)  # what is in a tensor before it is filled does not count
ENTRIES: dict[str, Entry] = {
    "Cell": cell_entry(rn.Cell),
    "ElmanCell": cell_entry(rn.ElmanCell, nonlinearity=Choice()),
    "GRUCell": cell_entry(rn.GRUCell, reset=Choice()),
    "LSTMCell": cell_entry(rn.LSTMCell),
    "LSTMVariantCell": cell_entry(rn.LSTMVariantCell, variant=Choice()),
    "irnn": cell_entry(rn.irnn, scale=Number(), input_std=Number(at_least=0)),
    "ElmanCell()": Entry(
        forward_of(elman()),
        lambda: {"x": draw(B, D), "state": draw(B, H)},
        {"x": Floats("passes", fixed=(1,)), "state": STATE},
    ),
    "LSTMCell()": Entry(
        lambda x, h, c: lstm()(x, (h, c)),
        lambda: {"x": draw(B, D), "h": draw(B, H), "c": draw(B, H)},
        {"x": Floats("passes", fixed=(1,)), "h": STATE, "c": STATE},
    ),
    "LSTMCell() whole": Entry(
        forward_of(lstm()),
        lambda: {"x": draw(B, D), "state": (draw(B, H), draw(B, H))},
        {"state": Exactly({"h alone": draw(B, H), "three": (draw(B, H),) * 3, "text": "hc"})},
    ),
    "Cell.initial_state": Entry(
        elman().initial_state,
        lambda: {"batch_size": B},
        {"batch_size": Whole(), "like": Exactly({"a type": torch.float32, "text": "x"})},
    ),
    "Cell.gates": Entry(
        lambda x, h, c: lstm().gates(x, (h, c)),
        lambda: {"x": draw(B, T, D), "h": draw(B, T, H), "c": draw(B, T, H)},
        {
            "x": Floats("passes", any_rank=True, fixed=(2,)),
            "h": Floats("passes", fixed=(0, 1, 2)),
            "c": Floats("unread", fixed=(0, 1, 2)),
        },
    ),
    "uniform_": Entry(
        rn.uniform_,
        lambda: {"weight": draw(H, D), "bound": 1.0},
        {
            "weight": Floats("unread", any_rank=True, dtype=None),
            "bound": Number(above=0),
            "generator": GENERATOR,
        },
    ),
    "xavier_": Entry(
        rn.xavier_,
        lambda: {"weight": draw(4 * H, D)},
        {"weight": FILLED, "gain": Number(above=0), "blocks": Whole(), "generator": GENERATOR},
    ),
    "orthogonal_": Entry(
        rn.orthogonal_,
        lambda: {"weight": draw(4 * H, D)},
        {"weight": FILLED, "gain": Number(above=0), "blocks": Whole(), "generator": GENERATOR},
    ),
    "identity_": Entry(
        rn.identity_,
        lambda: {"weight": draw(H, H)},
        {
            "weight": Floats("unread", fixed=(0, 1), dtype=None),
            "scale": Number(),
            "blocks": Whole(),
        },
    ),
    "scale_spectral_radius_": Entry(
        rn.scale_spectral_radius_,
        lambda: {"weight": draw(H, H), "radius": 0.9},
        {
            "weight": Floats("refused", fixed=(0, 1), dtype=None),
            "radius": Number(at_least=0),
            "blocks": Whole(),
        },
    ),
    "forget_bias_": Entry(
        rn.forget_bias_,
        lambda: {"module": lstm()},
        {
            "module": Exactly(NOT_A_MODULE | {"no LSTM": elman()}),
            "value": Number(),
        },
    ),
    "eigenvalues": matrix_entry(rn.eigenvalues),
    "spectral_radius": matrix_entry(rn.spectral_radius),
    "henrici": matrix_entry(rn.henrici),
    "singular_values": matrix_entry(rn.singular_values, square=False),
    "spectral_norm": matrix_entry(rn.spectral_norm, square=False),
    "unroll": Entry(
        rn.unroll,
        lambda: {
            "cell": elman(),
            "x": draw(B, T, D),
            "state": draw(B, H),
            "lengths": torch.tensor([T, 2]),
        },
        {"cell": CELL, "x": INPUT, "state": STATE, "lengths": Lengths()},
    ),
    "Recurrent": Entry(rn.Recurrent, lambda: {"cell": elman()}, {"cell": CELL}),
    "Recurrent()": Entry(
        forward_of(rn.Recurrent(elman())),
        lambda: {"x": draw(B, T, D), "state": draw(B, H), "lengths": torch.tensor([T, 2])},
        {"x": INPUT, "state": STATE, "lengths": Lengths()},
    ),
    "Bidirectional": Entry(
        rn.Bidirectional,
        lambda: {"forward_cell": elman(), "backward_cell": elman()},
        {
            "forward_cell": CELL,
            "backward_cell": Exactly(CELL.values | {"another input size": elman(D + 1)}),
        },
    ),
    "Bidirectional()": Entry(
        forward_of(rn.Bidirectional(elman(), elman())),
        lambda: {
            "x": draw(B, T, D),
            "state": (draw(B, H), draw(B, H)),
            "lengths": torch.tensor([T, 2]),
        },
        {
            "x": INPUT,
            "state": Exactly({"one": draw(B, H), "three": (draw(B, H),) * 3, "text": "hh"}),
            "lengths": Lengths(),
        },
    ),
    "Stacked": Entry(
        rn.Stacked,
        lambda: {"layers": [elman(), elman(H)]},
        {
            "layers": Exactly(
                {
                    "none": [],
                    "another module": [nn.Linear(D, H)],
                    "a cell": elman(),
                    "a number": 2,
                    "sizes that do not meet": [elman(), elman()],
                }
            ),
            "dropout": Number(at_least=0, below=1),
            "generator": GENERATOR,
        },
    ),
    "Stacked()": Entry(
        forward_of(rn.Stacked([elman(), elman(H)])),
        lambda: {
            "x": draw(B, T, D),
            "state": (draw(B, H), draw(B, H)),
            "lengths": torch.tensor([T, 2]),
        },
        {
            "x": INPUT,
            "state": Exactly({"one": draw(B, H), "three": (draw(B, H),) * 3, "text": "hh"}),
            "lengths": Lengths(),
        },
    ),
    "from_torch": Entry(
        rn.from_torch,
        lambda: {"module": nn.LSTM(D, H)},
        {
            "module": Exactly(
                NOT_A_MODULE
                | {"another module": nn.Linear(D, H), "projections": nn.LSTM(D, H, proj_size=2)}
            )
        },
    ),
    "to_torch": Entry(
        rn.to_torch,
        lambda: {"layer": elman()},
        {
            "layer": Exactly(
                NOT_A_MODULE
                | {
                    "another module": nn.Linear(D, H),
                    "no such cell in torch": rn.LSTMVariantCell(D, H),
                    "a Stacked with a residual sum": rn.Stacked(
                        [elman(H), elman(H)], residual=True
                    ),
                    "unequal widths": rn.Stacked([elman(), elman(H, 2)]),
                }
            )
        },
    ),
    "state_from_torch": Entry(
        rn.state_from_torch,
        lambda: {"module": nn.GRU(D, H, 2), "state": draw(2, B, H)},
        {
            "module": Exactly(NOT_A_MODULE | {"another module": nn.Linear(D, H)}),
            "state": Floats("passes", fixed=(0, 2), dtype=None, whole=True),
        },
    ),
    "state_to_torch": Entry(
        rn.state_to_torch,
        lambda: {"module": nn.GRU(D, H, 2), "state": (draw(B, H), draw(B, H))},
        {
            "module": Exactly(NOT_A_MODULE | {"another module": nn.Linear(D, H)}),
            "state": Exactly({"one layer's": draw(B, H), "three": (draw(B, H),) * 3, "text": "h"}),
        },
    ),
    "step_jacobians": Entry(
        rn.step_jacobians,
        lambda: {"cell": elman(), "x": draw(B, T, D), "state": draw(B, H)},
        {"cell": CELL, "x": INPUT, "state": STATE},
    ),
    "jacobian_product": Entry(
        rn.jacobian_product,
        lambda: {"jacobians": draw(T, B, H, H), "start": 1, "end": 4},
        {
            "jacobians": Floats("passes", fixed=(2, 3), dtype=None),
            "start": Whole(0, T),
            "end": Whole(1, T, optional=True),
        },
    ),
    "state_gradients": Entry(
        rn.state_gradients,
        lambda: (lambda path: {"loss": path.hidden.sum(), "trajectory": path})(trajectory()),
        {
            "loss": Exactly(
                {
                    "a number": 1.0,
                    "a vector": draw(2).requires_grad_(),
                    "a constant": draw(),
                    "a function": rn.last_step_sum,
                }
            ),
            "trajectory": Exactly({"states": draw(T, B, H), "text": "x", "nothing": None}),
        },
    ),
    "last_step_sum": Entry(
        rn.last_step_sum, lambda: {"output": draw(B, T, H)}, {"output": ANY_INPUT}
    ),
    "gradient_norms_by_lag": Entry(
        rn.gradient_norms_by_lag,
        lambda: {"module": elman(), "x": draw(B, T, D)},
        {
            "module": MODULE,
            "x": INPUT,
            "loss": LOSS,
            "part": Choice(),
            "where": Exactly({"unknown": "nowhere"}),
            "reduce": Choice(),
        },
    ),
    "gradient_norms_by_lag, inputs": Entry(
        rn.gradient_norms_by_lag,
        lambda: {"module": nn.Linear(D, H).double(), "x": draw(B, T, D)},
        {
            "x": Exactly(
                {"a list": [1.0], "whole numbers": torch.ones(B, T, D).long(), "a vector": draw(D)}
                | {"no steps": draw(B, 0, D), "no sequences": draw(0, T, D)}
            ),
        },
    ),
    "horizon": Entry(
        rn.horizon,
        lambda: {"norms": 0.5 ** torch.arange(20.0)},
        {
            "norms": Exactly(
                {
                    "a matrix": draw(2, 3),
                    "none": draw(0),
                    "a number": 1.0,
                    "text": "x",
                    "whole numbers": torch.arange(3),
                    "NaN at lag 0": torch.tensor([math.nan, 1.0]),
                }
            ),
            "fraction": Number(above=0, below=1),
        },
    ),
    "untied_contributions": Entry(
        rn.untied_contributions,
        lambda: {"cell": elman(), "x": draw(B, T, D), "state": draw(B, H)},
        {"cell": CELL, "x": INPUT, "loss": LOSS, "parameter": Choice(), "state": STATE},
    ),
    "direct_path": Entry(
        rn.direct_path,
        lambda: {"cell": lstm(), "x": draw(B, T, D), "state": (draw(B, H), draw(B, H))},
        {
            "cell": Exactly(CELL.values | {"no cell state": elman()}),
            "x": INPUT,
            "loss": LOSS,
            "state": Exactly({"h alone": draw(B, H), "text": "hc"}),
        },
    ),
    "clip_scalar": Entry(
        rn.clip_scalar,
        lambda: {"g": 3.0, "threshold": 1.0},
        {
            "g": Exactly({"text": "3", "a list": [3.0], "nothing": None}),
            "threshold": Number(above=0),
        },
    ),
    "clip_norm_": Entry(
        rn.clip_norm_,
        lambda: with_gradient(max_norm=1.0),
        {"parameters": PARAMETERS, "max_norm": Number(above=0), "nonfinite": Choice()},
    ),
    "clip_value_": Entry(
        rn.clip_value_,
        lambda: with_gradient(clip_value=1.0),
        {"parameters": PARAMETERS, "clip_value": Number(above=0)},
    ),
    "gradient_norm": Entry(rn.gradient_norm, with_gradient, {"parameters": PARAMETERS}),
    "l1_penalty": Entry(rn.l1_penalty, lambda: {"weights": draw(3)}, {"weights": WEIGHTS}),
    "l2_penalty": Entry(rn.l2_penalty, lambda: {"weights": draw(3)}, {"weights": WEIGHTS}),
    "omega_penalty": Entry(
        rn.omega_penalty,
        lambda: (lambda path: {"loss": path.hidden.sum(), "trajectory": path})(trajectory()),
        {
            "loss": Exactly({"a number": 1.0, "a vector": draw(2), "a constant": draw()}),
            "trajectory": Exactly(
                {
                    "states": draw(T, B, H),
                    "of an LSTM": rn.unroll(lstm(), draw(B, T, D)),
                    "padded": rn.unroll(elman(), draw(B, T, D), lengths=torch.tensor([T, 2])),
                }
            ),
        },
    ),
    "detach_state": Entry(
        rn.detach_state,
        lambda: {"state": (draw(B, H), draw(B, H))},
        {"state": Exactly({"text": "x", "a number": 1.0, "a list": [draw(B, H)]})},
    ),
    "truncated_backward": Entry(
        rn.truncated_backward,
        lambda: {
            "layer": rn.Recurrent(elman()),
            "inputs": draw(B, T, D),
            "window_loss": lambda output, first, end: output.sum(),
            "k1": 2,
            "k2": 3,
            "state": draw(B, H),
        },
        {
            "layer": Exactly({"text": "x", "a tensor": torch.zeros(2)}),
            "inputs": INPUT,
            "window_loss": Exactly(
                {
                    "a number": 3,
                    "a vector": lambda output, first, end: output.sum((1, 2)),
                    "a float": lambda output, first, end: output.sum().item(),
                }
            ),
            "k1": Whole(),
            "k2": Whole(2),
            "state": STATE,
            "after_window": FUNCTION,
        },
        also={"inputs": "x", "window_loss": "loss"},
    ),
    "truncation_windows": Entry(
        rn.truncation_windows,
        lambda: {"length": 10, "k1": 2, "k2": 3},
        {"length": Whole(), "k1": Whole(), "k2": Whole(2)},
    ),
    "SequenceModel": Entry(
        rn.SequenceModel,
        lambda: {"layer": rn.Recurrent(elman()), "output_size": 2},
        {
            "layer": Exactly(
                NOT_A_MODULE | {"another module": nn.Tanh(), "time first": nn.LSTM(D, H)}
            ),
            "output_size": Whole(),
            "readout": Choice(),
            "generator": GENERATOR,
        },
    ),
    "SequenceModel()": Entry(
        forward_of(rn.SequenceModel(rn.Recurrent(elman()), 2, generator=seeded())),
        lambda: {"inputs": draw(B, T, D), "lengths": torch.tensor([T, 2])},
        {"inputs": INPUT, "lengths": Lengths()},
        also={"inputs": "x"},
    ),
    "SequenceModel(), torch's layer": Entry(
        forward_of(
            rn.SequenceModel(nn.LSTM(D, H, batch_first=True).double(), 2, generator=seeded())
        ),
        lambda: {"inputs": draw(B, T, D), "lengths": torch.tensor([T, 2])},
        {"inputs": Floats("passes", fixed=(2,)), "lengths": Lengths()},
    ),
}


def adding_model() -> rn.SequenceModel:
    return rn.SequenceModel(rn.Recurrent(rn.ElmanCell(2, 3)), 1)


def sgd(parameters: object) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.01)


TASK = Exactly({"a name": "adding", "a maker": rn.tasks.adding})
ENTRIES |= {
    "fit": Entry(
        rn.fit,
        lambda: {
            "model": adding_model(),
            "task": rn.tasks.adding(4),
            "steps": 1,
            "batch_size": 2,
            "optimizer": sgd,
            "seed": 0,
            "evaluation_size": 2,
        },
        {
            "model": MODULE,
            "task": TASK,
            "steps": Whole(),
            "batch_size": Whole(),
            "optimizer": Exactly({"a name": "adam", "a rate": 0.1, "no optimiser": lambda p: 3}),
            "clip": Exactly(
                {"zero": 0.0, "negative": -1.0, "NaN": math.nan, "text": "1", "Inf": math.inf}
            ),
            "seed": Whole(0),
            "penalty": FUNCTION,
            "evaluate_every": Whole(optional=True),
            "evaluation_size": Whole(),
            "stop_when": FUNCTION,
            "monitor": Exactly({"text": "x", "a class": rn.GradientMonitor}),
            "callback": FUNCTION,
        },
        also={"clip": "max_norm"},
    ),
    "Ensemble": Entry(
        rn.Ensemble,
        lambda: {"models": [adding_model(), adding_model()]},
        {
            "models": Exactly(
                {
                    "none": [],
                    "a number": 3,
                    "text": "x",
                    "another module": [nn.Linear(2, 1)],
                    "two forms": [adding_model(), rn.SequenceModel(rn.Recurrent(rn.irnn(2, 4)), 1)],
                }
            )
        },
    ),
    "Ensemble()": Entry(
        lambda **given: rn.Ensemble([adding_model()])(**given),
        lambda: {"x": torch.zeros(1, B, T, 2), "state": torch.zeros(1, B, 3)},
        {
            "x": Floats("passes", fixed=(0, 3), dtype=torch.float32),
            "state": Floats("passes", fixed=(0, 1, 2), dtype=torch.float32),
        },
    ),
    "fit_ensemble": Entry(
        rn.fit_ensemble,
        lambda: (
            lambda nets: {
                "ensembles": nets,
                "losses": nets.losses(rn.tasks.adding(4), 2),
                "updates": 1,
                "optimizer": sgd,
                "seed": 0,
            }
        )(rn.Ensemble([adding_model()])),
        {
            "ensembles": Exactly({"none": [], "a number": 3, "a model": [adding_model()]}),
            "losses": FUNCTION,
            "updates": Whole(),
            "optimizer": Exactly({"a name": "adam", "a rate": 0.1}),
            "clip": Number(above=0, optional=True),
            "seed": Whole(0),
            "watch": FUNCTION,
            "watch_every": Whole(),
        },
    ),
    "evaluate": Entry(
        rn.evaluate,
        lambda: {"model": adding_model(), "task": rn.tasks.adding(4), "size": 2, "seed": 0},
        {"model": MODULE, "task": TASK, "size": Whole(), "seed": Whole(0)},
    ),
    "GradientMonitor": Entry(
        rn.GradientMonitor,
        lambda: {"model": nn.Linear(2, 2)},
        {
            "model": Exactly(NOT_A_MODULE | {"without weights": nn.Tanh()}),
            "vanishing_below": Number(above=0),
            "exploding_above": Number(above=0),
            "spike_above": Number(above=0),
            "lurch_above": Number(above=0),
            "still_below": Number(above=0),
            "window": Whole(),
            "profile_every": Whole(),
        },
    ),
    "GradientMonitor.watch": Entry(
        rn.GradientMonitor(nn.Linear(2, 2)).watch,
        lambda: {"states": [draw(B, H).requires_grad_()]},
        {"states": Exactly({"a number": 3, "text": "x", "numbers": [1.0, 2.0]})},
    ),
    "GradientMonitor.step": Entry(
        rn.GradientMonitor(nn.Linear(2, 2)).step,
        lambda: {"optimizer": sgd([nn.Parameter(torch.ones(1))])},
        {"optimizer": Exactly({"a name": "adam", "nothing": None})},
    ),
    "Claim": Entry(
        rn.Claim,
        lambda: {"statement": "A3", "quantity": "a ratio", "above": 0.5, "below": 0.9},
        {
            "statement": Exactly({"a number": 3, "nothing": None}),
            "quantity": Exactly({"a number": 3, "nothing": None}),
            "above": Exactly({"NaN": math.nan, "text": "0.5", "above below": 1.0}),
            "below": Exactly({"NaN": math.nan, "text": "0.9", "below above": 0.1}),
            "share": Exactly({"zero": 0, "above one": 1.5, "NaN": math.nan, "text": "1"}),
            "outcome": Choice(),
        },
        also={"above": "threshold", "below": "threshold"},
    ),
    "Claim without threshold": Entry(
        partial(rn.Claim, "A3"),
        lambda: {"quantity": "a ratio", "above": 0.5},
        {"above": Exactly({"nothing": None})},
    ),
    "Claim.settle": Entry(
        rn.Claim("A3", "a ratio", above=0.5).settle,
        lambda: {"measured": {"a": [1.0]}},
        {
            "measured": Exactly(
                {
                    "no condition": {},
                    "no value": {"a": []},
                    "no value at all": [],
                    "text": "x",
                    "texts": {"a": ["x"]},
                    "nothing": None,
                }
            )
        },
        also={"measured": "A3"},
    ),
    "cite": Entry(
        rn.cite,
        lambda: {"statement": "A3", "because": "It is named."},
        {
            "statement": Exactly({"a number": 3, "nothing": None}),
            "because": Exactly({"a number": 3, "nothing": None}),
        },
    ),
}

# ---- tasks --------------------------------------------------------------------------------------


def task_entry(make: Callable, **takes: object) -> Entry:
    return Entry(make, dict, takes)


SHARE = Number(at_least=0, at_most=1)
ENTRIES |= {
    "tasks.adding": task_entry(rn.tasks.adding, length=Whole(2)),
    "tasks.agreement": task_entry(
        rn.tasks.agreement,
        distance=Whole(3),
        attractors=Whole(0),
        mismatch=SHARE,
        plural=SHARE,
    ),
    "tasks.copy": task_entry(rn.tasks.copy, length=Whole(), symbols=Whole(2), copied=Whole()),
    "tasks.recall": task_entry(
        rn.tasks.recall, length=Whole(0), symbols=Whole(2), noise=Number(at_least=0)
    ),
    "tasks.latch": task_entry(
        rn.tasks.latch, length=Whole(3), cue=Whole(), noise=Number(at_least=0)
    ),
    "tasks.sentiment": task_entry(
        rn.tasks.sentiment,
        clauses=Whole(),
        intensifiers=Whole(),
        lean=Number(at_least=0.5, at_most=1),
        keep=Number(at_least=0.5, at_most=1),
    ),
    "tasks.temporal_order": task_entry(rn.tasks.temporal_order, length=Whole(10), rule=Choice()),
    "tasks.characters": task_entry(rn.tasks.characters, length=Whole(), part=Choice()),
    "tasks.digits": task_entry(rn.tasks.digits, view=Choice(), part=Choice(), split=Whole(0)),
    "tasks.mackey_glass": task_entry(
        rn.tasks.mackey_glass, length=Whole(), horizon=Whole(), tau=Number(above=0)
    ),
    "tasks.mackey_glass_series": Entry(
        rn.tasks.mackey_glass_series,
        lambda: {"length": 3, "discard": 0},
        {
            "length": Whole(),
            "tau": Number(above=0),
            "beta": Number(above=0),
            "gamma": Number(above=0),
            "exponent": Number(above=0),
            "step": Number(above=0),
            "stride": Whole(),
            "history": Exactly(
                {
                    "text": "1.2",
                    "zero": 0.0,
                    "a matrix": torch.ones(2, 2),
                    "none": torch.ones(0),
                    "whole numbers": torch.ones(2).long(),
                    "NaN": torch.tensor([1.0, math.nan]),
                }
            ),
            "discard": Whole(0),
        },
    ),
    "tasks.nrmse84": Entry(
        rn.tasks.nrmse84,
        lambda: {
            "forecast": lambda inputs, steps: torch.zeros(len(inputs), steps, 1),
            "generator": seeded(),
            "runs": 2,
            "warmup": 3,
        },
        {
            "forecast": Exactly(
                {"a number": 3, "another shape": lambda x, n: torch.zeros(len(x), n)}
            ),
            "generator": Exactly(GENERATOR.values | {"nothing": None}),
            "runs": Whole(),
            "warmup": Whole(),
            "tau": Number(above=0),
        },
        also={"runs": "batch_size", "warmup": "length"},
    ),
    "tasks.syntax_labels": Entry(
        rn.tasks.syntax_labels,
        lambda: {"source": "x = 1\n"},
        {"source": Exactly({"none": "", "a number": 3, "bytes": b"x", "no Python": "x = ("})},
    ),
    "tasks.sentiment.ceiling": task_entry(rn.tasks.sentiment().ceiling, context=Choice()),
    "tasks.agreement.baseline": task_entry(rn.tasks.agreement().baseline, predictor=Choice()),
    "tasks.Task.sample": Entry(
        rn.tasks.adding(4).sample,
        lambda: {"batch_size": 2, "generator": seeded()},
        {"batch_size": Whole(), "generator": Exactly(GENERATOR.values | {"nothing": None})},
    ),
    "tasks.Task.loss": Entry(
        rn.tasks.adding(4).loss,
        lambda: {"output": draw(2, 1), "targets": draw(2, 1, seed=1)},
        {
            "output": Floats("passes", fixed=(0, 1), dtype=None),
            "targets": Floats("passes", fixed=(0, 1), dtype=None, whole=True),
        },
        also={"targets": "output"},
    ),
    "tasks.Task.score": Entry(
        rn.tasks.adding(4).score,
        lambda: {"output": draw(2, 1), "targets": draw(2, 1, seed=1)},
        {
            "output": Floats("passes", fixed=(0, 1), dtype=None),
            "targets": Floats("passes", fixed=(0, 1), dtype=None, whole=True),
        },
        also={"targets": "output"},
    ),
    "tasks.Task.score of classes": Entry(
        rn.tasks.recall(3, 4).score,
        lambda: {"output": draw(2, 4), "targets": torch.tensor([0, 3])},
        {
            "output": Floats("unread", fixed=(0, 1), dtype=None),
            "targets": Exactly({"floats": draw(2), "a matrix": torch.zeros(2, 1).long()}),
        },
    ),
}


# ---- convolutions, shortcuts, reservoirs, cost ---------------------------------------------------

CONVOLUTION = {"input_size": Whole(), "output_size": Whole(), "generator": GENERATOR}
DROPOUT = Number(at_least=0, below=1)
SIZES_LIST = Exactly({"none": [], "a number": 3, "zero": [2, 0], "floats": [1.0], "text": "ab"})


def convolution(**more: object) -> rn.CausalConv1d:
    return rn.CausalConv1d(D, H, 2, generator=seeded(), dtype=DOUBLE, **more)


def feed_forward(d: int = D, h: int = H, phi: str = "tanh") -> rn.FeedForward:
    return rn.FeedForward(d, h, phi, generator=seeded(), dtype=DOUBLE)


def reservoir() -> rn.EchoStateNetwork:
    return rn.EchoStateNetwork(D, H, D, washout=1, density=1.0, generator=seeded())


ENTRIES |= {
    "CausalConv1d": Entry(
        rn.CausalConv1d,
        lambda: {"input_size": D, "output_size": H, "kernel_size": 2},
        {**CONVOLUTION, "kernel_size": Whole(), "dilation": Whole()},
    ),
    "CausalConv1d()": Entry(forward_of(convolution()), lambda: {"x": draw(B, T, D)}, {"x": INPUT}),
    "TemporalBlock": Entry(
        rn.TemporalBlock,
        lambda: {"input_size": D, "output_size": H, "kernel_size": 2},
        {**CONVOLUTION, "kernel_size": Whole(), "dilation": Whole(), "dropout": DROPOUT},
    ),
    "TemporalBlock()": Entry(
        forward_of(rn.TemporalBlock(D, H, 2, generator=seeded(), dtype=DOUBLE)),
        lambda: {"x": draw(B, T, D)},
        {"x": INPUT},
    ),
    "TemporalConvNet": Entry(
        rn.TemporalConvNet,
        lambda: {"input_size": D, "channels": [H, H]},
        {
            "input_size": Whole(),
            "channels": SIZES_LIST,
            "kernel_size": Whole(),
            "dropout": DROPOUT,
            "generator": GENERATOR,
        },
    ),
    "TemporalConvNet()": Entry(
        forward_of(rn.TemporalConvNet(D, [H], generator=seeded(), dtype=DOUBLE)),
        lambda: {"x": draw(B, T, D), "lengths": torch.tensor([T, 2])},
        {"x": INPUT, "lengths": Lengths()},
    ),
    "TextCNN": Entry(
        rn.TextCNN,
        lambda: {"input_size": D, "channels": H, "output_size": 2},
        {
            **CONVOLUTION,
            "channels": Whole(),
            "kernel_sizes": SIZES_LIST,
            "dropout": DROPOUT,
        },
    ),
    "TextCNN()": Entry(
        forward_of(rn.TextCNN(D, H, 2, generator=seeded(), dtype=DOUBLE)),
        lambda: {"x": draw(B, T, D), "lengths": torch.tensor([T, 2])},
        {"x": INPUT, "lengths": Lengths()},
    ),
    "receptive_field": Entry(
        rn.receptive_field,
        lambda: {"kernel_size": 2, "dilations": [1, 2]},
        {"kernel_size": Whole(), "dilations": SIZES_LIST},
    ),
    "measured_receptive_field": Entry(
        rn.measured_receptive_field,
        lambda: {"module": convolution(), "x": draw(B, T, D)},
        {
            "module": Exactly({"text": "x", "a tensor": torch.zeros(2)}),
            "x": Floats("refused", fixed=(2,)),
            "position": Whole(-T, T - 1),
        },
    ),
    "FeedForward": Entry(
        rn.FeedForward,
        lambda: {"input_size": D, "output_size": H},
        {**CONVOLUTION, "nonlinearity": Choice(), "init": Choice(), "gain": Number(above=0)},
    ),
    "FeedForward()": Entry(
        forward_of(feed_forward()),
        lambda: {"x": draw(B, D)},
        {"x": Floats("passes", any_rank=True, fixed=(1,))},
    ),
    "Residual": Entry(rn.Residual, lambda: {"inner": feed_forward(H)}, {"inner": MODULE}),
    "Residual()": Entry(
        lambda inner: rn.Residual(inner)(draw(B, H)),
        lambda: {"inner": feed_forward(H)},
        {"inner": Exactly({"another width": feed_forward(H, D)})},
    ),
    "Highway": Entry(
        rn.Highway,
        lambda: {"inner": feed_forward(H), "gate": feed_forward(H, H, "sigmoid")},
        {
            "inner": MODULE,
            "gate": Exactly(NOT_A_MODULE | {"another nonlinearity": feed_forward(H)}),
            "gate_bias": Number(),
        },
    ),
    "Highway()": Entry(
        lambda inner: rn.Highway(inner, feed_forward(H, H, "sigmoid"))(draw(B, H)),
        lambda: {"inner": feed_forward(H)},
        {"inner": Exactly({"another width": feed_forward(H, D)})},
    ),
    "DeepNet": Entry(
        rn.DeepNet,
        lambda: {"width": H, "depth": 2},
        {
            "width": Whole(),
            "depth": Whole(),
            "nonlinearity": Choice(),
            "shortcut": Choice(),
            "init": Choice(),
            "gain": Number(above=0),
            "generator": GENERATOR,
        },
    ),
    "DeepNet, highway": Entry(
        partial(rn.DeepNet, shortcut="highway"),
        lambda: {"width": H, "depth": 2},
        {"gate_bias": Number()},
    ),
    "DeepNet()": Entry(
        forward_of(rn.DeepNet(H, 2, generator=seeded(), dtype=DOUBLE)),
        lambda: {"x": draw(B, H)},
        {"x": Floats("passes", any_rank=True, fixed=(1,))},
    ),
    "Attention": Entry(
        rn.Attention,
        lambda: {"hidden_size": H},
        {
            "hidden_size": Whole(),
            "score": Choice(),
            "attention_size": Whole(optional=True),
            "generator": GENERATOR,
        },
    ),
    "Attention()": Entry(
        forward_of(rn.Attention(H, generator=seeded(), dtype=DOUBLE)),
        lambda: {
            "states": draw(B, T, H),
            "lengths": torch.tensor([T, 2]),
            "query": draw(B, H),
        },
        {
            "states": Floats("passes", fixed=(2,)),
            "lengths": Lengths(),
            "query": Floats("passes", fixed=(0, 1)),
        },
    ),
    "AttentionReadout": Entry(
        rn.AttentionReadout,
        lambda: {"layer": rn.Recurrent(elman()), "output_size": 2},
        {
            "layer": Exactly(NOT_A_MODULE | {"a cell": elman()}),
            "output_size": Whole(),
            "score": Choice(),
            "attention_size": Whole(optional=True),
            "generator": GENERATOR,
        },
    ),
    "AttentionReadout()": Entry(
        forward_of(rn.AttentionReadout(rn.Recurrent(elman()), 2, generator=seeded())),
        lambda: {"x": draw(B, T, D), "lengths": torch.tensor([T, 2])},
        {"x": INPUT, "lengths": Lengths()},
    ),
    "LeakyIntegratorCell": cell_entry(
        rn.LeakyIntegratorCell, nonlinearity=Choice(), leak_rate=Number(above=0, at_most=1)
    ),
    "EchoStateNetwork": Entry(
        rn.EchoStateNetwork,
        lambda: {"input_size": D, "hidden_size": H, "output_size": D},
        {
            **SIZES,
            "output_size": Whole(),
            "spectral_radius": Number(at_least=0),
            "density": Number(above=0, at_most=1),
            "leak_rate": Number(above=0, at_most=1),
            "input_scaling": Number(at_least=0),
            "bias_scaling": Number(at_least=0),
            "washout": Whole(0),
            "readout": Choice(),
            "nonlinearity": Choice(),
        },
    ),
    "EchoStateNetwork.fit": Entry(
        lambda **given: reservoir().fit(**given),
        lambda: {"inputs": draw(B, T, D), "targets": draw(B, T, D, seed=1)},
        {
            "inputs": Floats("refused", fixed=(0, 1, 2)),
            "targets": Floats("refused", fixed=(0, 1, 2), dtype=None),
            "ridge": Number(at_least=0),
        },
        also={"inputs": "x|features|targets"},
    ),
    "EchoStateNetwork.predict": Entry(
        lambda **given: reservoir().fit(draw(B, T, D), draw(B, T, D)).predict(**given),
        lambda: {"inputs": draw(B, T, D), "state": draw(B, H)},
        {"inputs": INPUT, "state": STATE},
        also={"inputs": "x"},
    ),
    "EchoStateNetwork.forecast": Entry(
        lambda **given: reservoir().fit(draw(B, T, D), draw(B, T, D)).forecast(**given),
        lambda: {"inputs": draw(B, T, D), "steps": 2, "state": draw(B, H)},
        {"inputs": INPUT, "steps": Whole(), "state": STATE},
        also={"inputs": "x"},
    ),
    "ridge_regression": Entry(
        rn.ridge_regression,
        lambda: {"features": draw(6, 2), "targets": draw(6, 3)},
        {
            "features": Floats("refused", fixed=(0,)),
            "targets": Floats("refused", fixed=(0,)),
            "ridge": Number(at_least=0),
        },
        also={"features": "targets"},
    ),
    "contraction": Entry(
        rn.contraction,
        lambda: {"cell": elman(), "inputs": draw(B, T, D)},
        {"cell": CELL, "inputs": INPUT, "generator": GENERATOR},
        also={"inputs": "x"},
    ),
    "parameter_count": Entry(rn.parameter_count, lambda: {"module": elman()}, {"module": MODULE}),
    "step_cost": Entry(
        rn.step_cost,
        lambda: {"module": elman(), "batch_size": 1},
        {"module": CELL, "batch_size": Whole()},
    ),
    "sequence_cost": Entry(
        rn.sequence_cost,
        lambda: {"module": elman(), "batch_size": 1, "length": 2},
        {"module": CELL, "batch_size": Whole(), "length": Whole()},
    ),
}

# ---- figures ------------------------------------------------------------------------------------

NUMBERS = {"text": "x", "texts": ["x"], "none": [], "nothing": None, "four dimensions": [[[[1.0]]]]}


def labelled(**more: object) -> Exactly:
    """Wrong values of an argument {label: numbers}."""
    wrong = {name: {"a": value} for name, value in NUMBERS.items()}
    return Exactly({**wrong, "no label": {}, "no dict": [1.0, 2.0], "not at all": None, **more})


def numbers(optional: bool = False, **more: object) -> Exactly:
    wrong = NUMBERS | {"a number": 1.0} | more
    return Exactly({k: v for k, v in wrong.items() if not (optional and k == "nothing")})


def about(low: int, high: int) -> Exactly:
    return Exactly({"too few": low - 1, "too many": high + 1, "text": "2", "a half": low + 0.5})


COLOURS = Exactly({"no such line": {"z": "blue"}, "no such colour": {"a": "mauve"}})
ENDS = Exactly({"text": "ab", "a number": 3, "too short": [("a", 1.0)]})
SHARES = Exactly({"text": "x", "outside": (-0.1, 1.0), "one": 0.5, "turned round": (0.9, 0.1)})
SEEN = {
    "names": ("a", "b"),
    "grad_norm": np.ones((4, 2)),
    "nonfinite": np.zeros((4, 2), int),
}
ENTRIES |= {
    "plot.norms_by_lag": Entry(
        plot.norms_by_lag,
        lambda: {"norms": {"a": [1.0, 0.5]}},
        {
            "norms": labelled(negative={"a": [1.0, -1.0]}, zeros={"a": [0.0]}),
            "lags": numbers(optional=True, one_short=[0]),
            "horizon": Exactly({"another label": {"b": 1.0}, "a number": 3}),
            "floor": Number(above=0),
            "ceiling": Number(above=0),
            "quantiles": SHARES,
            "colours": COLOURS,
        },
    ),
    "plot.learning_curves": Entry(
        plot.learning_curves,
        lambda: {"curves": {"a": [1.0, 0.5]}},
        {
            "curves": labelled(zero={"a": [0.0]}, all_nan={"a": [math.nan]}),
            "steps": numbers(optional=True, one_short=[0]),
            "baseline": Number(optional=True),
            "window": Whole(1, 2, optional=True),
            "quantiles": SHARES,
            "colours": COLOURS,
        },
        also={"baseline": "curves"},
    ),
    "plot.success_by_length": Entry(
        plot.success_by_length,
        lambda: {"successes": {"a": ([1, 2], [3, 4], 5)}},
        {
            "successes": Exactly(
                {
                    "no dict": [1],
                    "none": {},
                    "no triple": {"a": ([1, 2], [3, 4])},
                    "unequal": {"a": ([1, 2], [3], 5)},
                    "more than n": {"a": ([1], [6], 5)},
                    "text": {"a": ("x", "y", 5)},
                    "numbers": {"a": 3},
                    "n of zero": {"a": ([1], [0], 0)},
                }
            ),
            "confidence": Number(above=0, below=1),
            "baseline": Number(optional=True),
            "colours": COLOURS,
        },
    ),
    "plot.contributions": Entry(
        plot.contributions,
        lambda: {"parts": [1.0, 2.0]},
        {
            "parts": numbers(negative=[-1.0, 1.0], zeros=[0.0], with_nan=[1.0, math.nan]),
            "share": Number(above=0, at_most=1),
            "hue": Choice(),
        },
    ),
    "plot.clipping_arrows": Entry(
        plot.clipping_arrows,
        lambda: {"gradient": [1.0, 2.0], "clipped": {"a": [0.5, 1.0]}},
        {
            "gradient": numbers(one=[1.0]),
            "clipped": labelled(another_size={"a": [1.0, 2.0, 3.0]}),
            "components": Exactly({"too far": (0, 2), "one": (0,), "text": "xy", "a number": 1}),
            "box": Number(above=0, optional=True),
            "ball": Number(above=0, optional=True),
            "colours": COLOURS,
        },
    ),
    "plot.cliff": Entry(
        plot.cliff,
        lambda: {"w": [0.0, 1.0], "b": [0.0, 1.0, 2.0], "error": np.arange(6.0).reshape(3, 2)},
        {
            "w": numbers(one_more=[0.0, 1.0, 2.0], falling=[1.0, 0.0]),
            "b": numbers(one_less=[0.0, 1.0], falling=[2.0, 1.0, 0.0]),
            "error": numbers(turned=np.arange(6.0).reshape(2, 3)),
            "paths": Exactly(
                {k: v for k, v in labelled().values.items() if k != "not at all"}
                | {"outside": {"a": [[9.0, 9.0]]}, "flat": {"a": [[0.0, 0.0, 0.0]]}}
            ),
            "levels": Whole(2),
            "colours": Exactly({"no such line": {"b": "blue"}}),
        },
        also={"w": "error", "b": "error"},
    ),
    "plot.dot_rows": Entry(
        plot.dot_rows,
        lambda: {"rows": {"a": [1.0, 2.0]}},
        {
            "rows": labelled(all_nan={"a": [math.nan]}),
            "threshold": Number(optional=True),
            "colours": COLOURS,
        },
    ),
    "plot.spectrum": Entry(
        plot.spectrum,
        lambda: {"matrices": {"a": [[0.5, 0.0], [0.0, 0.2]]}},
        {
            "matrices": numbers(
                oblong=[[1.0, 2.0]], with_nan=[[math.nan]], no_label={}, text_within={"a": "x"}
            ),
            "colours": COLOURS,
        },
    ),
    "plot.gates_over_time": Entry(
        plot.gates_over_time,
        lambda: {"gates": {"a": [0.1, 0.5]}},
        {
            "gates": labelled(),
            "tokens": Exactly({"one short": ["x"], "a number": 3}),
            "quantiles": SHARES,
            "colours": COLOURS,
        },
    ),
    "plot.phase_diagram": Entry(
        plot.phase_diagram,
        lambda: {"x": [0.0, 1.0], "y": [0.0, 1.0], "z": [[0.0, 1.0], [2.0, 3.0]]},
        {
            "x": numbers(one=[0.0], falling=[1.0, 0.0]),
            "y": numbers(one=[0.0], falling=[1.0, 0.0]),
            "z": numbers(oblong=[[1.0, 2.0, 3.0]]),
            "edges": numbers(falling=[1, 0]),
            "low": Choice(),
            "high": Choice(),
        },
        also={"x": "z", "y": "z", "low": "colour", "high": "colour"},
    ),
    "plot.monitored": Entry(
        plot.monitored,
        lambda: {"history": SimpleNamespace(**SEEN)},
        {
            "history": Exactly(
                {
                    "a monitor": rn.GradientMonitor(nn.Linear(1, 1)),
                    "nothing": None,
                    "zeros": SimpleNamespace(**{**SEEN, "grad_norm": np.zeros((4, 2))}),
                    "names short": SimpleNamespace(**{**SEEN, "names": ("a",)}),
                }
            ),
            "quantity": Choice(),
            "most": Whole(2),
            "colours": COLOURS,
        },
    ),
    "plot.wilson_interval": Entry(
        plot.wilson_interval,
        lambda: {"successes": 3, "n": 5},
        {
            "successes": Exactly({"more than n": 6, "negative": -1, "text": "x", "NaN": math.nan}),
            "n": Exactly({"zero": 0, "text": "x", "NaN": math.nan}),
            "confidence": Number(above=0, below=1),
        },
        also={"n": "successes"},
    ),
    "plot.ColouredText": Entry(
        plot.ColouredText,
        lambda: {"characters": "ab", "values": [0.0, 1.0]},
        {
            "characters": Exactly({"numbers": [1, 2], "a number": 3, "one more": "abc"}),
            "values": numbers(one_more=[0.0, 1.0, 2.0], infinite=[0.0, math.inf]),
            "limits": Exactly(
                {"turned round": (1.0, 0.0), "NaN": (math.nan, 1.0), "text": "ab", "one": 1.0}
            ),
        },
        also={"characters": "values"},
    ),
    "plot.GradientText": Entry(
        plot.GradientText,
        lambda: {"characters": "ab", "matrix": [[1.0, 0.0], [0.5, 1.0]], "start": 0},
        {
            "characters": Exactly(
                {"numbers": [1, 2], "a number": 3, "one more": "abc", "nothing": ""}
            ),
            "matrix": numbers(
                one_row=[[1.0, 0.0]],
                negative=[[1.0, 0.0], [-0.5, 1.0]],
                infinite=[[1.0, 0.0], [math.inf, 1.0]],
                unknown=[[1.0, 0.0], [math.nan, 1.0]],
                of_what_comes_after=[[1.0, 0.5], [0.5, 1.0]],
            ),
            "start": Exactly({"beyond": 2, "too far back": -3, "text": "x", "a half": 0.5}),
        },
        also={"characters": "matrix"},
    ),
    "plot.rnn_unrolled": Entry(plot.rnn_unrolled, dict, {"steps": about(2, 6)}),
    "plot.lstm_cell": Entry(plot.lstm_cell, dict, {"stage": about(1, 4)}),
    "plot.lstm_variant": Entry(plot.lstm_variant, dict, {"variant": Choice()}),
    "plot.gru_cell": Entry(plot.gru_cell, dict, {"reset": Choice()}),
    "plot.bidirectional": Entry(plot.bidirectional, dict, {"steps": about(2, 5)}),
    "plot.stacked": Entry(plot.stacked, dict, {"layers": about(2, 3), "steps": about(2, 5)}),
    "plot.colour": Entry(
        plot.colour, lambda: {"name": "blue"}, {"name": Choice()}, also={"name": "colour"}
    ),
    "plot.power_ticks": Entry(
        plot.power_ticks,
        lambda: {"axis": plt.subplots()[1].yaxis},
        {"axis": Exactly({"axes": plt.subplots()[1], "text": "y"})},
    ),
    "plot.set_title": Entry(
        plot.set_title,
        lambda: {"ax": plt.subplots()[1], "text": "one"},
        {"ax": Exactly({"a figure": plt.figure(), "text": "x"})},
    ),
    "plot.panel_titles": Entry(
        plot.panel_titles,
        lambda: {"axes": [plt.subplots()[1]], "titles": ["one"]},
        {
            "axes": Exactly({"a figure": plt.figure(), "none": []}),
            "titles": Exactly({"too many": ["one", "two"], "none": []}),
        },
        also={"axes": "titles"},
    ),
    "plot.label_lines": Entry(
        plot.label_lines, lambda: {"ax": plt.subplots()[1], "ends": []}, {"ends": ENDS}
    ),
    "plot.label_column": Entry(
        plot.label_column, lambda: {"ax": plt.subplots()[1], "ends": []}, {"ends": ENDS}
    ),
}


def test_an_answer_with_nan_in_it_is_wrong_and_not_a_guess():
    task, targets = rn.tasks.recall(3, 4), torch.tensor([0, 1, 2, 3])
    right = torch.eye(4)
    assert task.score(right, targets) == 1.0
    for answer, guess in enumerate(targets):
        broken = right.clone()
        broken[answer, guess] = math.nan  # argmax takes NaN for the largest
        assert broken.argmax(1).tolist() == targets.tolist()
        assert task.score(broken, targets) == 0.75


# ---- the tests ----------------------------------------------------------------------------------

ALSO = {"colours": "colour", "hue": "colour"}
SAYS = re.compile(r"expected .*[,;] got", re.DOTALL)


def complaint(entry: Entry, name: str, value: object) -> str:
    """What is wrong with how a bad value is met; empty if it is refused as it should be."""
    given = {**entry.good(), name: value}
    try:
        entry.call(**given)
    except (TypeError, ValueError) as error:
        said = str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error!s:.200}"
    else:
        return "was let through"
    names = "|".join([name, entry.also.get(name, name), ALSO.get(name, name)])
    if not SAYS.search(said) or not re.search(rf"\b({names})\b", said):
        return f"says {said!r:.300}"
    return ""


@pytest.mark.parametrize("public", ENTRIES)
def test_the_good_call_is_good(public):
    entry = ENTRIES[public]
    entry.call(**entry.good())
    plt.close("all")


@pytest.mark.parametrize("public", ENTRIES)
def test_every_wrong_value_is_refused_by_name(public):
    entry = ENTRIES[public]
    good = entry.good()
    faults = []
    for name, kind in entry.takes.items():
        for label, value in kind.wrong(good.get(name)):
            if said := complaint(entry, name, value):
                faults.append(f"{name}: {label}: {said}")
    plt.close("all")
    assert not faults, "\n".join(faults)


def tensors_in(value: object) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, float):
        yield torch.tensor(value)
    elif isinstance(value, rn.Trajectory):
        yield value.hidden
    elif isinstance(value, rn.LagNorms):
        yield value.values
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)


@pytest.mark.parametrize("public", ENTRIES)
def test_nan_that_passes_comes_out_as_nan(public):
    entry = ENTRIES[public]
    for name, kind in entry.takes.items():
        if not isinstance(kind, Floats) or kind.nan != "passes":
            continue
        given = entry.good()
        given[name] = torch.full_like(given[name], math.nan)
        result = list(tensors_in(entry.call(**given)))
        assert any(tensor.isnan().any() for tensor in result), name


# Flags, places and texts: they have no wrong value that could be told from a right one.
FREE = {"bias", "device", "dtype", "relative", "residual", "progress", "tied", "hoisted"}
FREE |= {"squash"}
FREE |= {"weight_norm", "log", "title", "xlabel", "ylabel", "zlabel", "ax", "type_name", "width"}
FREE |= {"baseline_label", "threshold_label", "highlight_path", "diverging", "meaning", "text"}
# What a call gives back, and tables: nobody makes them by hand.
RECORDS = {"Attended", "CellPath", "Cost", "Diagnosis", "GradientHistory", "History", "LagNorms"}
RECORDS |= {"Trajectory", "VARIANTS", "Verdict", "plot", "tasks", "tasks.Batch", "tasks.TextBatch"}
RECORDS |= {"tasks.Task", "plot.CYCLE", "plot.DARK", "plot.LIGHT", "plot.MEANING"}


def test_every_public_entry_is_tried_with_every_argument():
    untried = []
    for name, thing in public_names().items():
        if name in RECORDS:
            continue
        arguments = set(signature(thing).parameters) - FREE
        entries = [entry for key, entry in ENTRIES.items() if key.partition(",")[0] == name]
        tried = {argument for entry in entries for argument in entry.takes}
        untried += [f"{name}({argument})" for argument in sorted(arguments - tried)]
    assert untried == []
    assert RECORDS <= set(public_names())
