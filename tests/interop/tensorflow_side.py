"""What checks need of TensorFlow: graphs and checkpoints read as its own users read them, and expected tensors as arrays."""
import base64, json

import numpy as np
import tensorflow.compat.v1 as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import meta_graph_pb2

tf.disable_v2_behavior()
tf.logging.set_verbosity(tf.logging.ERROR)


def is_json(path):
    with open(path, "rb") as f:
        return f.read(64).lstrip()[:1] == b"{"


def read_meta(path):
    """A .meta file, JSON or binary, as MetaGraphDef."""
    with open(path, "rb") as f:
        data = f.read()
    if is_json(path):
        return json_format.Parse(data.decode(), meta_graph_pb2.MetaGraphDef())
    return meta_graph_pb2.MetaGraphDef.FromString(data)


class Model:
    """`with Model(prefix) as m`: the graph imported, from its path if it is binary, and the checkpoint restored. m.run(fetches, feeds) goes by names."""

    def __init__(self, prefix, meta=None):
        self.prefix, self.meta = str(prefix), str(meta or f"{prefix}.meta")

    def __enter__(self):
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.saver = tf.train.import_meta_graph(read_meta(self.meta) if is_json(self.meta) else self.meta)
            config = tf.ConfigProto(allow_soft_placement=True, intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
            config.graph_options.optimizer_options.opt_level = -1
            config.graph_options.rewrite_options.disable_meta_optimizer = True
            self.session = tf.Session(config=config)
            self.saver.restore(self.session, self.prefix)
        return self

    def __exit__(self, *what):
        self.session.close()

    def run(self, fetches, feeds=None):
        return self.session.run(fetches, feeds or {})

    def save(self, prefix):
        """As the graph's own saver does, with the graph."""
        with self.graph.as_default():
            self.saver.save(self.session, str(prefix))

    def variables_restored(self):
        """Key -> value of the variables that the graph's own restore op, which saver_def names, has set."""
        restored = {}
        for assign in self.graph.get_operation_by_name(self.saver.saver_def.restore_op_name).control_inputs:
            for op in [assign, *assign.control_inputs]:
                source = op.inputs[1].op if op.type in ("Assign", "AssignVariableOp") else None
                while source is not None and source.type == "Identity":
                    source = source.inputs[0].op
                if source is None or source.type != "RestoreV2":
                    continue
                keys = tf.get_static_value(source.inputs[1])
                index = next(t for t in [op.inputs[1]] + [i for i in op.inputs[1].op.inputs] if t.op is source).value_index
                variable = op.inputs[0]
                value = variable if op.type == "Assign" else next(o.outputs[0] for o in variable.consumers() if o.type == "ReadVariableOp")
                restored[keys[index].decode()] = self.session.run(value)
        return restored


def tensors_of(prefix, without=()):
    """Key -> value of everything in a checkpoint, read as a Saver does: CheckpointReader has no strings."""
    dtypes = tf.train.load_checkpoint(str(prefix)).get_variable_to_dtype_map()
    keys = sorted(set(dtypes) - set(without))
    with tf.Graph().as_default(), tf.Session() as session:
        values = session.run(tf.raw_ops.RestoreV2(prefix=str(prefix), tensor_names=keys, shape_and_slices=[""] * len(keys), dtypes=[dtypes[k] for k in keys])) if keys else []
    return dict(zip(keys, values))


def read_by_reader(prefix):
    """Key -> value of what tf.train.load_checkpoint finds, which has no strings."""
    reader = tf.train.load_checkpoint(str(prefix))
    return {key: reader.get_tensor(key) for key, dtype in reader.get_variable_to_dtype_map().items() if dtype != tf.string}


def expected(tensor):
    """A tensor of an expect.json as an array."""
    dtype = tf.as_dtype(getattr(tf, {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_BOOL": "bool", "DT_HALF": "float16"}.get(tensor["dtype"], tensor["dtype"][3:].lower())))
    shape = tensor["shape"]
    if dtype == tf.string:
        return np.array([base64.b64decode(v) for v in tensor["values"]], dtype=object).reshape(shape)
    np_dtype = dtype.as_numpy_dtype
    if "b64" in tensor:
        return np.frombuffer(base64.b64decode(tensor["b64"]), np_dtype).reshape(shape)
    values = [float(v) if isinstance(v, str) else v for v in tensor["values"]]
    if dtype.is_complex:
        part = np.float32 if dtype == tf.complex64 else np.float64
        return np.array(values, part).view(np_dtype).reshape(shape)
    if dtype.is_integer or dtype == tf.bool:
        return np.array(values, np_dtype).reshape(shape)
    return np.array(values, np.float64).astype(np_dtype).reshape(shape)


def load_json(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def difference(name, got, want, rtol=0.0, atol=0.0):
    """Sentences that say how `got` differs from `want`; none if it does not. NaN equals NaN."""
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        return [f"{name}: shape {list(got.shape)}, expected {list(want.shape)}"]
    if want.dtype == object:
        return [] if (got == want).all() else [f"{name}: strings differ"]
    if got.dtype != want.dtype:
        return [f"{name}: {got.dtype}, expected {want.dtype}"]
    if want.dtype.kind not in "fc" and want.dtype.kind in "biu":
        return [] if np.array_equal(got, want) else [f"{name}: {got.ravel()[:8]}, expected {want.ravel()[:8]}"]
    wide = np.complex128 if want.dtype.kind == "c" else np.float64
    g, w = got.astype(wide), want.astype(wide)
    with np.errstate(invalid="ignore"):
        near = (g == w) | (np.isnan(g) & np.isnan(w)) | (np.abs(g - w) <= atol + rtol * np.abs(w))
    if near.all():
        return []
    at = np.unravel_index(np.argmin(near), near.shape)
    return [f"{name}: {int((~near).sum())} of {near.size} elements differ; at {list(map(int, at))} {g[at]}, expected {w[at]}"]
