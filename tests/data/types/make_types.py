#!/usr/bin/env python3
"""Writes, computed by TensorFlow, what the element types of every op are and one case of ../golden/ops in each of them.

usage: make_types.py [OUTPUT_DIR]

Of the ops of include/tenon/graph/op_list.hpp:
cpu_kernels.json: the values of each op's main type attribute that TensorFlow's CPU kernels take; [] if they take any.
OP.json: the first case of ../golden/ops that is neither special nor an error
 - cast to each of half, bfloat16, double, int32, int64 and bool, if TensorFlow has a kernel,
 - with NaN, infinities and zeros of both signs among its numbers ("special"),
 - with operands that have no elements along an axis ("none_along_0"), and with scalars ("scalar"), if TensorFlow takes them.
The format is that of ../golden/ops.
"""
import os, re, sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "golden"))
from goldenlib import *
import make_ops
from tensorflow.python.framework import kernels

F, NAN, INF = np.float32, np.nan, np.inf
MAIN = ("T", "dtype", "Tparams", "Ta", "SrcT")
OTHERS = {"Range": "Tidx", "ConcatOffset": "shape_type", "RandomUniform": "dtype", "RandomStandardNormal": "dtype", "TruncatedNormal": "dtype"}
# TensorFlow 2.21 gives zeros.
WRONG = {("Round", tf.int32), ("Round", tf.int64)}
# What depends on memory that TensorFlow does not write, or on how it pads; and what it takes without comparing extents.
NOT_TENSORFLOWS = {"AvgPoolGrad none", "Conv2D special", "Conv2D none", "FusedBatchNormGrad none", "FusedBatchNormGradV2 none", "FusedBatchNormGradV3 none", "LRNGrad special", "MaxPoolGradGrad special", "ResizeNearestNeighborGrad none",
                   "DepthwiseConv2dNative special", "DepthwiseConv2dNative none", "DepthwiseConv2dNativeBackpropFilter special", "DepthwiseConv2dNativeBackpropFilter none", "DepthwiseConv2dNativeBackpropInput special"}
STRUCTS = {"PlaceholderOp": "Placeholder", "ShapeOp": "Shape", "VariableV1": "Variable"}
# Several attributes that must be one type.
TOGETHER = {"BatchMatMulV3": ("Ta", "Tb", "Tout")}
TYPES = [tf.half, tf.bfloat16, tf.float64, tf.int32, tf.int64, tf.bool]
# TensorFlow rounds after every step of a kernel, tenon once.
TOLERANCE = {tf.half: dict(rtol=4e-3, atol=4e-3), tf.bfloat16: dict(rtol=3e-2, atol=3e-2)}
SPECIAL = ("special", "edge", "positive", "large", "empty", "scalar", "nan", "inf", "ties", "none", "long", "string", "int32", "int64", "double", "half", "bool")


def main_attr(op):
    names = [a.name for a in op_def_registry.get(op).attr if a.type == "type"]
    return OTHERS.get(op) or next((n for n in MAIN if n in names), None)


def cpu_types(op):
    attr = main_attr(op)
    found, any_type = set(), False
    for k in kernels.get_registered_kernels_for_op(op).kernel:
        if k.device_type != "CPU" or k.label:
            continue
        lists = [c.allowed_values.list.type for c in k.constraint if c.name == attr]
        any_type |= not lists
        found |= {t for l in lists for t in l}
    allowed = next((set(a.allowed_values.list.type) for a in op_def_registry.get(op).attr if a.name == attr), set())
    return sorted(tf.as_dtype(t).name for t in (allowed if any_type else found))


def cast(v, t, positive):
    v = np.asarray(v)
    if t == tf.bool:
        return v > 0
    if t.is_integer and v.dtype.kind == "f":
        v = np.rint(np.clip(np.nan_to_num(v), -9, 9) * 3).astype(t.as_numpy_dtype)
        return abs(v) + 1 if positive else v
    return v.astype(t.as_numpy_dtype)


def special(v, start):
    v = np.asarray(v)
    if v.dtype != np.float32 or v.size == 0:
        return v
    flat = v.flatten()
    for k, x in enumerate((NAN, INF, -INF, 0.0, -0.0)):
        flat[(2 * k + start) % v.size] = x
    return flat.reshape(v.shape)


def edges(o, op, inputs, kw):
    """Cases beside a plain one."""
    each = lambda f: [[f(v, k + j) for j, v in enumerate(i)] if isinstance(i, list) else f(i, k) for k, i in enumerate(inputs)]
    shape = next(np.shape(v) for i in inputs for v in (i if isinstance(i, list) else [i]) if np.asarray(v).dtype == np.float32)
    none = lambda axis: lambda v, _: np.take(v, [], axis) if np.asarray(v).dtype == np.float32 and np.ndim(v) == len(shape) and np.shape(v)[axis] == shape[axis] else v
    found = {"special": each(special), "scalar": each(lambda v, _: F(0.75) if np.asarray(v).dtype == np.float32 else v)} | {"none_along_%d" % a: each(none(a)) for a in range(len(shape))}
    for name, values in found.items():
        if "%s %s" % (op, name.split("_")[0]) not in NOT_TENSORFLOWS and not (name == "scalar" and not shape):
            o.add(op, values, **(kw | dict(name=name)))


class Recording(make_ops.Ops):
    """Also keeps how updates were called."""

    def __init__(self, seed):
        super().__init__(seed)
        self.updates = []

    def update(self, op, names, values, name=None, note=None, index_inputs=(), **attrs):
        super().update(op, names, values, name, note, index_inputs, **attrs)
        self.updates.append((op, names, values, dict(name=name, **attrs)))


def in_type(op, inputs, t, positive):
    """The inputs whose type is the op's main one, in another type."""
    d, attr = op_def_registry.get(op), main_attr(op)
    also = TOGETHER.get(op, (attr,))
    return [([cast(x, t, positive) for x in v] if isinstance(v, list) else cast(v, t, positive)) if a.type_attr in also else v for a, v in zip(d.input_arg, inputs)]


def in_type_named(op, names, values, t):
    by_name = {a.name: a for a in op_def_registry.get(op).input_arg}
    is_main = lambda n: by_name[n].type_attr == main_attr(op) or by_name[n].type == types_pb2.DT_RESOURCE
    return [cast(v, t, False) if is_main(n) else v for n, v in zip(names, values)]


def is_plain(inputs, kw):
    arrays = [np.asarray(v) for i in inputs for v in (i if isinstance(i, list) else [i]) if not isinstance(v, tf.Tensor)]
    return not kw["name"].startswith(SPECIAL) and all(np.isfinite(v).all() for v in arrays if v.dtype.kind == "f")


def own_types(inputs):
    return {np.asarray(v).dtype.name for i in inputs for v in (i if isinstance(i, list) else [i])}


def main(folder=HERE):
    known = Recording(7)
    make_ops.everything(known)
    known.failed.clear()
    with open(os.path.join(HERE, "..", "..", "..", "include", "tenon", "graph", "op_list.hpp")) as f:
        rows = {STRUCTS.get(name, name) for name in re.findall(r"OpRow<(\w+),", f.read())}
    types = {op: cpu_types(op) for op in sorted(rows) if main_attr(op)}
    write_json(os.path.join(folder, "cpu_kernels.json"), types)
    o = Ops(23)
    done = set()
    calls = [c for c in known.calls if c[0] in types]
    floats, integers = [c for c in calls if "float32" in own_types(c[1])], [c for c in calls if own_types(c[1]) == {"int32"}]
    for op, inputs, kw in [c for c in floats if is_plain(*c[1:])] + floats + integers:
        if op in done:
            continue
        done.add(op)
        if "float32" in own_types(inputs) and is_plain(inputs, kw):
            edges(o, op, inputs, kw)
        for t in TYPES:
            if types[op] and t.name not in types[op] or (op, t) in WRONG:
                continue
            attrs = {k: v for k, v in kw.items() if k not in ("rtol", "atol")}
            for a in TOGETHER.get(op, ("dtype",)):
                if a in attrs:
                    attrs[a] = t
            for positive in (False, True):  # divisors and exponents
                before = o.count
                o.add(op, in_type(op, inputs, t, positive), **(attrs | dict(name=t.name) | TOLERANCE.get(t, {"rtol": kw["rtol"] and 1e-10})))
                if o.count > before:
                    break
    for op, names, values, kw in known.updates:
        if op in done or op not in types:
            continue
        done.add(op)
        for t in TYPES:
            if not types[op] or t.name in types[op]:
                attrs = kw | ({"dtype": t} if "dtype" in kw else {}) | dict(name=t.name)
                kept = len(o.ops.get(op, []))
                o.update(op, names, in_type_named(op, names, values, t), **attrs)
                for c in o.ops.get(op, [])[kept:]:
                    c.update(TOLERANCE.get(t, {}))
    o.failed.clear()
    o.write(folder)


if __name__ == "__main__":
    main(*sys.argv[1:2])
