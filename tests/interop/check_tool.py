"""The command-line tool, judged by TensorFlow and NumPy."""
import json

import numpy as np
import tensorflow.compat.v1 as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import meta_graph_pb2

from tenon_side import tenon
from tensorflow_side import Model, difference, load_json, read_meta, tensors_of

GOLDEN = ["blog_op_to_restore/my_test_model-1000", "mlp_ref/mlp-5", "mlp_resource/mlp-5", "shards/model-7", "slices_ref/part", "savers/all", "batch_norm_resource/bn-4", "control_flow_v1/cf", "lstm_dynamic/rnn-3"]


def model_folders(setting):
    return [(p.parent, load_json(p)) for p in sorted(setting.data.glob("models/*/case.json"))]


def arrays(option, tensors, folder):
    return [a for t in tensors for a in (option, f"{t['name']}={folder / t['file']}")]


def dtype_name(number):
    """A dtype's name as tenon and NumPy have it."""
    return tf.as_dtype(number % 100).name if number else None


def check_inspect(setting):
    """inspect --json lists what TensorFlow lists: tensors, ops, placeholders, trainable variables, savers."""
    prefixes = [setting.data / "golden" / g for g in GOLDEN] + [folder / case["prefix"] for folder, case in model_folders(setting)]
    for prefix in prefixes:
        out, problems = tenon(setting, "inspect", prefix, "--json")
        yield from problems
        if problems:
            continue
        facts = json.loads(out)
        reader = tf.train.load_checkpoint(str(prefix))
        shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
        want = {k: (dtypes[k].name, list(shapes[k])) for k in shapes}
        got = {v["name"]: (v["dtype"], v["shape"]) for v in facts["checkpoint"]["variables"]}
        if got != want:
            yield f"{prefix}: {[k for k in {*got, *want} if got.get(k) != want.get(k)][:5]} differ"
        meta, graph = read_meta(f"{prefix}.meta"), facts["graphs"][0]
        ops = {}
        for node in meta.graph_def.node:
            ops[node.op] = ops.get(node.op, 0) + 1
        if graph["ops"] != ops or graph["nodes"] != len(meta.graph_def.node):
            yield f"{prefix}: other ops: {set(graph['ops'].items()) ^ set(ops.items())}"
        kinds = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")
        placeholders = {f"{n.name}:0": dtype_name(n.attr["dtype"].type) for n in meta.graph_def.node if n.op in kinds}
        if {p["name"]: p["dtype"] for p in graph["placeholders"]} != placeholders:
            yield f"{prefix}: other placeholders"
        with tf.Graph().as_default() as g:
            saver = tf.train.import_meta_graph(meta)
            trainable = {v.op.name: (v.dtype.base_dtype.name, v.shape.as_list()) for v in tf.trainable_variables()}
            for p in graph["placeholders"]:
                shape = g.get_tensor_by_name(p["name"]).shape
                if meta.graph_def.versions.producer >= 24 and p["shape"] != (None if shape.rank is None else [-1 if e is None else e for e in shape.as_list()]):
                    yield f"{prefix}: {p['name']} is {p['shape']}, expected {shape}"
        if (got := {v["name"]: (v["dtype"], v["shape"]) for v in graph["variables"] if v["trainable"]}) != trainable:
            yield f"{prefix}: other trainable variables: {sorted(set(got) ^ set(trainable))[:5]}"
        if graph["savers"][0]["restore_op"] != saver.saver_def.restore_op_name:
            yield f"{prefix}: another saver"


def check_convert(setting):
    """TensorFlow reads converted checkpoints as it reads their sources, and imports their graphs."""
    cases = [(setting.data / "golden" / g, g) for g in [*GOLDEN, "v1_checkpoint/old.ckpt", "object_based/ckpt-1", "strings/s", "dtypes/all", "names/n"]]
    cases += [(folder / case["prefix"], folder.name) for folder, case in model_folders(setting)]
    for prefix, name in cases:
        for options in ([], ["--shards", "3"], ["--meta", "json"], ["--meta", "text"], ["--meta", "binary"]):
            to = setting.scratch() / "m"
            _, problems = tenon(setting, "convert", prefix, to, *options)
            yield from (f"{name} {options}: {p}" for p in problems)
            if problems:
                continue
            want, got = tensors_of(prefix), tensors_of(to)
            if set(want) != set(got):
                yield f"{name} {options}: other keys: {sorted(set(want) ^ set(got))[:5]}"
            for key in set(want) & set(got):
                yield from difference(f"{name} {options}: {key}", *(np.array(v[key], object) if isinstance(v[key], bytes) else v[key] for v in (got, want)))
            source = prefix.parent / f"{prefix.name}.meta"
            if not source.exists():
                continue
            written = to.parent / "m.meta"
            if options == ["--meta", "text"]:
                meta = text_format.Parse(written.read_text(), meta_graph_pb2.MetaGraphDef())
            else:
                meta = read_meta(written)
            if meta != read_meta(source):
                yield f"{name} {options}: another graph"


def check_arrays(setting):
    """What NumPy saves is fed, and what is fetched NumPy loads, for every dtype that both have."""
    rng = np.random.default_rng(1)
    dtypes = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64", "complex64", "complex128", "S5"]
    for shape in ((), (3,), (2, 3, 4), (0, 5)):
        folder, arguments, arrays = setting.scratch(), [], {}
        with tf.Graph().as_default() as graph:
            for dtype in dtypes:
                x = np.array(rng.integers(0, 2, shape), dtype) if dtype == "bool" else np.array(rng.integers(0, 100, shape)).astype(dtype)
                arrays[dtype] = x
                tf.identity(tf.placeholder(tf.as_dtype(x.dtype) if dtype != "S5" else tf.string, shape, name=f"{dtype}_x"), name=f"{dtype}_y")
                stored = x.astype({"int16": ">i2", "complex64": ">c8", "S5": "U7"}.get(dtype, dtype), order="F" if dtype in ("int32", "float64", "S5") else "C")
                np.save(folder / f"{dtype}.npy", stored)
                arguments += ["--feed", f"{dtype}_x:0={folder / f'{dtype}.npy'}", "--fetch", f"{dtype}_y:0={folder / f'{dtype}_out.npy'}"]
            (folder / "g.pb").write_bytes(graph.as_graph_def().SerializeToString())
        _, problems = tenon(setting, "run", folder / "g.pb", *arguments)
        yield from problems
        for dtype, x in arrays.items() if not problems else ():
            y = np.load(folder / f"{dtype}_out.npy")
            if y.shape != x.shape or (y.dtype != x.dtype and dtype != "S5") or not np.array_equal(x, y):
                yield f"{dtype} {shape}: {y!r}, expected {x!r}"
    folder = setting.scratch()
    with tf.Graph().as_default() as graph:
        tf.identity(tf.placeholder(tf.bfloat16, [3], name="x"), name="y")
        (folder / "g.pb").write_bytes(graph.as_graph_def().SerializeToString())
    x = np.array([1.5, -2.25, 3.0], "float32")
    np.save(folder / "x.npy", x)
    out, problems = tenon(setting, "run", folder / "g.pb", "--feed", f"x:0={folder / 'x.npy'}", "--fetch", f"y:0={folder / 'y.npy'}")
    yield from problems
    if not problems and ("written as float32" not in out or not np.array_equal(np.load(folder / "y.npy"), x)):
        yield f"bfloat16: {out}"


def check_runs(setting):
    """The models give the fetches of their cases, within the tolerances told there."""
    for folder, case in model_folders(setting):
        to = setting.scratch()
        _, problems = tenon(setting, "run", folder / case["prefix"], *arrays("--feed", case["feeds"], folder), *arrays("--fetch", case["fetches"], to))
        yield from problems
        for f in case["fetches"] if not problems else ():
            yield from difference(f"{folder.name}: {f['name']}", np.load(to / f["file"]), np.load(folder / f["file"]), f.get("rtol", 0), f.get("atol", 0))


def check_training(setting):
    """Two training steps in one call, saved, give the variables that TensorFlow had; TensorFlow restores what was saved and goes on to the same loss."""
    for folder, case in model_folders(setting):
        train, to = load_json(folder / "train.json"), setting.scratch() / "m"
        _, problems = tenon(setting, "run", folder / case["prefix"], *arrays("--feed", train["feeds"], folder), "--target", train["op"], "--steps", train["steps"], "--save", to)
        yield from problems
        if problems:
            continue
        got = tensors_of(to)
        for v in train["variables"]:
            if v["name"] not in got:
                yield f"{folder.name}: {v['name']} is not saved"
            else:
                yield from difference(f"{folder.name}: {v['name']}", got[v["name"]], np.load(folder / v["file"]), v.get("rtol", 0), v.get("atol", 0))
        with Model(to) as model:
            loss = model.run(train["loss"], {f["name"]: np.load(folder / f["file"]) for f in train["feeds"]})
            want = np.array(train["losses"][-1], loss.dtype).reshape(loss.shape)
            yield from difference(f"{folder.name}: loss in TensorFlow", loss, want, 1e-4, 1e-5)
