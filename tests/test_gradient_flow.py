"""Gradients through time against closed forms, finite differences and autograd, lag by lag."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import rnnnotes as rn

torch.set_num_threads(1)
quick = settings(deadline=None, max_examples=15, derandomize=True)
sizes, seeds = st.integers(1, 5), st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-12, "atol": 1e-12}

CELLS = {
    "tanh": lambda d, h, **k: rn.ElmanCell(d, h, "tanh", **k),
    "leaky_relu": lambda d, h, **k: rn.ElmanCell(d, h, "leaky_relu", **k),
    "identity": lambda d, h, **k: rn.ElmanCell(d, h, "identity", **k),
    "lstm": rn.LSTMCell,
    "gru": rn.GRUCell,
    "gru_before": lambda d, h, **k: rn.GRUCell(d, h, reset="before", **k),
}
every_cell = pytest.mark.parametrize("kind", CELLS)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=seeded(seed))


def make(kind: str, d: int = 3, h: int = 4, seed: int = 0) -> rn.Cell:
    cell = CELLS[kind](d, h, generator=seeded(seed), dtype=torch.float64)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.mul_(2)
    return cell


def parts(state) -> tuple:
    return state if isinstance(state, tuple) else (state,)


def joined(state) -> torch.Tensor:
    return torch.cat(parts(state), dim=-1)


def random_loss(seed: int, over: str = "last"):
    """A loss of the last output, or of all of them, that weighs every number differently."""

    def loss(output):
        weights = draw(*output.shape, seed=seed)
        return (output * weights)[:, -1].sum() if over == "last" else (output * weights).sum()

    return loss


# --- step Jacobians and their product ----------------------------------------------------------


@every_cell
def test_jacobians_are_finite_differences_of_one_step(kind):
    cell, x = make(kind), draw(2, 3, 3)
    jacobians = rn.step_jacobians(cell, x)
    states = rn.unroll(cell, x).states
    width = len(cell.state_names) * 4
    assert jacobians.shape == (3, 2, width, width)
    assert not jacobians.requires_grad
    eps = 1e-6
    for t in range(3):
        for j in range(width):
            moved = []
            for sign in (1, -1):
                state = joined(states[t]).detach().clone()
                state[:, j] += sign * eps
                pieces = state.split(4, dim=1)
                after = cell(x[:, t], pieces if len(pieces) > 1 else pieces[0])
                moved.append(joined(after))
            column = (moved[0] - moved[1]) / (2 * eps)
            torch.testing.assert_close(jacobians[t, :, :, j], column, rtol=0, atol=1e-8)


@quick
@given(b=sizes, t=st.integers(1, 6), h=sizes, kind=st.sampled_from(list(CELLS)), seed=seeds)
def test_product_is_autograds_jacobian_from_first_to_last_state(b, t, h, kind, seed):
    cell, x = make(kind, 2, h, seed), draw(b, t, 2, seed=seed)
    starts = [draw(b, h, seed=seed + k).requires_grad_() for k in range(len(cell.state_names))]
    start = tuple(starts) if len(starts) > 1 else starts[0]
    last = joined(rn.unroll(cell, x, start).last)
    rows = [
        torch.cat(torch.autograd.grad(last[:, i].sum(), starts, retain_graph=True), dim=1)
        for i in range(last.shape[1])
    ]
    product = rn.jacobian_product(rn.step_jacobians(cell, x, start))
    torch.testing.assert_close(product, torch.stack(rows, dim=1), **EXACT)


def test_the_product_is_made_where_the_jacobians_are():
    """The device "meta" has no numbers, and every machine has it."""
    assert rn.jacobian_product(torch.empty(3, 2, 4, 4, device="meta")).device.type == "meta"


def test_jacobian_of_a_tanh_cell_is_slope_times_weight():
    cell, x = make("tanh"), draw(2, 5, 3)
    h = rn.unroll(cell, x).hidden
    slopes = torch.diag_embed(1 - h.square()).transpose(0, 1)
    torch.testing.assert_close(rn.step_jacobians(cell, x), slopes @ cell.weight_hh, **EXACT)


@quick
@given(t=st.integers(1, 12), seed=seeds)
def test_linear_cells_product_is_exactly_a_matrix_power(t, seed):
    cell = make("identity", seed=seed)
    product = rn.jacobian_product(rn.step_jacobians(cell, draw(1, t, 3, seed=seed)))
    power = torch.linalg.matrix_power(cell.weight_hh.detach(), t)
    torch.testing.assert_close(product[0], power, **EXACT)


@quick
@given(t=st.integers(2, 8), seed=seeds, data=st.data())
def test_products_chain(t, seed, data):
    jacobians = rn.step_jacobians(make("gru", seed=seed), draw(2, t, 3, seed=seed))
    start, middle, end = sorted(data.draw(st.lists(st.integers(0, t), min_size=3, max_size=3)))
    torch.testing.assert_close(
        rn.jacobian_product(jacobians, middle, end) @ rn.jacobian_product(jacobians, start, middle),
        rn.jacobian_product(jacobians, start, end),
        **EXACT,
    )
    identity = torch.eye(4, dtype=torch.float64).expand(2, 4, 4)
    assert torch.equal(rn.jacobian_product(jacobians, end, end), identity)


# --- gradients by lag --------------------------------------------------------------------------


@every_cell
@pytest.mark.parametrize("over", ["last", "all"])
def test_state_gradients_are_one_autograd_call_per_state(kind, over):
    cell, x, loss_of = make(kind), draw(2, 5, 3), random_loss(7, over)
    trajectory = rn.unroll(cell, x)
    loss = loss_of(trajectory.hidden)
    together = rn.state_gradients(loss, trajectory)
    assert len(together) == len(cell.state_names)
    for t in range(5):
        for part, gradient in zip(parts(trajectory.states[t + 1]), together, strict=True):
            (alone,) = torch.autograd.grad(loss, part, retain_graph=True)
            torch.testing.assert_close(gradient[t], alone, **EXACT)
    loss.backward()


def test_a_state_that_the_loss_does_not_see_has_gradient_zero():
    trajectory = rn.unroll(make("tanh"), draw(2, 5, 3))
    (gradients,) = rn.state_gradients(trajectory.hidden[:, 2].sum(), trajectory)
    assert (gradients[:3].abs().sum(dim=(1, 2)) > 0).all()
    assert not gradients[3:].any()
    # Nor one that the loss is not made from at all.
    (gradients,) = rn.state_gradients(trajectory.states[2].sum(), trajectory)
    assert (gradients[:2].abs().sum(dim=(1, 2)) > 0).all()
    assert not gradients[2:].any()


@quick
@given(b=sizes, t=st.integers(1, 7), kind=st.sampled_from(list(CELLS)), seed=seeds)
def test_norms_by_lag_are_the_jacobians_transposed_product(b, t, kind, seed):
    cell, x, loss = make(kind, seed=seed), draw(b, t, 3, seed=seed), random_loss(seed)
    norms = rn.gradient_norms_by_lag(cell, x, loss, reduce="none")
    jacobians = rn.step_jacobians(cell, x)
    at_end = torch.zeros(b, jacobians.shape[-1], dtype=torch.float64)
    at_end[:, :4] = draw(b, t, 4, seed=seed)[:, -1]
    for lag in range(t):
        product = rn.jacobian_product(jacobians, t - lag, t)
        expected = torch.einsum("bij,bi->bj", product, at_end).norm(dim=1)
        torch.testing.assert_close(norms[lag], expected, **EXACT)
    mean = rn.gradient_norms_by_lag(cell, x, loss)
    torch.testing.assert_close(mean.values, norms.values.mean(dim=1), **EXACT)


@pytest.mark.parametrize("radius", [0.5, 0.9, 1.0, 1.1])
def test_norms_of_a_linear_cell_fall_exactly_as_the_radius_to_the_lag(radius):
    cell = make("identity")
    rn.orthogonal_(cell.weight_hh, radius, generator=seeded(0))
    norms = rn.gradient_norms_by_lag(cell, draw(3, 40, 3))
    # Each of the 3 sequences has the gradient (1, 1, 1, 1) / 3 at lag 0.
    expected = 2 / 3 * radius ** norms.lags.double()
    torch.testing.assert_close(norms.values, expected, **EXACT)
    assert norms.measured == "dL/dh"
    first = math.ceil(math.log(1e-3) / math.log(radius)) if radius < 1 else math.inf
    assert rn.horizon(norms) == (first if first < 40 else math.inf)


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize("fused", [False, True])
def test_norms_are_right_from_the_smallest_to_the_largest_normal_float32(factor, fused):
    """Of numbers whose squares would be 0 or infinite: with W = c I the norm at lag k is c^k."""
    cell = rn.ElmanCell(3, 4, "identity" if not fused else "relu")
    with torch.no_grad():
        rn.identity_(cell.weight_hh, factor)
        cell.weight_ih.zero_()
        cell.bias_ih.fill_(1e-30)  # keeps the rectified units above zero
        cell.bias_hh.zero_()
    module = rn.to_torch(rn.Recurrent(cell)) if fused else cell
    norms = rn.gradient_norms_by_lag(module, torch.zeros(2, 126, 3))
    # Each of the 2 sequences has the gradient (1, 1, 1, 1) / 2 at lag 0.
    assert norms.values.dtype == torch.float32
    assert norms.values.tolist() == [factor**k for k in range(126)]
    assert 0.5**126 == torch.finfo(torch.float32).tiny  # a single entry at the last lag


@pytest.mark.parametrize("size", [1e-38, 1e-20, 1.0, 1e20, 1e37])
def test_norms_of_the_input_gradient_are_right_for_all_sizes_of_number(size):
    def loss(output):
        return (output * torch.tensor([3.0, 4.0]) * size).sum()

    norms = rn.gradient_norms_by_lag(nn.Identity(), torch.zeros(1, 3, 2), loss)
    torch.testing.assert_close(norms.values / size, torch.full((3,), 5.0))


def test_norms_of_nothing_of_infinity_and_of_nan_stay_what_they_are():
    weights = torch.tensor([[0.0, 0.0], [math.inf, 1.0], [math.nan, 1.0]])
    norms = rn.gradient_norms_by_lag(
        nn.Identity(), torch.zeros(1, 3, 2), lambda output: (output * weights).sum()
    )
    assert math.isnan(norms[0])
    assert norms[1:].tolist() == [math.inf, 0.0]


def test_hidden_and_cell_parts_are_the_total_derivatives():
    cell, x, loss = make("lstm"), draw(2, 6, 3), random_loss(3)
    trajectory = rn.unroll(cell, x)
    gradients = rn.state_gradients(loss(trajectory.hidden), trajectory)
    for part, gradient in zip(("hidden", "cell"), gradients, strict=True):
        norms = rn.gradient_norms_by_lag(cell, x, loss, part=part)
        torch.testing.assert_close(norms.values, gradient.norm(dim=2).mean(dim=1).flip(0), **EXACT)
        assert norms.measured == f"dL/d{part[0]}"


def test_looking_changes_nothing():
    cell, x = make("lstm"), draw(2, 6, 3)
    before = {name: p.detach().clone() for name, p in cell.named_parameters()}
    attributes = dict(vars(cell))
    rn.gradient_norms_by_lag(cell, x)
    rn.direct_path(cell, x)
    assert vars(cell).keys() == attributes.keys()
    for name, parameter in cell.named_parameters():
        assert torch.equal(parameter, before[name])
        assert parameter.grad is None
    model = nn.LSTM(3, 4).double()
    with pytest.raises(RuntimeError, match="on purpose"):
        rn.gradient_norms_by_lag(model, x, _fail)
    assert "forward" not in vars(model)


def _fail(output):
    raise RuntimeError("on purpose")


def test_it_works_where_gradients_are_off():
    cell, x = make("gru"), draw(2, 6, 3)
    on = rn.gradient_norms_by_lag(cell, x)
    with torch.no_grad():
        off = rn.gradient_norms_by_lag(cell, x)
        parts = rn.untied_contributions(cell, x)
        path = rn.direct_path(make("lstm"), x)
    assert torch.equal(on.values, off.values)
    assert parts.abs().sum() > 0
    assert path.direct.abs().sum() > 0
    for parameter in cell.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(ValueError, match="depends on the states, got a constant"):
        rn.gradient_norms_by_lag(cell, x)


class Tagger(nn.Module):
    """A reader's model: an embedding, a recurrent layer of some kind, a head."""

    def __init__(self, recurrent: nn.Module, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 3)
        self.encoder = recurrent
        self.head = nn.Linear(width, 2)

    def forward(self, tokens):
        x = self.embedding(tokens)
        first = isinstance(self.encoder, nn.RNNBase) and not self.encoder.batch_first
        output, _ = self.encoder(x.transpose(0, 1) if first else x)
        return self.head(output.transpose(0, 1) if first else output)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("both", [True, False])
def test_a_torch_layer_inside_a_model_is_measured_as_ours_is(kind, batch_first, both):
    recurrent = kind(3, 4, 2, bidirectional=both, batch_first=batch_first)
    theirs = Tagger(recurrent, 8 if both else 4).double()
    ours = Tagger(rn.from_torch(recurrent), 8 if both else 4).double()
    ours.embedding, ours.head = theirs.embedding, theirs.head
    tokens = torch.randint(11, (2, 6), generator=seeded(0))
    names = {"l0": "encoder.layers.0.", "l1": "encoder.layers.1."}
    if both:
        names |= {f"{k}_reverse": f"{v}backward_cell" for k, v in names.items()}
        names |= {k: f"{names[k]}forward_cell" for k in ("l0", "l1")}
    else:
        names = {k: f"{v}cell" for k, v in names.items()}
    plain = theirs(tokens).detach()
    for torch_name, our_name in names.items():
        mine = rn.gradient_norms_by_lag(ours, tokens, random_loss(3, "all"), where=our_name)
        norms = rn.gradient_norms_by_lag(
            theirs, tokens, random_loss(3, "all"), where=f"encoder.{torch_name}"
        )
        torch.testing.assert_close(norms.values, mine.values, **EXACT)
        assert norms.measured.endswith(f" of encoder.{torch_name}")
        assert mine.measured.endswith(f" of {our_name}")
    assert torch.equal(theirs(tokens), plain)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("form", ["batch first", "time first", "single"])
def test_while_measured_a_torch_layer_answers_in_its_own_form(kind, both, form):
    layer = kind(3, 4, 2, bidirectional=both, batch_first=form == "batch first").double()
    x = draw(6, 3) if form == "single" else draw(6, 5, 3)
    _, first = layer(x)
    expected, expected_last = layer(x, first)
    seen = []

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            seen.extend(self.layer(x, first))
            return seen[0]

    rn.gradient_norms_by_lag(Model(), x, torch.sum, where="layer.l1")
    torch.testing.assert_close(seen[0], expected, **EXACT)
    assert isinstance(seen[1], tuple) == isinstance(expected_last, tuple)
    for mine, theirs in zip(parts(seen[1]), parts(expected_last), strict=True):
        torch.testing.assert_close(mine, theirs, **EXACT)


@pytest.mark.parametrize("kind", ["tanh", "lstm", "gru"])
def test_a_readers_loop_over_a_torch_cell_is_measured_too(kind):
    ours = make(kind)
    theirs = rn.to_torch(ours)

    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = theirs

        def forward(self, x):
            state, hidden = None, []
            for x_t in x.unbind(1):
                state = self.cell(x_t, state)
                hidden.append(parts(state)[0])
            return torch.stack(hidden, dim=1)

    x = draw(2, 6, 3)
    norms = rn.gradient_norms_by_lag(Loop(), x, random_loss(3))
    expected = rn.gradient_norms_by_lag(ours, x, random_loss(3))
    torch.testing.assert_close(norms.values, expected.values, **EXACT)
    assert norms.measured == f"{expected.measured} of cell"


def test_one_cell_in_a_layer_needs_no_name_and_gives_the_cells_norms():
    cell, x = make("lstm"), draw(2, 6, 3)
    bare = rn.gradient_norms_by_lag(cell, x)
    for model in (rn.Recurrent(cell), rn.Stacked([cell]), nn.Sequential(rn.Recurrent(cell))):
        norms = rn.gradient_norms_by_lag(model, x)
        torch.testing.assert_close(norms.values, bare.values, **EXACT)


def test_the_upper_layers_output_at_lag_zero_is_the_loss_gradient():
    layer = rn.Stacked([make("gru"), make("gru", 4, 4)])
    norms = rn.gradient_norms_by_lag(layer, draw(5, 6, 3), where="layers.1.cell")
    assert norms[0].item() == pytest.approx(2 / 5, rel=1e-14)


def test_modules_without_a_cell_are_measured_at_their_inputs():
    weight = draw(4, 3, 3)

    class Window(nn.Module):
        """The last output reads the last three inputs and no other."""

        def forward(self, x):
            return torch.einsum("btd,hdt->bh", x[:, -3:], weight)[:, None]

    x = draw(2, 8, 3)
    norms = rn.gradient_norms_by_lag(Window(), x, random_loss(3))
    upstream = draw(2, 1, 4, seed=3)[:, 0]
    for lag in range(3):
        expected = (upstream @ weight[:, :, 2 - lag]).norm(dim=1).mean()
        torch.testing.assert_close(norms[lag], expected, **EXACT)
    assert not norms[3:].any()
    assert norms.measured == "dL/dx, the inputs"
    assert rn.horizon(norms) == 3
    assert not x.requires_grad


def test_lag_norms_go_to_numpy_and_iterate():
    norms = rn.gradient_norms_by_lag(make("tanh"), draw(2, 6, 3))
    assert len(norms) == 6
    np.testing.assert_array_equal(np.asarray(norms), norms.values.numpy())
    assert np.asarray(norms, dtype=np.float32).dtype == np.float32
    # As NumPy 1 asks, and as NumPy 2 does.
    for asked in ({}, {"copy": None}, {"copy": True}):
        made = norms.__array__(np.float32, **asked)
        assert made.dtype == np.float32
        np.testing.assert_array_equal(made, norms.values.float().numpy())
    np.testing.assert_array_equal(norms.__array__(copy=True), norms.values.numpy())
    assert np.shares_memory(norms.__array__(copy=False), norms.values.numpy())
    assert np.shares_memory(norms.__array__(), norms.values.numpy())
    assert not np.shares_memory(norms.__array__(copy=True), norms.values.numpy())
    assert [float(value) for value in norms] == norms.values.tolist()
    assert norms.lags.tolist() == [0, 1, 2, 3, 4, 5]
    assert torch.equal(norms[2:4], norms.values[2:4])
    single = rn.gradient_norms_by_lag(make("tanh").float(), draw(2, 6, 3).float())
    assert single.values.dtype == torch.float32
    torch.testing.assert_close(single.values.double(), norms.values, rtol=1e-4, atol=1e-7)


@quick
@given(rate=st.floats(0.01, 0.99), fraction=st.floats(1e-6, 0.999), length=st.integers(1, 60))
def test_horizon_is_the_first_lag_below_the_fraction(rate, fraction, length):
    norms = 3.0 * rate ** np.arange(length)
    horizon = rn.horizon(norms, fraction)
    if horizon == math.inf:
        assert (norms >= fraction * norms[0]).all()
    else:
        assert norms[horizon] < fraction * norms[0]
        assert (norms[:horizon] >= fraction * norms[0]).all()


def test_horizon_of_a_dip_counts_from_the_first_and_nan_is_not_below():
    assert rn.horizon(torch.tensor([1.0, 1e-4, 1.0])) == 1
    assert rn.horizon(torch.tensor([1.0, math.nan, 1.0])) == math.inf
    assert rn.horizon(torch.tensor([0.0, 0.0])) == math.inf


# --- the parts of a shared weight's gradient ---------------------------------------------------


@every_cell
@pytest.mark.parametrize("over", ["last", "all"])
def test_contributions_add_up_to_the_tied_gradient(kind, over):
    cell, x, loss = make(kind), draw(2, 6, 3), random_loss(5, over)
    loss(rn.unroll(cell, x).hidden).backward()
    for name, parameter in cell.named_parameters():
        contributions = rn.untied_contributions(cell, x, loss, parameter=name)
        assert contributions.shape == (6, *parameter.shape)
        torch.testing.assert_close(contributions.sum(dim=0), parameter.grad, **EXACT)


@every_cell
def test_each_contribution_is_the_gradient_of_a_net_with_weights_of_its_own(kind):
    cell, x, loss = make(kind), draw(2, 4, 3), random_loss(5)
    copies = [make(kind) for _ in range(4)]
    state, hidden = cell.initial_state(2), []
    for t, layer in enumerate(copies):
        state = layer(x[:, t], state)
        hidden.append(parts(state)[0])
    loss(torch.stack(hidden, dim=1)).backward()
    contributions = rn.untied_contributions(cell, x, loss)
    for part, layer in zip(contributions, copies, strict=True):
        torch.testing.assert_close(part, layer.weight_hh.grad, **EXACT)


def test_a_weight_that_the_step_does_not_read_contributes_nothing():
    class HalvingCell(rn.Cell):
        def step(self, projected, state):
            return state / 2 + projected

    cell = HalvingCell(3, 4, generator=seeded(0), dtype=torch.float64)
    contributions = rn.untied_contributions(cell, draw(2, 5, 3))
    assert contributions.shape == (5, 4, 4)
    assert not contributions.any()


def test_contribution_of_a_tanh_step_is_an_outer_product_of_gradient_and_state():
    cell, x, loss = make("tanh"), draw(2, 5, 3), random_loss(5)
    state = draw(2, 4, seed=8)
    trajectory = rn.unroll(cell, x, state)
    (upstream,) = rn.state_gradients(loss(trajectory.hidden), trajectory)
    before = torch.stack(trajectory.states[:-1])
    after = torch.stack(trajectory.states[1:])
    expected = torch.einsum("tbi,tbj->tij", upstream * (1 - after.square()), before)
    contributions = rn.untied_contributions(cell, x, loss, state=state)
    torch.testing.assert_close(contributions, expected, **EXACT)


# --- the LSTM's direct path --------------------------------------------------------------------


@quick
@given(b=sizes, t=st.integers(1, 8), seed=seeds)
def test_direct_path_is_the_product_of_the_forget_gates(b, t, seed):
    cell, x, loss = make("lstm", seed=seed), draw(b, t, 3, seed=seed), random_loss(seed)
    total, direct, rest = rn.direct_path(cell, x, loss)
    trajectory = rn.unroll(cell, x)
    _, expected_total = rn.state_gradients(loss(trajectory.hidden), trajectory)
    f = trajectory.gates()["f"]
    product = expected_total[-1]
    for lag in range(t):
        torch.testing.assert_close(direct[lag], product, **EXACT)
        product = product * f[:, t - 1 - lag]
    torch.testing.assert_close(total, expected_total.flip(0), **EXACT)
    torch.testing.assert_close(direct + rest, total, **EXACT)
    assert not rest[0].any()


def test_constant_error_carousel_is_exactly_one():
    cell = make("lstm")
    with torch.no_grad():
        cell.bias_ih[4:8] = 1000.0
    total, direct, rest = rn.direct_path(cell, draw(2, 200, 3))
    assert torch.equal(direct, direct[0].expand_as(direct))
    assert rest[1:].abs().amax(dim=(1, 2)).min() > 0
    with torch.no_grad():
        cell.weight_hh.zero_()
    total, direct, rest = rn.direct_path(cell, draw(2, 200, 3))
    assert torch.equal(total, direct)
    assert not rest.any()


def test_direct_path_begins_at_the_state_that_is_given():
    cell, x, loss = make("lstm"), draw(2, 4, 3), random_loss(5)
    state = draw(2, 4, seed=8), draw(2, 4, seed=9)
    path = rn.direct_path(cell, x, loss, state=state)
    trajectory = rn.unroll(cell, x, state)
    _, by_cells = rn.state_gradients(loss(trajectory.hidden), trajectory)
    torch.testing.assert_close(path.total, by_cells.flip(0), **EXACT)
    f = trajectory.gates()["f"]
    torch.testing.assert_close(path.direct[2], path.direct[0] * f[:, 3] * f[:, 2], **EXACT)


def test_direct_path_of_a_loss_over_all_steps_counts_every_readout():
    cell, x, loss = make("lstm"), draw(2, 6, 3), random_loss(5, "all")
    f, o = (rn.unroll(cell, x).gates()[name] for name in "fo")
    c = torch.stack([state[1] for state in rn.unroll(cell, x).states[1:]], dim=1)
    injected = draw(2, 6, 4, seed=5) * o * (1 - c.tanh().square())
    expected = torch.zeros(2, 4, dtype=torch.float64)
    direct = rn.direct_path(cell, x, loss).direct
    for lag in range(6):
        carried = expected * f[:, 6 - lag] if lag else expected
        expected = carried + injected[:, 5 - lag]
        torch.testing.assert_close(direct[lag], expected, **EXACT)


# --- bad input ---------------------------------------------------------------------------------

X = draw(2, 5, 3)


class Idle(nn.Module):
    """Has a cell and does not run it."""

    def __init__(self):
        super().__init__()
        self.cell = make("tanh")
        self.head = nn.Linear(3, 3).double()

    def forward(self, x):
        return self.head(x)


class Packing(nn.Module):
    """Gives its layer packed sequences."""

    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(3, 4, batch_first=True).double()

    def forward(self, x):
        packed = nn.utils.rnn.pack_padded_sequence(x, [5, 3], batch_first=True)
        return self.layer(packed)[0].data[None]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: rn.step_jacobians(make("tanh"), X[0]), ValueError, r"\(B, T, 3\), got \(5, 3\)"),
        (lambda: rn.jacobian_product(X), ValueError, r"\(T, B, S, S\), got \(2, 5, 3\)"),
        (
            lambda: rn.jacobian_product(rn.step_jacobians(make("tanh"), X), 3, 2),
            ValueError,
            "end: .*at least 3 and at most 5, got 2",
        ),
        (
            lambda: rn.jacobian_product(rn.step_jacobians(make("tanh"), X), -1),
            ValueError,
            "start: .*at least 0 and at most 5, got -1",
        ),
        (
            lambda: rn.gradient_norms_by_lag(make("tanh"), X, lambda y: y[:, -1]),
            ValueError,
            r"loss: expected shape \(\), got \(2, 4\)",
        ),
        (
            lambda: rn.gradient_norms_by_lag(make("tanh"), X, lambda y: 1.0),
            TypeError,
            "loss: expected a torch.Tensor, got float",
        ),
        (
            lambda: rn.gradient_norms_by_lag(make("tanh"), X, part="memory"),
            ValueError,
            "part: expected one of 'state', 'hidden', 'cell', got 'memory'",
        ),
        (
            lambda: rn.gradient_norms_by_lag(make("gru"), X, part="cell"),
            ValueError,
            "^part: .*without a cell state, got 'cell'$",
        ),
        (
            lambda: rn.gradient_norms_by_lag(make("tanh"), X.tolist()),
            TypeError,
            "^x: expected a torch.Tensor, got list$",
        ),
        (
            lambda: rn.gradient_norms_by_lag(nn.Linear(3, 3).double(), X[0, 0]),
            ValueError,
            r"^x: expected shape \(B, T, \.\.\.\), got \(3,\)$",
        ),
        (
            lambda: rn.gradient_norms_by_lag(make("tanh"), X, lambda y: y.sum().long()),
            TypeError,
            "^loss: expected a floating type, got dtype torch.int64$",
        ),
        (
            lambda: rn.gradient_norms_by_lag(Idle(), X),
            ValueError,
            "^module: expected a cell that is run on x, got one that is not$",
        ),
        (
            lambda: rn.gradient_norms_by_lag(Packing(), X),
            TypeError,
            "^x of the torch module: expected a torch.Tensor, got PackedSequence$",
        ),
        (
            lambda: rn.horizon("norms"),
            TypeError,
            "^norms: expected a tensor or an array, got str$",
        ),
        (
            lambda: rn.gradient_norms_by_lag(make("tanh"), X, reduce="max"),
            ValueError,
            "reduce: .*got 'max'",
        ),
        (
            lambda: rn.gradient_norms_by_lag(nn.GRU(3, 4, 2, batch_first=True).double(), X),
            ValueError,
            "where: expected one of 'l0', 'l1', got None",
        ),
        (
            lambda: rn.gradient_norms_by_lag(make("tanh"), X, where="nowhere"),
            ValueError,
            "where: expected one of '', got 'nowhere'",
        ),
        (
            lambda: rn.gradient_norms_by_lag(nn.Linear(3, 3).double(), X, where="l0"),
            ValueError,
            "where: expected None for a module without cells, got 'l0'",
        ),
        (
            lambda: rn.gradient_norms_by_lag(nn.Linear(3, 3), torch.zeros(2, 5, dtype=torch.long)),
            TypeError,
            "x: expected a floating type, got dtype torch.int64",
        ),
        (
            lambda: rn.gradient_norms_by_lag(make("tanh"), X, lambda y: y.detach().sum()),
            ValueError,
            "loss: expected a value that depends on the states, got a constant",
        ),
        (lambda: rn.horizon(X), ValueError, r"norms: expected shape \(T,\), got \(2, 5, 3\)"),
        (lambda: rn.horizon(X[0, 0], 1.0), ValueError, "fraction: .*below 1, got 1.0"),
        (
            lambda: rn.untied_contributions(make("tanh"), X, parameter="weight"),
            ValueError,
            "parameter: expected one of 'weight_ih', .*got 'weight'",
        ),
        (
            lambda: rn.untied_contributions(make("tanh"), X[:, :0]),
            ValueError,
            r"x: .*got \(2, 0, 3\)",
        ),
        (
            lambda: rn.untied_contributions(make("tanh"), X[0]),
            ValueError,
            r"^x: expected shape \(B, T, 3\), got \(5, 3\)$",
        ),
        (
            lambda: rn.direct_path(make("gru"), X),
            TypeError,
            "cell: expected a cell with a cell state c, got GRUCell",
        ),
        (
            lambda: rn.last_step_sum(X[0]),
            ValueError,
            r"output: expected shape \(B, T, H\), got \(5, 3\)",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_time_first_layer_needs_a_loss_that_knows_it():
    generator = torch.Generator().manual_seed(0)
    ours = rn.Recurrent(rn.GRUCell(2, 4, generator=generator))
    theirs = torch.nn.GRU(2, 4)
    theirs.load_state_dict(rn.to_torch(ours).state_dict())
    x = torch.randn(3, 7, 2, generator=generator)
    with pytest.raises(
        ValueError, match=r"^module: .*batch_first=True, or a .* got batch_first=False$"
    ):
        rn.gradient_norms_by_lag(theirs, x.transpose(0, 1))
    of_theirs = rn.gradient_norms_by_lag(
        theirs, x.transpose(0, 1), lambda output: output[-1].sum(1).mean()
    )
    torch.testing.assert_close(of_theirs.values, rn.gradient_norms_by_lag(ours, x).values)
