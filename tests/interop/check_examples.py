"""What the examples leave on disk, read by TensorFlow. They run in order in one folder, since the later start from the earlier."""
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
