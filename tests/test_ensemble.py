from functools import partial

import pytest
import torch
from torch import nn

import rnnnotes as rn
from rnnnotes.training.ensemble import Ensemble, fit_ensemble

torch.set_num_threads(1)
sgd = partial(torch.optim.SGD, lr=0.3)
adam = partial(torch.optim.Adam, lr=0.01)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def net(seed, inputs=4, outputs=4, hidden=5, nonlinearity="tanh", dtype=torch.float64):
    g = generator(seed)
    cell = rn.ElmanCell(inputs, hidden, nonlinearity, generator=g, dtype=dtype)
    return rn.SequenceModel(rn.Recurrent(cell), outputs, generator=g)


def nets(count=3, **options):
    return [net(seed, **options) for seed in range(count)]


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "leaky_relu", "identity"])
def test_each_net_gives_what_it_gives_alone(nonlinearity):
    models = nets(nonlinearity=nonlinearity)
    together = Ensemble(models)
    x = torch.randn(3, 2, 6, 4, generator=generator(), dtype=torch.float64)
    states, outputs = together.states(x), together(x)
    for i, model in enumerate(models):
        assert torch.allclose(outputs[i], model(x[i]), rtol=0, atol=1e-12)
        alone = rn.unroll(model.layer.cell, x[i]).states[1:]
        for mine, expected in zip(states, alone, strict=True):
            assert torch.allclose(mine[i], expected, rtol=0, atol=1e-12)


GATED = {
    "LSTM": rn.LSTMCell,
    "GRU": rn.GRUCell,
    "GRU before": partial(rn.GRUCell, reset="before"),
    **{name: partial(rn.LSTMVariantCell, variant=name) for name in rn.VARIANTS},
}


def gated_nets(name, readout="last", count=3):
    made = []
    for seed in range(count):
        g = generator(seed)
        cell = GATED[name](4, 5, generator=g, dtype=torch.float64)
        made.append(rn.SequenceModel(rn.Recurrent(cell), 2, readout, generator=g))
    return made


@pytest.mark.parametrize("readout", ["last", "all"])
@pytest.mark.parametrize("name", GATED)
def test_gated_nets_give_outputs_and_gradients_as_each_alone(name, readout):
    models = gated_nets(name, readout)
    together = Ensemble(models)
    x = torch.randn(3, 2, 6, 4, generator=generator(), dtype=torch.float64)
    outputs = together(x)
    outputs.square().sum().backward()
    for i, model in enumerate(models):
        alone = model(x[i])
        assert torch.allclose(outputs[i], alone, rtol=0, atol=1e-12)
        alone.square().sum().backward()
        expected = torch.cat([p.grad.flatten() for p in model.parameters()])
        assert expected.abs().min() > 0
        assert torch.allclose(together.weights.grad[i], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "FGR"])
def test_gated_nets_may_start_from_a_state_and_come_back_as_models(name):
    together = Ensemble(gated_nets(name))
    x = torch.randn(3, 2, 6, 4, generator=generator(), dtype=torch.float64)
    middle = together.states(x[:, :, :4])[-1]
    assert torch.allclose(together(x[:, :, 4:], middle), together(x), rtol=0, atol=1e-12)
    fit_ensemble(
        together, lambda _: together(x).square(), updates=3, optimizer=sgd, clip=0.1, seed=0
    )
    for i, model in enumerate(together.models()):
        assert torch.allclose(model(x[i]), together(x)[i], rtol=0, atol=1e-12)


def test_a_task_with_a_target_at_every_step_is_scored_net_by_net():
    models = gated_nets("GRU", "all")
    task = rn.tasks.copy(length=3, symbols=2, copied=2)
    assert task.readout == "all" and task.input_size == 4
    models = [
        rn.SequenceModel(model.layer, task.output_size, "all", generator=generator(9))
        for model in models
    ]
    together = Ensemble(models)
    batch = task.sample(3 * 7, generator(4))
    expected = [
        task.loss(model(batch.inputs[7 * i : 7 * i + 7].double()), batch.targets[7 * i : 7 * i + 7])
        for i, model in enumerate(models)
    ]
    assert together.losses(task, 7)(generator(4)).item() == pytest.approx(sum(expected).item())
    scores = together.score(task, size=7, seed=4)
    for i, model in enumerate(models):
        mine = slice(7 * i, 7 * i + 7)
        output = model(batch.inputs[mine].double())
        assert scores[i] == pytest.approx(task.score(output, batch.targets[mine]))


def test_a_sequence_may_be_run_in_two_parts():
    together = Ensemble(nets())
    x = torch.randn(3, 2, 6, 4, generator=generator(), dtype=torch.float64)
    middle = together.states(x[:, :, :4])[-1]
    assert torch.allclose(together(x[:, :, 4:], middle), together(x), rtol=0, atol=1e-12)


def test_the_states_are_on_the_way_of_the_gradient():
    models = nets()
    together = Ensemble(models)
    x = torch.randn(3, 2, 6, 4, generator=generator(), dtype=torch.float64)
    states = together.states(x)
    gradients = torch.autograd.grad(states[-1].sum(), states)
    for i, model in enumerate(models):
        trajectory = rn.unroll(model.layer.cell, x[i])
        (expected,) = rn.state_gradients(trajectory.last.sum(), trajectory)
        mine = torch.stack([gradient[i] for gradient in gradients])
        assert torch.allclose(mine, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("optimizer", [sgd, adam], ids=["sgd", "adam"])
@pytest.mark.parametrize("clip", [None, 0.1], ids=["plain", "clipped"])
def test_training_together_is_training_one_by_one(optimizer, clip):
    models, task = nets(), rn.tasks.recall(length=3)
    together = Ensemble(models)
    assert (
        fit_ensemble(
            together, together.losses(task, 7), updates=5, optimizer=optimizer, clip=clip, seed=1
        )
        is None
    )
    optimizers = [optimizer(model.parameters()) for model in models]
    source = generator(1)
    for _ in range(5):
        batch = task.sample(3 * 7, source)
        for i, (model, step) in enumerate(zip(models, optimizers, strict=True)):
            mine = slice(7 * i, 7 * (i + 1))
            step.zero_grad()
            task.loss(model(batch.inputs[mine].double()), batch.targets[mine]).backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            step.step()
    for model, trained in zip(models, together.models(), strict=True):
        for expected, mine in zip(model.parameters(), trained.parameters(), strict=True):
            # torch adds 1e-6 to the norm that it divides by when it clips.
            assert torch.allclose(mine, expected, rtol=0, atol=1e-12 if clip is None else 1e-5)


def test_two_ensembles_are_clipped_as_one_model():
    first, second = Ensemble(nets()), Ensemble(nets(inputs=2))
    before = [first.weights.detach().clone(), second.weights.detach().clone()]

    def losses(_):
        return 3 * first.weights.sum() + 4 * second.weights.sum()

    fit_ensemble([first, second], losses, updates=1, optimizer=sgd, clip=2.0, seed=0)
    moved = [w.detach() - b for w, b in zip((first.weights, second.weights), before, strict=True)]
    lengths = torch.cat(moved, dim=1).norm(dim=1)
    assert torch.allclose(lengths, torch.full((3,), 0.3 * 2.0, dtype=torch.float64))
    assert torch.allclose(moved[0] / 3, moved[1][:, :1] / 4)


def test_no_net_touches_another():
    task = rn.tasks.recall(length=3)
    weights = []
    for last in (2, 9):
        together = Ensemble([net(0), net(1), net(last)])
        fit_ensemble(together, together.losses(task), updates=3, optimizer=adam, clip=0.1, seed=0)
        weights.append(together.weights.detach())
    assert torch.equal(weights[0][:2], weights[1][:2])
    assert not torch.equal(weights[0][2], weights[1][2])


def test_the_models_come_back_with_their_weights_and_share_no_memory():
    models = nets(nonlinearity="relu")
    together = Ensemble(models)
    back = together.models()
    for model, same in zip(models, back, strict=True):
        assert same.layer.cell.nonlinearity == "relu"
        for (name, expected), (other, mine) in zip(
            model.named_parameters(), same.named_parameters(), strict=True
        ):
            assert name == other and torch.equal(expected, mine)
    with torch.no_grad():
        together.weights.zero_()
    assert models[0].head.weight.abs().max() > 0 and back[0].head.weight.abs().max() > 0
    assert together.weight_hh.shape == (3, 5, 5)


def test_the_score_is_each_nets_own():
    models, task = nets(), rn.tasks.recall(length=2)
    together = Ensemble(models)
    scores = together.score(task, size=50, seed=4)
    batch = task.sample(150, generator(4))
    for i, model in enumerate(models):
        mine = slice(50 * i, 50 * (i + 1))
        assert scores[i] == pytest.approx(
            task.score(model(batch.inputs[mine].double()), batch.targets[mine])
        )


def test_what_watch_saw_starts_before_the_first_update():
    together, calls = Ensemble(nets()), []

    def watch():
        calls.append(1)
        return together.weight_hh

    seen = fit_ensemble(
        together,
        together.losses(rn.tasks.recall(length=2)),
        updates=5,
        optimizer=sgd,
        seed=0,
        watch=watch,
        watch_every=2,
    )
    assert len(seen) == len(calls) == 3
    assert torch.equal(seen[0], Ensemble(nets()).weight_hh)
    assert not torch.equal(seen[1], seen[0])


def test_the_readers_random_numbers_stay_as_they_were():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    together = Ensemble(nets())
    together.models()
    together.score(rn.tasks.recall(length=2), size=5, seed=0)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(
    ("models", "error", "message"),
    [
        ([], ValueError, "models: expected at least one"),
        ([nn.Linear(2, 2)], TypeError, r"models\[0\]: expected a SequenceModel, got Linear"),
        (
            [rn.SequenceModel(rn.Recurrent(rn.LeakyIntegratorCell(2, 3)), 2)],
            TypeError,
            r"models\[0\]: expected a Recurrent cell inside .*, got LeakyIntegratorCell",
        ),
        (
            [rn.SequenceModel(nn.LSTM(2, 3, batch_first=True), 2)],
            TypeError,
            r"models\[0\]: expected a Recurrent cell inside .*, got LSTM",
        ),
        (
            [rn.SequenceModel(rn.Recurrent(rn.ElmanCell(2, 3, bias=False)), 2)],
            ValueError,
            r"models\[0\]: expected biases, got bias=False",
        ),
        (
            [rn.SequenceModel(rn.Recurrent(rn.ElmanCell(2, 3)), 2, way) for way in ("last", "all")],
            ValueError,
            r"models\[1\]: expected the form .*'last', .*'all'",
        ),
        ([net(0), net(1, hidden=6)], ValueError, r"models\[1\]: expected the form .*4, 5.*4, 6"),
        ([net(0), net(1, dtype=torch.float32)], ValueError, "float64, got .*float32"),
    ],
)
def test_models_that_cannot_stand_side_by_side_are_refused(models, error, message):
    with pytest.raises(error, match=message):
        Ensemble(models)


def test_wrong_shapes_and_padded_tasks_are_refused():
    together = Ensemble(nets())
    x = torch.zeros(3, 2, 6, 4, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"x: expected shape \(3, B, T, 4\), got \(2, 2, 6, 4\)"):
        together(x[:2])
    with pytest.raises(ValueError, match=r"state h: expected shape \(3, 2, 5\), got \(3, 2, 4\)"):
        together(x, torch.zeros(3, 2, 4, dtype=torch.float64))
    padded = rn.tasks.temporal_order(length=20, rule="hochreiter")
    with pytest.raises(ValueError, match="task: expected sequences of one length"):
        Ensemble(nets(inputs=8)).sample(padded, 5, generator())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"updates": 0}, ValueError, "updates"),
        ({"clip": 0.0}, ValueError, "clip"),
        ({"watch_every": 0}, ValueError, "watch_every"),
        ({"seed": -1}, ValueError, "seed"),
        ({"losses": 3}, TypeError, "losses: expected a function, got 3"),
        ({"ensembles": [net(0)]}, TypeError, r"ensembles\[0\]: expected an Ensemble"),
    ],
)
def test_a_wrong_argument_of_the_training_is_named(options, error, message):
    together = Ensemble(nets())
    given = {
        "ensembles": together,
        "losses": together.losses(rn.tasks.recall(length=2)),
        "updates": 1,
        "optimizer": sgd,
        "seed": 0,
    } | options
    with pytest.raises(error, match=message):
        fit_ensemble(**given)
