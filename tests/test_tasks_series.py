"""Mackey-Glass against closed forms and finer steps; digits; characters and their labels."""

import collections
import hashlib
import importlib
import itertools
import math
import pickle
import platform
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import rnnnotes as rn

series_of = rn.tasks.mackey_glass_series


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def module(name):
    """The file, where the name in ``rn.tasks`` is the function."""
    return importlib.import_module(f"rnnnotes.tasks.{name}")


EVERY = {
    "mackey-glass": rn.tasks.mackey_glass(30, horizon=7),
    "mackey-glass, squashed": rn.tasks.mackey_glass(30, squash=True),
    "digits by pixel": rn.tasks.digits("pixels"),
    "digits by row": rn.tasks.digits("rows", split=3),
    "digits as images": rn.tasks.digits("image"),
    "characters": rn.tasks.characters(20),
    "characters, held out": rn.tasks.characters(20, "held_out"),
}
every_task = pytest.mark.parametrize("task", EVERY.values(), ids=EVERY.keys())


# What every task promises


@every_task
def test_equal_seeds_give_equal_batches_and_other_seeds_others(task):
    before = torch.random.get_rng_state()
    first, second = task.sample(16, generator(3)), task.sample(16, generator(3))
    other = task.sample(16, generator(4))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.inputs, other.inputs)
    assert torch.equal(torch.random.get_rng_state(), before)


@every_task
def test_batches_have_the_promised_shapes(task):
    batch = task.sample(5, generator())
    assert batch.inputs.shape[:2] == (5, task.length)
    if batch.inputs.dim() == 3:
        assert batch.inputs.shape[2] == task.input_size
    assert batch.lengths.tolist() == [task.length] * 5
    answers = {"mse": (5, 1), "accuracy": (5, task.length) if task.readout == "all" else (5,)}
    assert batch.targets.shape == answers[task.metric]
    if task.metric == "accuracy":
        assert 0 <= batch.targets.min() <= batch.targets.max() < task.output_size


@every_task
def test_a_task_is_frozen_and_survives_pickling(task):
    with pytest.raises(AttributeError):
        task.part = "other"
    copy = pickle.loads(pickle.dumps(task))
    assert copy == task
    assert torch.equal(copy.sample(4, generator()).inputs, task.sample(4, generator()).inputs)


@every_task
def test_the_best_constant_answer_scores_the_baseline(task):
    targets = task.sample(3000, generator(1)).targets
    if task.metric == "mse":
        assert task.score(targets.mean().expand(3000, 1), targets) == pytest.approx(
            task.baseline(), rel=0.06
        )
    else:
        share = (torch.bincount(targets.flatten()) / targets.numel()).max().item()
        assert share == pytest.approx(task.baseline(), abs=0.03)


@every_task
def test_bad_input_is_named(task):
    with pytest.raises(ValueError, match="batch_size: expected a whole number of at least 1"):
        task.sample(0, generator())
    with pytest.raises(TypeError, match=r"generator: expected a torch\.Generator, got int"):
        task.sample(4, 0)


def test_a_name_stays_the_function_when_its_module_is_imported_first():
    """And to import the file of the digits is not to import scikit-learn."""
    code = """
import importlib
import sys
import rnnnotes as rn
for name in ("characters", "digits", "mackey_glass"):
    module = importlib.import_module(f"rnnnotes.tasks.{name}")
    assert getattr(rn.tasks, name) is getattr(module, name), name
rn.tasks.digits()
assert "sklearn" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# The Mackey-Glass equation


def plainly(length, step, stride, discard, history, tau=17.0, beta=0.2, gamma=0.1, n=10.0):
    """The same method with no block and no matrix: one step after the other."""
    lag = round(tau / step)
    x, slope = [history], []

    def delayed(k):
        return x[k - lag] if k >= lag else history

    def delayed_middle(k):
        j = k - lag
        return history if j < 0 else (x[j] + x[j + 1]) / 2 + step / 8 * (slope[j] - slope[j + 1])

    def f(late, now):
        return beta * late / (1 + late**n) - gamma * now

    for k in range((discard + length - 1) * stride):
        slope.append(f(delayed(k), x[k]))
        middle = delayed_middle(k)
        k1 = slope[k]
        k2 = f(middle, x[k] + step / 2 * k1)
        k3 = f(middle, x[k] + step / 2 * k2)
        k4 = f(delayed(k + 1), x[k] + step * k3)
        x.append(x[k] + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    return torch.tensor(x[discard * stride :: stride], dtype=torch.float64)


@pytest.mark.parametrize(
    "options",
    [
        {"step": 0.5, "stride": 2, "discard": 0, "history": 1.2},
        {"step": 0.1, "stride": 10, "discard": 40, "history": 0.6},
        {"step": 1.0, "stride": 1, "discard": 3, "history": 0.9, "tau": 30.0},
        {"step": 1.0, "stride": 3, "discard": 1, "history": 0.5, "tau": 1.0},
        {"step": 0.25, "stride": 4, "discard": 0, "history": 1.5, "beta": 0.3, "gamma": 0.2},
    ],
)
def test_the_series_by_a_plain_reimplementation(options):
    expected = plainly(150, **options)
    torch.testing.assert_close(series_of(150, **options), expected, rtol=1e-11, atol=1e-11)


def test_up_to_the_delay_the_solution_is_known_in_closed_form():
    """While the delayed value is the constant history c, x decays to a = beta c / (gamma (1+c^n)):

    x(t) = a + (c - a) exp(-gamma t).
    """
    c = 1.2
    a = 0.2 * c / (0.1 * (1 + c**10))
    t = torch.arange(18, dtype=torch.float64)
    expected = a + (c - a) * torch.exp(-0.1 * t)
    series = series_of(18, discard=0, history=c)
    torch.testing.assert_close(series, expected, rtol=1e-9, atol=1e-9)


def test_the_fixed_point_stays():
    """x = (beta / gamma - 1)^(1/n) = 1; unstable, so only for as long as rounding is small."""
    series = series_of(300, discard=0, history=1.0)
    torch.testing.assert_close(series, torch.ones(300).double(), rtol=1e-9, atol=1e-9)


def test_halving_the_step_divides_the_error_by_sixteen():
    """Order 4, the interpolation of the delayed value included, over 300 units of time."""
    fine = series_of(300, discard=0, step=0.0125, stride=80)
    errors = [
        (series_of(300, discard=0, step=1 / k, stride=k) - fine).abs().max().item()
        for k in (1, 2, 4, 8)
    ]
    for coarse, half in itertools.pairwise(errors):
        assert math.log2(coarse / half) == pytest.approx(4, abs=0.15)


def test_the_step_of_the_default_is_fine_enough():
    """Against ten times the steps, over 1000 units of time, in which errors have grown."""
    series = series_of(1000, discard=0)
    finer = series_of(1000, discard=0, step=0.01, stride=100)
    assert (series - finer).abs().max() < 1e-6


def test_a_series_satisfies_the_equation():
    """Slopes by central differences against the right-hand side, the delayed value looked up."""
    x = series_of(4000, step=0.05, stride=1, discard=2000, tau=17.0)
    lag = round(17 / 0.05)
    slope = (x[2:] - x[:-2]) / 0.1
    late, now = x[1 : -1 - lag], x[1 + lag : -1]
    right = 0.2 * late / (1 + late**10) - 0.1 * now
    torch.testing.assert_close(slope[lag:], right, rtol=0, atol=1e-4)


def test_runs_of_a_batch_are_the_runs_of_each():
    histories = torch.tensor([0.7, 1.2, 1.4])
    batch = series_of(60, history=histories, discard=20)
    for history, run in zip(histories.tolist(), batch, strict=True):
        torch.testing.assert_close(
            run, series_of(60, history=history, discard=20), rtol=1e-12, atol=1e-12
        )


def test_squashing_discarding_and_striding_only_choose_and_bend():
    whole = series_of(100, discard=0)
    assert torch.equal(series_of(60, discard=40), whole[40:])
    assert torch.equal(series_of(100, discard=0, squash=True), torch.tanh(whole - 1))
    assert torch.equal(series_of(50, discard=0, stride=20), whole[::2])
    assert series_of(1, discard=0).tolist() == [1.2]


def test_a_longer_delay_makes_another_series_and_a_short_one_a_still_life():
    """Below its Hopf bifurcation the fixed point 1 is stable: tau = 2 ends there."""
    assert series_of(10, tau=2.0, discard=2000).tolist() == pytest.approx([1.0] * 10, abs=1e-9)
    assert series_of(500, tau=17.0).std() > 0.2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "length: expected a whole number of at least 1, got 0"),
        ({"tau": 17.05}, "tau: expected a whole number of steps of 0.1, got 17.05"),
        ({"tau": 0.01}, "tau: expected a whole number of steps of 0.1, got 0.01"),
        ({"step": 0.0}, "step: expected a number above 0, got 0.0"),
        ({"stride": 0}, "stride: expected a whole number of at least 1, got 0"),
        ({"discard": -1}, "discard: expected a whole number of at least 0, got -1"),
        ({"gamma": -0.1}, "gamma: expected a number above 0, got -0.1"),
        ({"history": 0.0}, "history: expected a number above 0, got 0.0"),
        ({"history": torch.tensor([1.0, -1.0])}, "history: expected a number above 0, got -1.0"),
        ({"history": torch.ones(2, 2)}, r"history: expected shape \(B,\), got \(2, 2\)"),
        ({"history": torch.tensor([math.nan])}, "history: expected finite values, got nan"),
    ],
)
def test_bad_options_of_the_series_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        series_of(**({"length": 10} | options))


# The Mackey-Glass task


def test_a_sequence_is_a_window_of_a_run_and_its_target_the_value_at_the_horizon():
    task = rn.tasks.mackey_glass(50, horizon=20)
    runs = series_of(2069, history=torch.linspace(0.5, 1.5, 64, dtype=torch.float64))
    windows = runs.unfold(1, 70, 1)
    batch = task.sample(40, generator())
    places = []
    for row, target in zip(batch.inputs[..., 0], batch.targets, strict=True):
        unlike = (windows[..., :3] - row[:3]).abs().amax(2)
        run, start = divmod(unlike.argmin().item(), windows.shape[1])
        torch.testing.assert_close(windows[run, start, :50], row, rtol=0, atol=1e-6)
        assert target.item() == pytest.approx(windows[run, start, 69].item(), abs=1e-6)
        places.append((run, start))
    assert len({run for run, _ in places}) > 20
    assert min(start for _, start in places) < 200 < 1800 < max(start for _, start in places)


def test_no_step_of_a_sequence_is_special():
    batch = rn.tasks.mackey_glass(60, horizon=1).sample(6000, generator())
    assert batch.inputs[..., 0].mean(0).std() < 0.01
    assert batch.inputs.std() > 0.2


@pytest.mark.parametrize("squash", [False, True])
def test_baselines_of_the_mean_and_of_the_last_value(squash):
    task = rn.tasks.mackey_glass(5, horizon=84, squash=squash)
    batch = task.sample(6000, generator())
    mean = batch.targets.mean().expand(6000, 1)
    last = batch.inputs[:, -1]
    assert task.score(mean, batch.targets) == pytest.approx(task.baseline("mean"), rel=0.05)
    assert task.score(last, batch.targets) == pytest.approx(task.baseline("last value"), rel=0.05)
    assert task.baseline("last value") > 2 * task.baseline("mean")
    assert task.baseline() == task.baseline("mean")
    next_value = rn.tasks.mackey_glass(5, horizon=1, squash=squash)
    assert next_value.baseline("last value") < 0.05 * next_value.baseline("mean")


def test_the_normalised_error_is_one_for_the_mean_and_relative_to_the_spread():
    task = rn.tasks.mackey_glass(5, horizon=84)
    targets = task.sample(6000, generator()).targets
    assert task.nrmse(targets, targets) == 0
    assert task.nrmse(targets.mean().expand_as(targets), targets) == pytest.approx(1, abs=0.03)
    spread = math.sqrt(task.baseline())
    assert task.nrmse(targets + 0.1 * spread, targets) == pytest.approx(0.1, rel=1e-9)


def test_nrmse84_of_trivial_and_of_perfect_forecasts():
    asked = {}

    def last_value(inputs, steps):
        asked["inputs"], asked["steps"] = inputs, steps
        return inputs[:, -1:].expand(-1, steps, -1)

    task = rn.tasks.mackey_glass(20, horizon=84)
    repeated = rn.tasks.nrmse84(last_value, runs=2000, warmup=20, generator=generator())
    expected = math.sqrt(task.baseline("last value") / task.baseline())
    assert repeated == pytest.approx(expected, rel=0.03)
    assert asked["steps"] == 84
    batch = task.sample(2000, generator())
    assert torch.equal(asked["inputs"], batch.inputs)

    def prophet(inputs, steps):
        return torch.cat([inputs.new_zeros(2000, steps - 1, 1), batch.targets[:, None]], 1)

    assert rn.tasks.nrmse84(prophet, runs=2000, warmup=20, generator=generator()) == 0.0


def test_an_echo_state_network_forecasts_84_steps_far_better_than_the_mean():
    """The whole way of the paper in small. The bound, 1 percent, was set beforehand."""
    series = series_of(2001, squash=True)[None, :, None]
    network = rn.EchoStateNetwork(1, 300, 1, generator=generator())
    network.fit(series[:, :-1], series[:, 1:], ridge=1e-12)
    error = rn.tasks.nrmse84(
        network.forecast, runs=20, warmup=200, squash=True, generator=generator()
    )
    assert error < 1e-2


def test_bad_forecasts_and_options_are_named():
    with pytest.raises(ValueError, match=r"forecast.*: expected shape \(3, 84, 1\), got \(3, 1\)"):
        rn.tasks.nrmse84(lambda x, steps: x[:, -1], runs=3, warmup=5, generator=generator())
    with pytest.raises(TypeError, match="forecast: expected a function, got 3"):
        rn.tasks.nrmse84(3, generator=generator())
    with pytest.raises(ValueError, match="horizon: expected a whole number of at least 1, got 0"):
        rn.tasks.mackey_glass(horizon=0)
    with pytest.raises(ValueError, match="tau: expected a number above 0, got 0"):
        rn.tasks.mackey_glass(tau=0)
    with pytest.raises(ValueError, match="predictor: expected one of 'mean', 'last value'"):
        rn.tasks.mackey_glass().baseline("median")


# Digits


def by_image(batch):
    return {tuple(x.flatten().tolist()): y for x, y in zip(*batch[:2], strict=True)}


@pytest.mark.parametrize("split", [0, 1])
def test_both_parts_together_are_scikit_learns_images_each_once(split):
    loaded = load_digits()
    theirs = collections.Counter(
        (int(y), tuple((x / 16).flatten().tolist()))
        for x, y in zip(loaded.images, loaded.target, strict=True)
    )
    ours = collections.Counter()
    for part, count in (("train", 1437), ("held_out", 360)):
        batch = rn.tasks.digits("image", part, split).images()
        assert len(batch.targets) == count
        pairs = zip(batch.inputs, batch.targets, strict=True)
        ours.update((int(y), tuple(x.flatten().tolist())) for x, y in pairs)
    assert ours == theirs


def test_the_views_are_the_same_images_by_pixel_and_by_row():
    image, rows, pixels = (rn.tasks.digits(view).images() for view in ("image", "rows", "pixels"))
    for i in (0, 700):
        for r in range(8):
            assert torch.equal(rows.inputs[i, r], image.inputs[i, 0, r])
            assert torch.equal(pixels.inputs[i, 8 * r : 8 * r + 8, 0], image.inputs[i, 0, r])
    assert torch.equal(image.targets, rows.targets)
    assert image.inputs.shape[1:] == (1, 8, 8)
    assert (image.inputs.min(), image.inputs.max()) == (0, 1)


def test_a_sample_is_of_its_part_and_reaches_all_of_it():
    known = {part: by_image(rn.tasks.digits(part=part).images()) for part in ("train", "held_out")}
    assert not known["train"].keys() & known["held_out"].keys()
    for part, images in known.items():
        drawn = by_image(rn.tasks.digits(part=part).sample(6 * len(images), generator()))
        assert drawn.items() <= images.items()
        # Missed by 6 N draws: a share of exp(-6), 0.25 percent.
        assert len(drawn) > 0.98 * len(images)


def test_another_split_divides_otherwise():
    first, again, other = (
        rn.tasks.digits(part="held_out", split=split).images().inputs for split in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_digits_baseline_is_the_majority_of_the_training_part():
    counts = collections.Counter(rn.tasks.digits().images().targets.tolist())
    majority, count = counts.most_common(1)[0]
    assert rn.tasks.digits().baseline() == pytest.approx(count / 1437)
    held_out = rn.tasks.digits(part="held_out").images().targets.tolist()
    share = held_out.count(majority) / 360
    assert rn.tasks.digits(part="held_out").baseline() == pytest.approx(share)


def test_without_scikit_learn_the_digits_say_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    module("digits")._part.cache_clear()
    with pytest.raises(ImportError, match="digits: expected scikit-learn, found none; pip install"):
        rn.tasks.digits().images()


def test_bad_digits_are_named():
    with pytest.raises(ValueError, match="view: expected one of 'image', 'pixels', 'rows', got 'c"):
        rn.tasks.digits("columns")
    with pytest.raises(ValueError, match="part: expected one of 'train', 'held_out', got 'test'"):
        rn.tasks.digits(part="test")
    with pytest.raises(ValueError, match="split: expected a whole number of at least 0, got -1"):
        rn.tasks.digits(split=-1)


# Characters: the text


def test_the_text_is_that_of_the_modules_that_python_imports():
    import difflib
    import textwrap

    train = rn.tasks.characters().source
    assert difflib.__doc__.strip() in train
    assert "def dedent(text):" in train
    with open(textwrap.__file__, encoding="utf-8") as file:
        assert file.read() in train
    held_out = rn.tasks.characters(part="held_out").source
    assert "class DocTestRunner" in held_out
    assert "class DocTestRunner" not in train
    assert not set(train + held_out) - set(rn.tasks.characters().vocabulary)


def test_the_vocabulary_is_printable_ascii_the_end_of_line_and_one_for_the_rest():
    vocabulary = rn.tasks.characters().vocabulary
    assert len(vocabulary) == len(set(vocabulary)) == rn.tasks.characters().input_size == 97
    assert set(vocabulary[:-1]) == {chr(c) for c in range(128) if chr(c).isprintable()} | {"\n"}


def test_samples_are_windows_of_the_text_and_targets_the_next_characters():
    task = rn.tasks.characters(40, "held_out")
    batch = task.sample(50, generator())
    for row, targets in zip(task.text(batch.inputs), batch.targets.tolist(), strict=True):
        following = "".join(task.vocabulary[i] for i in targets)
        assert following[:-1] == row[1:]
        assert row + following[-1] in task.source
    assert (batch.inputs.sum(-1) == 1).all()


@given(st.integers(1, 50), st.integers(500, 3000))
@settings(deadline=None, max_examples=5, derandomize=True)
def test_windows_go_on_from_one_another_and_cover_the_text_once(batch_size, length):
    task = rn.tasks.characters(length, "held_out")
    source = task.source
    ends, seen = None, 0
    for batch in task.windows(batch_size):
        assert batch.positions.shape == (batch_size, length)
        if ends is not None:
            assert torch.equal(batch.positions[:, 0], ends + 1)
        ends = batch.positions[:, -1]
        seen += batch.positions.numel()
        row = batch_size // 2
        text = "".join(source[p] for p in batch.positions[row].tolist())
        assert task.text(batch.inputs[row : row + 1]) == [text]
        following = "".join(source[p + 1] for p in batch.positions[row].tolist())
        assert "".join(task.vocabulary[i] for i in batch.targets[row].tolist()) == following
        assert (batch.positions.diff(dim=1) == 1).all()
    left_out = len(source) - seen
    assert 0 < left_out <= batch_size * (length + 1)


def test_windows_do_not_overlap():
    task = rn.tasks.characters(64, "held_out")
    positions = torch.cat([batch.positions.flatten() for batch in task.windows(7)])
    assert len(positions.unique()) == len(positions)


def test_baselines_in_bits_by_counting_plainly():
    train, held_out = (rn.tasks.characters(part=part).source for part in ("train", "held_out"))
    singles = collections.Counter(train[1:])
    pairs = collections.Counter(itertools.pairwise(train))
    firsts = collections.Counter(train[:-1])
    for part, text in (("train", train), ("held_out", held_out)):
        task = rn.tasks.characters(part=part)
        asked = collections.Counter(itertools.pairwise(text))
        unigram = bigram = 0.0
        for (a, b), count in asked.items():
            unigram -= count * math.log2((singles[b] + 1) / (len(train) - 1 + 97))
            bigram -= count * math.log2((pairs[a, b] + 1) / (firsts[a] + 97))
        assert task.baseline_bits("unigram") == pytest.approx(unigram / (len(text) - 1), rel=1e-12)
        assert task.baseline_bits("bigram") == pytest.approx(bigram / (len(text) - 1), rel=1e-12)
        assert task.baseline_bits("bigram") < task.baseline_bits() < math.log2(97)
        commonest = max(singles, key=singles.get)
        assert task.baseline() == pytest.approx(text[1:].count(commonest) / (len(text) - 1))


def test_bits_are_those_of_the_models_that_they_are_compared_with():
    task = rn.tasks.characters(30)
    targets = task.sample(4, generator()).targets
    assert task.bits(torch.zeros(4, 30, 97), targets) == pytest.approx(math.log2(97), rel=1e-6)
    halves = torch.zeros(4, 30, 97, dtype=torch.float64)
    halves.scatter_(2, targets[..., None], math.log(96))  # as likely as all others together
    assert task.bits(halves, targets) == pytest.approx(1.0)


def test_the_record_names_version_and_hash():
    task = rn.tasks.characters(part="held_out")
    record = task.record()
    assert record["python"] == platform.python_version()
    assert record["characters"] == len(task.source)
    assert len(record["modules"]) == 8
    if "\N{REPLACEMENT CHARACTER}" not in task.source:
        assert record["sha256"] == hashlib.sha256(task.source.encode()).hexdigest()


def test_a_module_of_the_readers_own_is_not_taken_for_the_librarys(tmp_path, monkeypatch):
    (tmp_path / "mailbox.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    for cached in (module("characters")._sources, module("characters")._text):
        cached.cache_clear()
    assert "class Maildir(Mailbox)" in rn.tasks.characters().source


def test_bad_characters_are_named():
    with pytest.raises(ValueError, match="length: expected a whole number of at least 1, got 0"):
        rn.tasks.characters(0)
    with pytest.raises(ValueError, match="part: expected one of 'train', 'held_out', got 'test'"):
        rn.tasks.characters(part="test")
    task = rn.tasks.characters(10**6, "held_out")
    with pytest.raises(ValueError, match=r"length: expected less than the text's .* got 1000000"):
        task.sample(1, generator())
    with pytest.raises(ValueError, match="batch_size: expected 2 stretches of more than length="):
        next(task.windows(2))
    with pytest.raises(ValueError, match="context: expected one of 'unigram', 'bigram', got 'tri"):
        rn.tasks.characters().baseline_bits("trigram")
    with pytest.raises(ValueError, match=r"inputs: expected shape \(B, T, 97\), got \(1, 2, 3\)"):
        rn.tasks.characters().text(torch.zeros(1, 2, 3))


# Characters: what a reader knows


def written(source, label):
    return "".join(str(v) for v in rn.tasks.syntax_labels(source)[label].tolist())


@pytest.mark.parametrize(
    ("source", "depth"),
    [
        ("f(a)[b]", "0111111"),
        ("x = [(1, {2: ()}), 3]", "000012222333344321111"),
        ("a((b), c)", "012221111"),
        ("a = '(['", "00000000"),
        ("a  # ((", "0000000"),
        ("g(\n  1,\n)", "011111111"),
    ],
)
def test_bracket_depth_counts_both_brackets_in(source, depth):
    assert written(source, "bracket_depth") == depth


@pytest.mark.parametrize(
    ("source", "inside"),
    [
        ("a = 'x' + \"y\"", "0000111000111"),
        ("r'\\'' b'x'", "11111" + "0" + "1111"),
        ('"""a\n"b"\n""" + 1', "111" + "11" + "1111" + "111" + "0000"),
        ("x = 'a' 'b'", "00001110111"),
        ("# 'no'\n'yes'", "0000000" + "11111"),
        ("x = '# no'  # 'no'", "0000" + "111111" + "00000000"),
        ("x = 'a\\\nb'", "0000" + "111111"),
    ],
)
def test_inside_string_is_from_prefix_to_closing_quote(source, inside):
    assert written(source, "inside_string") == inside


def test_inside_comment_is_from_the_hash_to_the_end_of_line():
    source = "a = '#'  # b # c\n# d\ne"
    assert written(source, "inside_comment") == "000000000" + "1111111" + "0" + "111" + "00"


def test_an_f_string_is_all_string_in_every_version():
    """Up to Python 3.11 it is one token; from 3.12 on its braces hold tokens of their own."""
    source = 'x = f"{a[0]:>{w}}(" + rf\'{{b\' + """c{d}""" + f"""{\n(e)}"""  # f"{g}"\n'
    strings = ['f"{a[0]:>{w}}("', "rf'{{b'", '"""c{d}"""', 'f"""{\n(e)}"""']
    expected = source
    for string in strings:
        expected = expected.replace(string, "\x01" * len(string))
    expected = "".join("1" if c == "\x01" else "0" for c in expected)
    assert written(source, "inside_string") == expected
    assert written(source, "bracket_depth") == "0" * len(source)
    assert written(source, "inside_comment").count("1") == len('# f"{g}"')


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.12 lets an f-string hold its own quotes")
def test_an_f_string_may_hold_its_own_quotes_from_3_12_on():
    assert written('x = f"{d["k"]}" + g(1)', "inside_string") == "0000" + "1" * 11 + "0" * 7
    assert written('f"{f"{a}"}", (b)', "inside_string") == "1" * 11 + "0" * 5
    assert written('f"{f"{a}"}", (b)', "bracket_depth") == "0" * 13 + "111"


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="3.11 ends an f-string at its own quote")
def test_up_to_3_11_an_f_string_ends_at_its_own_quote():
    assert written('f"{d["k"]}"', "inside_string") == "111111" + "0" + "1111"


def test_indentation_counts_the_blocks_around_a_line():
    source = (
        "class A:\n"
        "    # comment\n"
        "    def f(self,\n"
        "  g=1):\n"
        "        if g:\n"
        "            '''a\n"
        "b'''\n"
        "\n"
        "    x = 1\n"
        "y = 2\n"
    )
    depths = [0, 0, 1, 1, 2, 3, 3, 3, 1, 0]
    expected = "".join(
        str(depth) * len(line)
        for depth, line in zip(depths, source.splitlines(keepends=True), strict=True)
    )
    assert written(source, "indentation") == expected


def test_column_is_the_position_in_the_line():
    assert written("ab\n\n  c = '''\nd'''\n", "column") == "012" + "0" + "0123456789" + "01234"


def test_labels_of_characters_beyond_ascii_stay_in_place():
    source = "ö = 'ü'  # ß\nf(é)\n"
    assert written(source, "inside_string") == "0000111" + "0" * 11
    assert written(source, "inside_comment") == "0" * 9 + "111" + "0" * 6
    assert written(source, "bracket_depth") == "0" * 14 + "111" + "0"


@given(st.lists(st.sampled_from(["(", "[", "{", ")", "]", "}", "a", ",", " ", "'(['", "\n"])))
@settings(deadline=None, max_examples=100, derandomize=True)
def test_bracket_depth_by_a_plain_stack(pieces):
    stack, source, expected = [], "", []
    closes = {"(": ")", "[": "]", "{": "}"}
    for piece in pieces:
        if piece in closes:
            stack.append(closes[piece])
            depth = len(stack)
        elif piece in closes.values():
            if not stack or stack[-1] != piece:
                continue
            depth = len(stack)
            stack.pop()
        elif piece == " " and (not source or source[-1] == "\n"):
            continue
        else:
            depth = len(stack)
        source += piece
        expected += [depth] * len(piece)
    while stack:
        expected.append(len(stack))
        source += stack.pop()
    if source:
        assert rn.tasks.syntax_labels(source)["bracket_depth"].tolist() == expected


def test_labels_of_the_text_belong_to_its_characters():
    task = rn.tasks.characters(part="held_out")
    labels, source = task.labels(), task.source
    assert all(len(values) == len(source) for values in labels.values())
    start = source.index("class DocTestRunner")
    signature = source.index("def __init__(self, checker", start)
    assert labels["indentation"][start] == 0
    assert labels["indentation"][signature] == 1
    assert labels["column"][signature] == 4
    assert labels["bracket_depth"][signature + len("def __init__(")] == 1
    assert labels["bracket_depth"][signature + len("def __init__") - 1] == 0
    assert labels["inside_string"][source.index("A class used to run DocTest test cases")] == 1
    comment = source.index("# Create a fake output target")
    assert labels["inside_comment"][comment : comment + 20].tolist() == [1] * 20
    assert labels["inside_comment"][comment - 1] == 0
    ends = torch.tensor([c == "\n" for c in source])
    assert (labels["column"][1:][ends[:-1]] == 0).all()
    # A module's last line is left: the next one starts from nothing.
    second = source.index('"""Helper class to quickly write a loop over all standard input files.')
    assert {name: labels[name][second].item() for name in labels} == {
        "inside_string": 1, "inside_comment": 0, "bracket_depth": 0, "indentation": 0, "column": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "source: expected at least one character, got none"),
        ("x = (1\n", "source: expected Python that tokenizes, got"),
        ("x = 'abc\n", "source: expected Python that tokenizes, got"),
        ("x = '''abc\n", "source: expected Python that tokenizes, got"),
        ("if x:\n    a\n  b\n", "source: expected Python that tokenizes, got unindent"),
        ("x)", "source: expected (Python that tokenizes|brackets that match), got"),
    ],
)
def test_a_source_that_is_no_python_is_named(source, message):
    with pytest.raises(ValueError, match=message):
        rn.tasks.syntax_labels(source)


def test_a_source_that_is_no_text_is_named():
    with pytest.raises(TypeError, match="source: expected str, got bytes"):
        rn.tasks.syntax_labels(b"x")
