"""The nets that workers offer, and the least that this machine could take for a step of each."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    label: str
    unit: str            # of the tables: "us" or "ms"
    flops: float = 0     # multiply-adds counted as two
    memory: float = 0    # bytes that no cache near the core holds: large dense weights, and what their optimiser reads and writes
    functions: float = 0 # elements that go through tanh or a sigmoid


def _mlp(batch, widths):
    products = [2.0 * batch * a * b for a, b in zip(widths, widths[1:])]
    return 3 * sum(products) - products[0]  # nobody asks for the gradient of the batch


# Taps in the padding are counted, as everybody counts them; who passes over them does a twelfth and a sixth less.
_CONV1, _CONV2, _DENSE = 2.0 * 28 * 28 * 25 * 32, 2.0 * 14 * 14 * 25 * 32 * 64, 2.0 * (3136 * 1024 + 1024 * 10)
_DENSE_BYTES = 4.0 * 3136 * 1024
_INPUTS, _STATE, _GATES = 2.0 * 64 * 28 * 512 * 28, 2.0 * 64 * 28 * 512 * 128, 64.0 * 28 * 128 * 5

CASES = [
    Case("mlp_tiny", "2-8-1 MLP, batch 4, step", "us"),  # bound by neither: no limit
    Case("mlp_mnist", "784-128-10, batch 64, step", "us", _mlp(64, (784, 128, 10))),
    Case("mlp_wide", "1024 x 4, batch 256, step", "ms", _mlp(256, (1024,) * 4)),
    Case("cnn_train50", "CNN, batch 50, step with Adam", "ms", 50 * (2 * _CONV1 + 3 * _CONV2 + 3 * _DENSE), 6 * _DENSE_BYTES),
    Case("cnn_infer1", "CNN, batch 1, inference", "us", _CONV1 + _CONV2, _DENSE_BYTES),
    Case("cnn_infer50", "CNN, batch 50, inference", "ms", 50 * (_CONV1 + _CONV2 + _DENSE)),
    Case("lstm_forward", "LSTM 128, 28 steps, batch 64, forward", "ms", _INPUTS + _STATE, 0, _GATES),
    Case("lstm_train", "LSTM 128, 28 steps, batch 64, step", "ms", 2 * _INPUTS + 3 * _STATE, 0, _GATES),
    Case("save_1gib", "1 GiB in 256 tensors: save", "ms"),
    Case("restore_1gib", "1 GiB in 256 tensors: restore", "ms"),
    Case("save_small", "3,000 tensors of 64 floats: save", "ms"),
    Case("restore_small", "3,000 tensors of 64 floats: restore", "ms"),
    Case("resnet50_infer1", "ResNet-50, batch 1, inference", "ms", 8.18e9),
]


def limit_us(case, machine):
    """Flops at the peak of multiply-adds, then memory at the speed of reading 8 MiB, then functions at the speed of Eigen's tanh; None if none applies."""
    if not case.flops or not machine:
        return None
    return (case.flops / machine["flops"] + case.memory / machine["memory"] + case.functions / machine["functions"]) * 1e6
