"""What the examples leave on disk, read by TensorFlow. They run in order in one folder, since the later start from the earlier."""
import numpy as np

from tensorflow_side import Model, difference, tensors_of, tf


def run_examples(setting, folder):
    """(name, what is wrong, prefixes of the checkpoints that the example wrote) of each example."""
    seen = {}
    for source in sorted((setting.source / "examples").glob("*.cpp")):
        _, problems = setting.program(f"examples/{source.stem}", cwd=folder)
        written = []
        for index in sorted(folder.rglob("*.index")):
            stamp = index.stat().st_mtime_ns, index.stat().st_ino
            if seen.get(index) != stamp:
                seen[index] = stamp
                written.append(index.with_suffix(""))
        yield source.stem, problems, written


def check_every_checkpoint(setting):
    """TensorFlow reads every checkpoint of the examples, restores its graph from it, and finds the same values in both."""
    folder, checkpoints = setting.scratch(), 0
    for name, problems, prefixes in run_examples(setting, folder):
        yield from problems
        for prefix in prefixes:
            checkpoints += 1
            saved = tensors_of(prefix)
            if not saved:
                yield f"{name}: {prefix.name} is empty"
            meta = prefix.with_name(prefix.name + ".meta")
            if not meta.exists():
                continue
            with Model(prefix, meta) as model:
                for key, value in model.variables_restored().items():
                    if key not in saved:
                        yield f"{name}: {prefix.name} lacks {key}, which its own graph restores"
                    else:
                        yield from difference(f"{name}: {prefix.name}: {key}", value, saved[key])
    if not checkpoints:
        yield "no example saved anything"


def check_state(setting):
    """TensorFlow follows the `checkpoint` file that the examples leave to files that exist."""
    folder = setting.scratch()
    for name, problems, prefixes in run_examples(setting, folder):
        yield from problems
        for place in {prefix.parent for prefix in prefixes}:
            latest = tf.train.latest_checkpoint(str(place))
            if latest is None:
                yield f"{name}: latest_checkpoint finds nothing in {place.name}"
            elif latest not in {str(prefix) for prefix in prefixes}:
                yield f"{name}: latest_checkpoint finds {latest}, the example wrote {[p.name for p in prefixes]}"
            state = tf.train.get_checkpoint_state(str(place))
            for path in state.all_model_checkpoint_paths if state else []:
                if not tf.train.checkpoint_exists(path):
                    yield f"{name}: `checkpoint` names {path}, which does not exist"


def check_numbers(setting):
    """TensorFlow gets the numbers that the first four examples print, from their graphs and checkpoints."""
    folder = setting.scratch()
    for name, problems, _ in run_examples(setting, folder):
        yield from problems
        if name.startswith("04"):
            break
    saved = tensors_of(folder / "my_model-1000")
    if {k: v.shape for k, v in saved.items()} != {"w1": (2,), "w2": (5,)}:
        yield f"my_model-1000 has {({k: v.shape for k, v in saved.items()})}"
    fed = {"w1:0": 13.0, "w2:0": 17.0}
    for prefix, fetch, want in [("my_test_model-1000", "op_to_restore:0", 60.0), ("my_longer_model", "op_to_restore:0", 60.0), ("my_longer_model", "scaled:0", 60.0)]:
        with Model(folder / prefix) as model:
            yield from difference(f"{prefix}: {fetch}", model.run(fetch, fed), np.float32(want))
    with Model(folder / "my_model-1000") as model:
        for key in ("w1", "w2"):
            yield from difference(f"my_model-1000: {key}", model.run(f"{key}:0"), saved[key])
        model.run("init")
        if (model.run("w1:0") == saved["w1"]).any():
            yield "my_model-1000: init gives w1 the values that were saved, not new ones"
    with Model(folder / "my_longer_model") as model:
        trainable = [v.op.name for v in model.graph.get_collection("trainable_variables")]
        if sorted(trainable) != ["bias", "scale"]:
            yield f"my_longer_model: trainable are {trainable}"
