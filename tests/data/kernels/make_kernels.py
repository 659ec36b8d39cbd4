#!/usr/bin/env python3
"""Writes what ../golden/ops leaves out of the kernels' corners, computed by TensorFlow: the same format, one file per op, and seeds.json.

usage: make_kernels.py [OUTPUT_DIR]
"""
import os, sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "golden"))
from goldenlib import *
from tensorflow.python.framework import random_seed

F, D, H, I, L = np.float32, np.float64, np.float16, np.int32, np.int64
NAN, INF = np.nan, np.inf


def randoms(o):
    for op in ("RandomUniform", "RandomStandardNormal", "TruncatedNormal"):
        for dtype in (tf.float32, tf.float64, tf.float16, tf.bfloat16):
            o.runs(op, [np.array([13], I)], dtype.name, dtype=dtype, seed=87654321, seed2=3)
        o.runs(op, [np.array([1001], I)], "long", dtype=tf.float32, seed=5, seed2=6)
    o.runs("RandomUniformInt", [np.array([7], I), I(-2147483648), I(2147483647)], "int32", seed=1, seed2=1)
    o.runs("RandomUniformInt", [np.array([7], I), L(-(1 << 62)), L(1 << 62)], "int64", seed=1, seed2=1)


def pools(o):
    x = np.array([[NAN, 1, -INF, -INF], [2, 2, -INF, -INF], [0, NAN, 3, 3], [0, -1, 3, NAN]], F).reshape(1, 4, 4, 1)
    g = np.array([1, 2, 4, 8], F).reshape(1, 2, 2, 1)
    y = np.zeros((1, 2, 2, 1), F)
    at = dict(ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID")
    o.add("MaxPool", [x], "special", grad=False, **at)
    o.add("MaxPoolGrad", [x, y, g], "special", grad=False, **at)
    o.add("MaxPoolWithArgmax", [x], "special", grad=False, **at)
    finite = np.array([[2, 1, 0, -1], [2, 2, 1, -1], [0, 0, 3, 3], [0, -1, 3, 3]], F).reshape(1, 4, 4, 1)
    for name, at in (("disjoint", at), ("overlapping", dict(ksize=[1, 3, 3, 1], strides=[1, 1, 1, 1], padding="SAME")), ("gaps", dict(ksize=[1, 1, 2, 1], strides=[1, 2, 3, 1], padding="SAME"))):
        with tf.Graph().as_default(), session() as s:
            top = s.run(tf.nn.max_pool2d(tf.constant(finite), **at))
        o.add("MaxPoolGradGrad", [finite, top, o.f(*finite.shape)], name, grad=False, **at)
        o.add("MaxPoolGrad", [finite, top, o.f(*top.shape)], name, grad=False, **at)


def entropies(o):
    z = np.array([[0, -INF, 1], [INF, 0, 1], [NAN, 0, 1], [-INF, -INF, -INF], [1e30, 0, -1e30]], F)
    o.add("SoftmaxCrossEntropyWithLogits", [z, np.array([[1, 0, 0]] * 5, F)], "special", grad=False)
    o.add("SoftmaxCrossEntropyWithLogits", [z, np.array([[0.5, 0.5, 0]] * 5, F)], "special_mixed", grad=False)
    o.add("SoftmaxCrossEntropyWithLogits", [o.f(3, 5, dtype=D), o.f(3, 5, dtype=D)], "double", grad=False)
    for k in (0, 1):
        o.add("SparseSoftmaxCrossEntropyWithLogits", [z, np.full(5, k, I)], "special_%d" % k, grad=False)
    o.add("SparseSoftmaxCrossEntropyWithLogits", [o.f(3, 5, dtype=D), np.array([4, 0, 2], L)], "double", grad=False)
    o.add("Softmax", [z], "special", grad=False)
    o.add("LogSoftmax", [z], "special", grad=False)
    o.add("Softmax", [o.f(2, 37, low=-20, high=20)], "wide", grad=False)
    o.add("LogSoftmax", [o.f(2, 37, low=-20, high=20)], "wide", grad=False)


def norms(o):
    v = lambda n: [o.f(n, low=0.5), o.f(n), o.f(n), o.f(n, low=0.5)]
    for name, shape in (("many_channels", (2, 3, 3, 21)), ("one_row", (1, 1, 2, 4)), ("large_mean", (2, 4, 4, 2))):
        for training in (True, False):
            x = o.f(*shape) + F(1000 if name == "large_mean" else 0)
            o.add("FusedBatchNormV3", [x, *v(shape[3])], name + ("_training" if training else ""), grad="first", keep=5 if training else 1, rtol=1e-4, atol=1e-4 if name == "large_mean" else 1e-5,
                  is_training=training, epsilon=0.001, exponential_avg_factor=1.0)
    o.add("FusedBatchNormV3", [np.zeros((0, 2, 2, 3), F), *v(3)], "empty_training", grad=False, keep=3, is_training=True, epsilon=0.001)
    o.add("FusedBatchNormV3", [o.f(2, 2, 2, 3, dtype=H), *v(3)], "half_training", grad=False, keep=5, rtol=2e-3, atol=2e-3, is_training=True, epsilon=0.001)


class KernelOps(Ops):
    def runs(self, op, inputs, name, **attrs):
        """The outputs of three runs of one session."""
        with tf.Graph().as_default() as g, session() as s:
            apply(op, [tf.constant(v) for v in inputs], attrs)
            node = g.get_operation_by_name("op")
            runs = [tensor_json(s.run(node.outputs[0]), node.outputs[0].dtype) for _ in range(3)]
            self._keep(op, {"name": name, "node": node_json(node.node_def), "inputs": [tensor_json(np.asarray(v)) for v in inputs], "runs": runs})


def seeds():
    rows = []
    for graph_seed in (None, 0, 7, -1, 2**31 - 1, 2**40):
        for op_seed in (None, 0, 3, -5, 2**31 + 4):
            with tf.Graph().as_default():
                tf.set_random_seed(graph_seed)
                for k in range(2):
                    rows.append({"graph": graph_seed, "op": op_seed, "seeded": k if graph_seed is not None and op_seed is None else 0, "seeds": random_seed.get_seed(op_seed)})
    return rows


def main(folder=HERE):
    o = KernelOps(11)
    randoms(o)
    pools(o)
    entropies(o)
    norms(o)
    o.write(folder)
    write_json(os.path.join(folder, "seeds.json"), {"cases": seeds()})


if __name__ == "__main__":
    main(*sys.argv[1:2])
