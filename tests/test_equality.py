"""Cells over sequences against ONNX Runtime's RNN operators, which nobody here wrote.

ONNX Runtime computes its recurrent operators in float32, hence the tolerance.
"""

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

import rnnnotes as rn

B, T, D, H = 3, 7, 4, 5
CLOSE = {"rtol": 1e-5, "atol": 2e-6}
# ONNX: time first, one direction, and gates in an order of its own.
ONNX_ORDER = {"RNN": ("h",), "LSTM": ("i", "o", "f", "g"), "GRU": ("z", "r", "n")}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(weight: torch.Tensor, names: tuple, order: tuple) -> np.ndarray:
    """Blocks of rows put into ONNX's order; a gate that is missing is zero."""
    blocks = dict(zip(names, weight.detach().chunk(len(names)), strict=True))
    missing = torch.zeros_like(next(iter(blocks.values())))
    return torch.cat([blocks.get(name, missing) for name in order])[None].numpy()


def run_onnx(operator: str, cell: rn.Cell, x: torch.Tensor, lengths=None, **attributes):
    """Outputs (B, T, H) and last h (B, H) of the operator with the cell's weights."""
    order, names = ONNX_ORDER[operator], cell.gate_names or ("h",)
    inputs = {
        "X": x.transpose(0, 1).numpy(),
        "W": rows(cell.weight_ih, names, order),
        "R": rows(cell.weight_hh, names, order),
        "B": np.concatenate(
            [rows(cell.bias_ih, names, order), rows(cell.bias_hh, names, order)], 1
        ),
    }
    if lengths is not None:
        inputs["sequence_lens"] = lengths.to(torch.int32).numpy()
    if hasattr(cell, "peephole_i"):
        zero = torch.zeros(H)
        peepholes = [getattr(cell, f"peephole_{name}", zero) for name in "iof"]
        inputs["P"] = torch.cat(peepholes).detach()[None].numpy()
    slots = ["X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"]
    slots = [name if name in inputs else "" for name in slots]
    if operator != "LSTM":
        slots = slots[:6]
    node = helper.make_node(operator, slots, ["Y", "Y_h"], hidden_size=H, **attributes)
    graph = helper.make_graph(
        [node],
        "cell",
        [
            helper.make_tensor_value_info(
                name,
                TensorProto.INT32 if name == "sequence_lens" else TensorProto.FLOAT,
                value.shape,
            )
            for name, value in inputs.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("Y", "Y_h")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    outputs, last = session.run(None, inputs)
    return torch.from_numpy(outputs[:, 0]).transpose(0, 1), torch.from_numpy(last[0])


CASES = {
    "tanh": (lambda g: rn.ElmanCell(D, H, "tanh", generator=g), "RNN", {"activations": ["Tanh"]}),
    "relu": (lambda g: rn.ElmanCell(D, H, "relu", generator=g), "RNN", {"activations": ["Relu"]}),
    "leaky_relu": (
        lambda g: rn.ElmanCell(D, H, "leaky_relu", generator=g),
        "RNN",
        {"activations": ["LeakyRelu"], "activation_alpha": [0.01]},
    ),
    "identity": (
        lambda g: rn.ElmanCell(D, H, "identity", generator=g),
        "RNN",
        {"activations": ["Affine"], "activation_alpha": [1.0], "activation_beta": [0.0]},
    ),
    "lstm": (lambda g: rn.LSTMCell(D, H, generator=g), "LSTM", {}),
    "NP": (lambda g: rn.LSTMVariantCell(D, H, "NP", generator=g), "LSTM", {}),
    "V": (lambda g: rn.LSTMVariantCell(D, H, "V", generator=g), "LSTM", {}),
    "CIFG": (
        lambda g: rn.LSTMVariantCell(D, H, "CIFG", generator=g),
        "LSTM",
        {"input_forget": 1},
    ),
    "NIAF": (
        lambda g: rn.LSTMVariantCell(D, H, "NIAF", generator=g),
        "LSTM",
        {
            "activations": ["Sigmoid", "Affine", "Tanh"],
            "activation_alpha": [1.0],
            "activation_beta": [0.0],
        },
    ),
    "NOAF": (
        lambda g: rn.LSTMVariantCell(D, H, "NOAF", generator=g),
        "LSTM",
        {
            "activations": ["Sigmoid", "Tanh", "Affine"],
            "activation_alpha": [1.0],
            "activation_beta": [0.0],
        },
    ),
    "gru after": (
        lambda g: rn.GRUCell(D, H, reset="after", generator=g),
        "GRU",
        {"linear_before_reset": 1},
    ),
    "gru before": (
        lambda g: rn.GRUCell(D, H, reset="before", generator=g),
        "GRU",
        {"linear_before_reset": 0},
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("ragged", [False, True])
def test_equal_to_onnx_runtime(name, ragged):
    make, operator, attributes = CASES[name]
    for seed in range(3):
        cell = make(seeded(seed))
        x = torch.randn(B, T, D, generator=seeded(seed + 100))
        lengths = torch.tensor([T, 2, 4]) if ragged else None
        with torch.no_grad():
            # Twice torch's start: gates and peepholes then do much more than at 0.5.
            for parameter in cell.parameters():
                parameter.mul_(2)
            trajectory = rn.unroll(cell, x, lengths=lengths)
        outputs, last = run_onnx(operator, cell, x, lengths, **attributes)
        torch.testing.assert_close(trajectory.hidden, outputs, **CLOSE)
        torch.testing.assert_close(cell.hidden(trajectory.last), last, **CLOSE)


def test_the_two_forms_of_the_gru_are_told_apart():
    cell = rn.GRUCell(D, H, reset="before", generator=seeded(0))
    x = torch.randn(B, T, D, generator=seeded(1))
    with torch.no_grad():
        before = rn.unroll(cell, x).hidden
    after, _ = run_onnx("GRU", cell, x, linear_before_reset=1)
    assert (before - after).abs().max() > 1e-3
