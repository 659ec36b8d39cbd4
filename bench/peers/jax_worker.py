#!/usr/bin/env python3
"""JAX, compiled, as a worker."""
import os

from worker import BATCH, CNNS, LSTMS, MLPS, RESNET_STAGES, THREADS, UNITS, cnn, lstm, mlp, np, serve

if THREADS == 1:
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
import jax
import jax.numpy as jnp
from jax import lax


def cross_entropy(labels, logits):
    return -jnp.mean(jnp.sum(labels * jax.nn.log_softmax(logits), 1))


def training(update, state, batch):
    """`update(state, *batch)` gives the loss and the next state."""
    step, held = jax.jit(update, donate_argnums=0), [jax.device_put(state)]

    def run():
        loss, held[0] = step(held[0], *batch)
        return float(loss)
    return run


def descent(loss, parameters, batch):
    def update(p, *batch):
        value, d = jax.value_and_grad(loss)(p, *batch)
        return value, jax.tree.map(lambda w, g: w - 1e-3 * g, p, d)
    return training(update, parameters, batch)


def inference(f, parameters, x):
    f, parameters = jax.jit(f), jax.device_put(parameters)
    return lambda: np.asarray(f(parameters, x))


def perceptron(name):
    x, wanted, layers = mlp(name)

    def loss(p, x, t):
        h = x
        for k, (w, b) in enumerate(p):
            h = h @ w + b
            if k + 1 < len(p):
                h = jnp.tanh(h) if name == "mlp_tiny" else jax.nn.relu(h)
        return jnp.mean((jax.nn.sigmoid(h) - t) ** 2) if name == "mlp_tiny" else cross_entropy(t, h)
    return descent(loss, layers, (x, wanted))


def convolve(h, kernel, stride=1):
    return lax.conv_general_dilated(h, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def largest(h, size, stride):
    return lax.reduce_window(h, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), "SAME")


def convolutional(batch, trains):
    x, labels, values = cnn(batch)

    def logits(p, x):
        h = x
        for k in (0, 2):
            h = largest(jax.nn.relu(convolve(h, p[k]) + p[k + 1]), 2, 2)
        return jax.nn.relu(h.reshape(-1, 3136) @ p[4] + p[5]) @ p[6] + p[7]
    if not trains:
        return inference(logits, values, x)

    def adam(state, x, t):
        p, m, v, count = state
        loss, d = jax.value_and_grad(lambda p: cross_entropy(t, logits(p, x)))(p)
        count += 1
        rate = 1e-4 * jnp.sqrt(1 - 0.999 ** count) / (1 - 0.9 ** count)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, d)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, d)
        return loss, (jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), p, m, v), m, v, count)
    zeros = lambda: [np.zeros_like(v) for v in values]
    return training(adam, (values, zeros(), zeros(), np.float32(0)), (x, labels))


def recurrent(trains):
    x, labels, values = lstm()

    def logits(p, x):
        w, b, wo, bo = p

        def step(state, xt):
            h, c = state
            i, j, f, o = jnp.split(jnp.concatenate([xt, h], 1) @ w + b, 4, 1)
            c = jax.nn.sigmoid(f + 1) * c + jax.nn.sigmoid(i) * jnp.tanh(j)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None
        zeros = jnp.zeros((BATCH, UNITS))
        (h, _), _ = lax.scan(step, (zeros, zeros), x.transpose(1, 0, 2))
        return h @ wo + bo
    if not trains:
        return inference(logits, values, x)
    return descent(lambda p, x, t: cross_entropy(t, logits(p, x)), values, (x, labels))


def resnet50():
    random, kernels, inputs = np.random.RandomState(0), [], 64

    def kernel(size, inputs, outputs):
        scaled = random.randn(size, size, inputs, outputs).astype(np.float32) * np.float32((2 / (size * size * outputs)) ** 0.5)
        kernels.append((scaled, np.ones(outputs, np.float32), np.zeros(outputs, np.float32)))
    kernel(7, 3, 64)
    for blocks, channels, _ in RESNET_STAGES:
        for k in range(blocks):
            if k == 0:
                kernel(1, inputs, 4 * channels)
            kernel(1, inputs, channels), kernel(3, channels, channels), kernel(1, channels, 4 * channels)
            inputs = 4 * channels
    kernels.append(np.zeros((2048, 1000), np.float32))

    def probabilities(p, x):
        rest = iter(p)

        def normalised(h, stride=1):
            k, scale, shift = next(rest)
            return convolve(h, k, stride) * scale + shift
        h = largest(jax.nn.relu(normalised(x, 2)), 3, 2)
        for blocks, _, first_stride in RESNET_STAGES:
            for k in range(blocks):
                stride = first_stride if k == 0 else 1
                around = normalised(h, stride) if k == 0 else h
                inner = jax.nn.relu(normalised(jax.nn.relu(normalised(h)), stride))
                h = jax.nn.relu(normalised(inner) + around)
        return jax.nn.softmax(h.mean((1, 2)) @ p[-1])
    return inference(probabilities, kernels, np.full((1, 224, 224, 3), 0.5, np.float32))


if __name__ == "__main__":
    cases = {f"{name}/jit": lambda name=name: perceptron(name) for name in MLPS}
    cases |= {f"{name}/jit": lambda size=size: convolutional(*size) for name, size in CNNS.items()}
    cases |= {f"{name}/scan": lambda trains=trains: recurrent(trains) for name, trains in LSTMS.items()}
    serve(cases | {"resnet50_infer1/jit": resnet50})
