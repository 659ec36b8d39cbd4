"""The judge judged: the TensorFlow of this machine reads the golden files as they say it does."""
from tensorflow_side import Model, difference, expected, load_json, tensors_of

GRAPHS = ["blog_op_to_restore", "mlp_ref", "mlp_resource", "conv_ref", "batch_norm_resource"]
# It writes strings in slices and does not put them together again.
TENSORFLOW_CANNOT_READ = {"slices_raw": {"str"}}
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"  # TensorFlow 2 adds it to what it was asked to save


def check_checkpoints(setting):
    """TensorFlow reads from the golden checkpoints the tensors that expect.json tells."""
    for path in sorted(setting.data.glob("golden/*/expect.json")):
        case = load_json(path)
        if not isinstance(case.get("tensors"), dict) or not isinstance(case.get("checkpoint"), str):
            continue
        if not (path.parent / f"{case['checkpoint']}.index").exists():
            continue
        without = TENSORFLOW_CANNOT_READ.get(path.parent.name, set())
        got = tensors_of(path.parent / case["checkpoint"], without)
        want = {k: expected(v) for k, v in case["tensors"].items() if k not in without}
        if other := (set(got) ^ set(want)) - {OBJECT_GRAPH}:
            yield f"{path.parent.name}: other keys: {sorted(other)[:5]}"
        for key in set(got) & set(want):
            yield from difference(f"{path.parent.name}: {key}", got[key], want[key])


def check_runs(setting):
    """TensorFlow runs the golden graphs to the numbers that expect.json tells."""
    for name in GRAPHS:
        folder = setting.data / "golden" / name
        case = load_json(folder / "expect.json")
        if not case["runs"]:
            yield f"{name}: has no runs"
        with Model(folder / case["checkpoint"], folder / case["meta"]) as model:
            for run in case["runs"]:
                names = list(run["fetches"])
                got = model.run(names, {k: expected(v) for k, v in run.get("feeds", {}).items()})
                for key, value in zip(names, got):
                    yield from difference(f"{name}: {key}", value, expected(run["fetches"][key]), run.get("rtol", 1e-5), run.get("atol", 1e-6))
