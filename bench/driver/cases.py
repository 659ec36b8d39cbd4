"""The nets and files that workers offer, and the least that this machine could take for a step of each."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    label: str
    unit: str            # of the tables: "us" or "ms"
    flops: float = 0     # multiply-adds counted as two, with those by padding, as everybody counts them
    inside: float = 0    # without those by padding; 0: there is no padding
    memory: float = 0    # bytes that no cache near the core holds: large dense weights, and what their optimiser reads and writes
    functions: float = 0 # elements that go through tanh or a sigmoid
    files: bool = False  # a checkpoint: every library may use all cores, and nothing waits for the disk when a slice begins


def _mlp(batch, widths):
    products = [2.0 * batch * a * b for a, b in zip(widths, widths[1:])]
    return 3 * sum(products) - products[0]  # nobody asks for the gradient of the batch


def _convolution(extent, kernel, inputs, outputs, stride=1):
    """Flops of one square image with padding SAME: those that are counted, and those inside the image."""
    out = -(-extent // stride)
    first = -(max((out - 1) * stride + kernel - extent, 0) // 2)
    inside = sum(min(extent, at + kernel) - max(0, at) for at in range(first, first + out * stride, stride))
    return tuple(2.0 * taps ** 2 * inputs * outputs for taps in (out * kernel, inside))


_DENSE, _DENSE_BYTES = 2.0 * (3136 * 1024 + 1024 * 10), 4.0 * 3136 * 1024
_INPUTS, _STATE, _GATES = 2.0 * 64 * 28 * 512 * 28, 2.0 * 64 * 28 * 512 * 128, 64.0 * 28 * 128 * 5


def _cnn(batch, first, second, dense):
    """Flops of so many passes of each layer."""
    return tuple(batch * (first * a + second * b + dense * _DENSE) for a, b in zip(_convolution(28, 5, 1, 32), _convolution(14, 5, 32, 64)))


def _resnet50():
    layers, extent, inputs = [_convolution(224, 7, 3, 64, 2)], 56, 64
    for blocks, channels, first_stride in ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2)):
        for k in range(blocks):
            stride = first_stride if k == 0 else 1
            layers += [_convolution(extent, 1, inputs, 4 * channels, stride)] if k == 0 else []
            layers += [_convolution(extent, 1, inputs, channels), _convolution(extent, 3, channels, channels, stride), _convolution(extent // stride, 1, channels, 4 * channels)]
            extent, inputs = extent // stride, 4 * channels
    return tuple(2.0 * 2048 * 1000 + sum(layer) for layer in zip(*layers))


CASES = [
    Case("mlp_tiny", "2-8-1 MLP, batch 4, step", "us"),  # bound by neither: no limit
    Case("mlp_mnist", "784-128-10, batch 64, step", "us", _mlp(64, (784, 128, 10))),
    Case("mlp_wide", "1024 x 4, batch 256, step", "ms", _mlp(256, (1024,) * 4)),
    Case("cnn_train50", "CNN, batch 50, step with Adam", "ms", *_cnn(50, 2, 3, 3), memory=6 * _DENSE_BYTES),
    Case("cnn_infer1", "CNN, batch 1, inference", "us", *_cnn(1, 1, 1, 0), memory=_DENSE_BYTES),
    Case("cnn_infer50", "CNN, batch 50, inference", "ms", *_cnn(50, 1, 1, 1)),
    Case("lstm_forward", "LSTM 128, 28 steps, batch 64, forward", "ms", _INPUTS + _STATE, functions=_GATES),
    Case("lstm_train", "LSTM 128, 28 steps, batch 64, step", "ms", 2 * _INPUTS + 3 * _STATE, functions=_GATES),
    Case("resnet50_infer1", "ResNet-50, batch 1, inference", "ms", *_resnet50()),
    Case("save_1gib", "1 GiB in 256 tensors: save", "ms", files=True),
    Case("restore_1gib", "1 GiB in 256 tensors: restore", "ms", files=True),
    Case("save_small", "3,000 tensors of 64 floats: save", "ms", files=True),
    Case("restore_small", "3,000 tensors of 64 floats: restore", "ms", files=True),
]


def limit_us(case, machine, inside=False):
    """Flops at the peak of multiply-adds, then memory at the speed of reading 8 MiB, then functions at the speed of Eigen's tanh; None if none applies."""
    if not case.flops or not machine or inside and not case.inside:
        return None
    return ((case.inside if inside else case.flops) / machine["flops"] + case.memory / machine["memory"] + case.functions / machine["functions"]) * 1e6
