"""What the workers beside this file share: the numbers that all start from, and the protocol of ../protocol.hpp.

THREADS (1 unless the environment says otherwise) is how many threads a library may use.
"""
import gc, os, sys, time

import numpy as np

THREADS = int(os.environ.get("THREADS", "1"))


def numbers(shape, scale, seed, plus=0.0):
    """Uniform numbers in plus + [-scale, scale), the same in every language."""
    x = np.sin(np.arange(int(np.prod(shape))) * 12.9898 + seed * 78.233) * 43758.5453
    return ((x - np.floor(x)) * 2 - 1).astype(np.float32).reshape(shape) * np.float32(scale) + np.float32(plus)


def one_hot(batch, classes):
    return np.eye(classes, dtype=np.float32)[np.arange(batch) % classes]


MLPS = {"mlp_tiny": (4, (2, 8, 1)), "mlp_mnist": (64, (784, 128, 10)), "mlp_wide": (256, (1024, 1024, 1024, 1024))}


def mlp(name):
    """Inputs, what is to come out, and [weights, biases] of every layer."""
    batch, widths = MLPS[name]
    layers = [(numbers((a, b), a ** -0.5, 10 + k), np.zeros(b, np.float32)) for k, (a, b) in enumerate(zip(widths, widths[1:]))]
    wanted = numbers((batch, 1), 0.5, 2, 0.5) if name == "mlp_tiny" else one_hot(batch, widths[-1])
    return numbers((batch, widths[0]), 1, 1), wanted, layers


CNNS = {"cnn_train50": (50, True), "cnn_infer1": (1, False), "cnn_infer50": (50, False)}


def cnn(batch):
    """NHWC images, labels, and kernels (HWIO) and matrices each with its biases."""
    weights = [numbers(shape, 0.1, 10 + k) for k, shape in enumerate(((5, 5, 1, 32), (5, 5, 32, 64), (3136, 1024), (1024, 10)))]
    return numbers((batch, 28, 28, 1), 0.5, 1, 0.5), one_hot(batch, 10), [p for w in weights for p in (w, np.full(w.shape[-1], 0.1, np.float32))]


LSTMS = {"lstm_forward": False, "lstm_train": True}
BATCH, STEPS, INPUTS, UNITS, CLASSES = 64, 28, 28, 128, 10


def lstm():
    """Sequences, labels, and weights and biases of the gates (i, j, f, o) and of the dense layer."""
    parameters = [numbers((INPUTS + UNITS, 4 * UNITS), 0.08, 10), np.zeros(4 * UNITS, np.float32), numbers((UNITS, CLASSES), 0.08, 11), np.zeros(CLASSES, np.float32)]
    return numbers((BATCH, STEPS, INPUTS), 1, 1), one_hot(BATCH, CLASSES), parameters


CHECKPOINTS = {"1gib": (256, 1 << 20), "small": (3000, 64)}  # tensors, floats of each


def tensors(name):
    """Tensor k is filled with k / count."""
    count, size = CHECKPOINTS[name]
    return {str(k): np.full(size, k / count, np.float32) for k in range(count)}


RESNET_STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))  # blocks, channels, stride of the first


def measure(step, each, seconds, first):
    samples, end = [], time.perf_counter() + seconds
    while not samples or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(each):
            step()
        samples.append((time.perf_counter() - start) / each * 1e6)
    samples.sort()
    return f"{len(samples) * each} {samples[len(samples) // 2]:.4f} {samples[0]:.4f} {first:.3f}"


def serve(cases):
    """`cases`: by "case/variant", a function that builds the net and returns a step, which returns its value."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is not for the driver
    print("ready", *cases, file=out)
    built = {}
    for line in sys.stdin:
        word, name, *seconds = line.split()
        try:
            if word == "forget":
                built.pop(name, None)
                step = None
                gc.collect()
                print("ok", file=out)
                continue
            if word == "check":
                step = cases[name]()
                values = [step() for _ in range(5)]
                step = None
                print(f"{float(np.ravel(np.asarray(values[-1]))[0]):.7g}", file=out)
                continue
            if name not in built:
                start = time.perf_counter()
                step = cases[name]()
                step()
                first = time.perf_counter() - start
                for _ in range(3):
                    step()
                start = time.perf_counter()
                step()
                built[name] = step, max(1, int(1e-3 / max(1e-9, time.perf_counter() - start))), first
            step, each, first = built[name]
            print(measure(step, each, float(seconds[0]), first), file=out)
        except Exception as e:  # a library that lacks one net still has the others
            print("fail", " ".join(f"{type(e).__name__}: {e}".split())[:300], file=out)
