"""Clipping against Keras 3, which nobody here wrote, on its torch backend and in float64.

One step of plain SGD at rate 1 from zero leaves minus the gradient that Keras clipped. On torch
Keras takes the larger of two numbers in float32, whatever their types, and so its scale for a norm
is that of float32; by value it clips exactly.

Keras runs in a process of its own: it reads its settings from the environment, and writes a file
of them into its home, which is an empty folder here.
"""

import json
import os
import subprocess
import sys

import pytest
import torch

import rnnnotes as rn

torch.set_num_threads(1)
SHAPES = ((3, 4), (4,), (2, 2, 2), (1,))
SIZES = (1e-12, 1e-3, 0.3, 1.0, 30.0, 1e12)
THRESHOLDS = (0.5, 1.0, 7.0)
ROUNDING = {"clipnorm": 2e-7, "global_clipnorm": 2e-7, "clipvalue": 0.0}

STEPS = """
import json, sys
import keras

keras.config.set_floatx("float64")
cases = json.load(sys.stdin)
for case in cases:
    start = [keras.ops.zeros_like(keras.ops.array(g, dtype="float64")) for g in case["gradients"]]
    variables = [keras.Variable(zero, dtype="float64") for zero in start]
    optimizer = keras.optimizers.SGD(learning_rate=1.0, **{case["option"]: case["threshold"]})
    gradients = [keras.ops.array(g, dtype="float64") for g in case["gradients"]]
    optimizer.apply(gradients, variables)
    case["clipped"] = [(-keras.ops.convert_to_numpy(v)).tolist() for v in variables]
print(json.dumps({"backend": keras.backend.backend(), "cases": cases}))
"""


def drawn(size: float, seed: int) -> list[torch.Tensor]:
    """Gradients of unequal sizes; the third is zero."""
    generator = torch.Generator().manual_seed(seed)
    draw = [torch.randn(s, dtype=torch.float64, generator=generator) for s in SHAPES]
    return [size * draw[0], 3 * size * draw[1], 0 * draw[2], 0.1 * size * draw[3]]


@pytest.fixture(scope="module")
def keras_says(tmp_path_factory):
    """Every case with what Keras made of it."""
    cases = [
        {
            "option": option,
            "threshold": threshold,
            "gradients": [g.tolist() for g in drawn(size, seed)],
        }
        for option in ("clipnorm", "global_clipnorm", "clipvalue")
        for threshold in THRESHOLDS
        for seed, size in enumerate(SIZES)
    ]
    home = tmp_path_factory.mktemp("keras")
    settings = {"KERAS_BACKEND": "torch", "KERAS_HOME": str(home), "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", STEPS],
        env={**os.environ, **settings},
        input=json.dumps(cases),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["backend"] == "torch"
    return answer["cases"]


def ours(option: str, gradients: list[torch.Tensor], threshold: float) -> list[torch.Tensor]:
    parameters = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    if option == "clipnorm":
        for parameter in parameters:
            rn.clip_norm_(parameter, threshold)
    elif option == "global_clipnorm":
        rn.clip_norm_(parameters, threshold)
    else:
        rn.clip_value_(parameters, threshold)
    return [parameter.grad for parameter in parameters]


@pytest.mark.parametrize("option", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_one_step_equals_that_of_keras(keras_says, option):
    clipped_at_all = 0
    for case in keras_says:
        if case["option"] != option:
            continue
        gradients = [torch.tensor(g, dtype=torch.float64) for g in case["gradients"]]
        mine = ours(option, gradients, case["threshold"])
        for ours_, theirs, before in zip(mine, case["clipped"], gradients, strict=True):
            theirs = torch.tensor(theirs, dtype=torch.float64)
            torch.testing.assert_close(ours_, theirs, rtol=ROUNDING[option], atol=0)
            clipped_at_all += not torch.equal(ours_, before)
    assert clipped_at_all >= 10


def test_clipnorm_is_each_variables_own_norm_and_global_clipnorm_that_of_all(keras_says):
    for case in keras_says:
        if case["option"] == "clipvalue":
            continue
        own = [torch.tensor(g, dtype=torch.float64).norm() for g in case["clipped"]]
        before = [torch.tensor(g, dtype=torch.float64).norm() for g in case["gradients"]]
        if case["option"] == "clipnorm":
            expected = [min(norm.item(), case["threshold"]) for norm in before]
            assert [norm.item() for norm in own] == pytest.approx(
                expected, rel=ROUNDING[case["option"]]
            )
        else:
            whole, was = torch.stack(own).norm().item(), torch.stack(before).norm().item()
            assert whole == pytest.approx(min(was, case["threshold"]), rel=ROUNDING[case["option"]])
