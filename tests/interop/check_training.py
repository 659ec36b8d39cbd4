"""Graphs with their checkpoints go back and forth: TensorFlow and tenon run the same fetches and train on from the same place."""
import numpy as np

from check_examples import run_examples
from tenon_side import tenon, tenon_run
from tensorflow_side import Model, difference, load_json, read_by_reader, tensors_of

STEPS = 5


def digits(setting, first, last, count=48):
    """Images and labels as examples/digits.hpp gives them."""
    rows = np.loadtxt(setting.source / "examples/data/digits.csv", delimiter=",", dtype=np.float32)
    rows = rows[(rows[:, 64] >= first) & (rows[:, 64] <= last)][:count]
    return {"images:0": rows[:, :64] / 16, "labels:0": (rows[:, 64] - first).astype(np.int32)}


def models_of_examples(setting):
    """Prefix -> feeds, fetches (a loss comes last), train op. Nothing is dropped out, so that random numbers do not matter."""
    scalars, keep_all = {"w1:0": np.float32(13), "w2:0": np.float32(17)}, {"keep:0": np.float32(1)}
    return {
        "my_model-1000": ({}, ["w1:0", "w2:0"], None),
        "my_test_model-1000": (scalars, ["op_to_restore:0"], None),
        "my_longer_model": (scalars, ["op_to_restore:0", "scaled:0"], None),
        "digits-1000": (digits(setting, 0, 7) | keep_all, ["fc7:0", "fc8:0", "loss:0"], "Adam"),
        "digits-2000": (digits(setting, 8, 9) | keep_all, ["fc7:0", "output:0", "pred:0", "head_loss:0"], "Head"),
        "ten_digits-660": (digits(setting, 0, 9), ["scores:0", "loss:0"], "Adam"),
    }


def saved_models(setting):
    """(name, prefix, feeds, fetches, train op) of every graph that the examples save, as JSON and as binary; what is wrong first."""
    folder, models, problems, found = setting.scratch(), models_of_examples(setting), [], []
    for name, wrong, prefixes in run_examples(setting, folder):
        problems += wrong + [f"{name}: nothing is told here of {p.name}" for p in prefixes if p.name not in models]
    for name, (feeds, fetches, train) in models.items():
        for form in ("json", "binary"):
            to = folder / form / name
            to.parent.mkdir(exist_ok=True)
            _, wrong = tenon(setting, "convert", folder / name, to, "--meta", form)
            problems += wrong
            found.append((f"{name} as {form}", to, feeds, fetches, train))
    return problems, found


def near(name, got, want, told=None):
    """float32 after different orders of summation: relative to each element, and to the largest of the tensor, unless a case tells."""
    if told:
        return difference(name, got, want, told.get("rtol", 0), told.get("atol", 0))
    want = np.asarray(want)
    # TensorFlow's threads have no numbers below the smallest normal one, such as Adam's powers come to.
    atol = 1e-5 * float(np.abs(want).max(initial=0)) + np.finfo(want.dtype).tiny if want.dtype.kind == "f" else 0
    return difference(name, got, want, 1e-4, atol)


def go_on(setting, name, prefix, feeds, fetches, train, steps=STEPS, told=None):
    """Both sides train on from `prefix`. Then each restores what the other has saved, and finds the same numbers. `told` has tolerances by variable."""
    ours, theirs, before = setting.scratch() / "ours", setting.scratch() / "theirs", tensors_of(prefix)
    _, problems = tenon_run(setting, prefix, feeds=feeds, target=train, steps=steps, save=ours)
    with Model(prefix) as model:
        for _ in range(steps):
            model.run(train, feeds)
        model.save(theirs)
        want = model.run(fetches, feeds)
    yield from problems
    if problems:
        return
    got, wanted = tensors_of(ours), tensors_of(theirs)
    # Where the streams of random ops stand is known to tenon only.
    keys = {k for k in wanted if not k.endswith("/stream")}
    if set(got) != set(wanted):
        yield f"{name}: other variables: {sorted(set(got) ^ set(wanted))[:5]}"
    for key in sorted(keys & set(got)):
        yield from near(f"{name}: {key} after {steps} steps", got[key], wanted[key], (told or {}).get(key))
    if all(np.array_equal(before[key], got[key]) for key in keys & set(got) & set(before)):
        yield f"{name}: {train} changed nothing"
    crossed, problems = tenon_run(setting, theirs, fetches, feeds)
    yield from problems
    with Model(ours) as model:
        for key, value, back in zip(fetches, want, model.run(fetches, feeds)):
            yield from near(f"{name}: {key} in TensorFlow, of what tenon saved", back, value)
            if not problems:
                yield from near(f"{name}: {key} in tenon, of what TensorFlow saved", crossed[key], value)


def check_runs(setting):
    """TensorFlow imports the graphs of the examples, parsed from JSON and by the path of a binary file, restores them, and runs the named fetches to the numbers that tenon gets."""
    problems, found = saved_models(setting)
    yield from problems
    for name, prefix, feeds, fetches, _ in found:
        got, wrong = tenon_run(setting, prefix, fetches, feeds)
        yield from wrong
        with Model(prefix) as model:
            for key, value in zip(fetches, model.run(fetches, feeds)):
                if not wrong:
                    yield from difference(f"{name}: {key}", got[key], value, 1e-5, 1e-6)


def check_variables(setting):
    """tf.train.load_checkpoint sees the names, shapes and values of the variables that the examples save, as tenon restores them."""
    problems, found = saved_models(setting)
    yield from problems
    for name, prefix, _, _, _ in found:
        want = read_by_reader(prefix)
        got, wrong = tenon_run(setting, prefix, [f"{key}:0" for key in want])
        yield from wrong
        for key, value in want.items() if not wrong else ():
            yield from difference(f"{name}: {key}", got[f"{key}:0"], value)


def check_examples_go_on(setting):
    """TensorFlow goes on training the examples' models with their own train ops and gets, slots and steps included, the variables that tenon gets; each restores what the other saves."""
    problems, found = saved_models(setting)
    yield from problems
    for name, prefix, feeds, fetches, train in found:
        if train:
            yield from go_on(setting, name, prefix, feeds, fetches, train)


def check_models_go_on(setting):
    """The models that others saved are saved again by tenon; from there both sides train with the models' own train ops to the same variables, within the tolerances of the cases, and each restores what the other saves."""
    for path in sorted(setting.data.glob("models/*/train.json")):
        train, to, name = load_json(path), setting.scratch() / "m", path.parent.name
        feeds = {f["name"]: np.load(path.parent / f["file"]) for f in train["feeds"]}
        _, problems = tenon_run(setting, path.parent / load_json(path.parent / "case.json")["prefix"], save=to)
        yield from problems
        if not problems:
            yield from go_on(setting, name, to, feeds, [train["loss"]], train["op"], train["steps"], {v["name"]: v for v in train["variables"]})
