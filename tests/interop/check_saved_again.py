"""Everything in tests/data/golden that has a graph, through tenon: imported, restored, run, trained on and saved again; TensorFlow judges what was saved."""
import re

from tenon_side import tenon, tenon_run
from tensorflow_side import Model, difference, expected, load_json, read_by_reader, tensors_of

# Ops without kernels: a run of such a graph may be refused, if the refusal names one of these.
CONTROL_FLOW = "Switch|Merge|Enter|Exit|LoopCond|If|While|PartitionedCall"
MAY_BE_REFUSED = {
    "batch_norm_ref": CONTROL_FLOW, "batch_norm_resource": CONTROL_FLOW, "control_flow_v1": CONTROL_FLOW, "control_flow_v2": CONTROL_FLOW, "lstm_dynamic": CONTROL_FLOW,
    "adadelta": "ApplyAdadelta", "adadelta_resource": "ResourceApplyAdadelta", "ftrl": "ApplyFtrl", "ftrl_resource": "ResourceApplyFtrl",
    "proximal": "ApplyProximalGradientDescent", "proximal_resource": "ResourceApplyProximalGradientDescent",
    "rmsprop_centered": "ApplyCenteredRMSProp", "rmsprop_centered_resource": "ResourceApplyCenteredRMSProp",
}


class Case:
    """A graph with its checkpoint, and what expect.json tells of them. `path` is what tenon is given."""

    def __init__(self, folder, told, meta, trained_from=None):
        self.name, self.told, self.meta = f"{folder.name}/{meta or 'saved_model.pb'}", told, folder / meta if meta else None
        self.prefix = folder / (trained_from or told["checkpoint"])
        self.tensors = None if trained_from else told["tensors"]
        self.path, self.may_be_refused = self.prefix if meta else folder / "model", MAY_BE_REFUSED.get(folder.name)
        self.runs, self.training = [] if trained_from else told.get("runs", []), told.get("training")
        if self.training and bool(trained_from) != ("graph" in self.training):
            self.training = None

    def refused(self, problems):
        """Whether all that is wrong is that ops have no kernel, and that is told above."""
        ops = re.findall(r"^  (\w+) \('", problems[0], re.M) if problems and "ops that tenon cannot run" in problems[0] else []
        return self.may_be_refused is not None and any(re.fullmatch(self.may_be_refused, op) for op in ops)


def cases(setting):
    for path in sorted(setting.data.glob("golden/**/expect.json")):
        told, folder = load_json(path), path.parent
        if "checkpoint" not in told or not any(key in told for key in ("meta", "signature")):
            continue
        for meta in [told[key] for key in ("meta", "meta_json") if key in told] or [None]:
            yield Case(folder, told, meta)
        if "graph" in told.get("training", {}):  # another checkpoint than that of the runs
            meta, prefix = re.match(r"(\S+) / (\S+):", told["training"]["graph"]).groups()
            yield Case(folder, told, meta, prefix)


def feeds_of(run):
    return {name: expected(value) for name, value in run.get("feeds", {}).items()}


def compare(name, run, got, rtol, atol):
    for key, value in run["fetches"].items():
        want, value = expected(value), got[key]
        if want.dtype.name == "bfloat16":  # NumPy's files have none
            want, value = want.astype("float32"), value.astype("float32")
        yield from difference(f"{name}: {key}", value, want, run.get("rtol", rtol), run.get("atol", atol))


def check_runs(setting):
    """tenon imports and restores every graph that TensorFlow saved, and runs it to TensorFlow's numbers; where ops have no kernel it says so."""
    done = 0
    for case in cases(setting):
        for run in case.runs:
            got, problems = tenon_run(setting, case.path, list(run["fetches"]), feeds_of(run), meta=case.meta)
            if case.refused(problems):
                continue
            yield from (f"{case.name}: {p}" for p in problems)
            if not problems:
                done += 1
                yield from compare(case.name, run, got, 1e-5, 1e-6)
    if done < 50:
        yield f"only {done} runs came to an end"


def check_saved_again(setting):
    """What tenon has restored and saved again has the same index to the byte, the same names, shapes and values for tf.train.load_checkpoint, and a graph that TensorFlow imports, restores and runs to the same numbers."""
    for case in cases(setting):
        if case.tensors is None:
            continue
        to = setting.scratch() / "again"
        _, problems = tenon_run(setting, case.path, save=to, meta=case.meta)
        yield from (f"{case.name}: {p}" for p in problems)
        if problems:
            continue
        index = case.prefix.parent / f"{case.prefix.name}.index"
        if index.exists() and (to.parent / "again.index").read_bytes() != index.read_bytes():
            yield f"{case.name}: another index"
        got, want = read_by_reader(to), {key: expected(value) for key, value in case.tensors.items() if value["dtype"] != "DT_STRING"}
        if set(got) != set(want):
            yield f"{case.name}: other names: {sorted(set(got) ^ set(want))[:5]}"
        for key in set(got) & set(want):
            yield from difference(f"{case.name}: {key}", got[key], want[key])
        with Model(to) as model:
            for run in case.runs:
                names = list(run["fetches"])
                yield from compare(f"{case.name} in TensorFlow", run, dict(zip(names, model.run(names, feeds_of(run)))), 1e-5, 1e-6)


def check_trained(setting):
    """tenon trains on with the graphs' own train ops to the values that TensorFlow had, and saves; TensorFlow reads them back, restores the graph, and gets the numbers that tenon gets."""
    done = 0
    for case in cases(setting):
        if not (training := case.training):
            continue
        first, last = training["steps"][0], training["steps"][-1]
        if any(step["feeds"] != "as step 0" for step in training["steps"][1:]):
            yield f"{case.name}: its steps have feeds of their own"
        to, fetches, feeds = setting.scratch() / "trained", list(last["fetches"]), feeds_of(first)
        got, problems = tenon_run(setting, case.path, fetches, feeds, training["op"], len(training["steps"]), to, case.meta)
        if case.refused(problems):
            continue
        yield from (f"{case.name}: {p}" for p in problems)
        if problems:
            continue
        done += 1
        tolerance = training["rtol"], training["atol"]
        yield from compare(case.name, last, got, *tolerance)
        values = tensors_of(to)
        for key, value in training["tensors_after"].items():
            if key not in values:
                yield f"{case.name}: {key} is not saved"
            else:
                yield from difference(f"{case.name}: {key}", values[key], expected(value), *tolerance)
        ours, problems = tenon_run(setting, to, fetches, feeds)
        yield from problems
        with Model(to) as model:
            for key, value in zip(fetches, model.run(fetches, feeds)):
                if not problems:
                    yield from difference(f"{case.name}: {key} of what was saved", ours[key], value, 1e-4, 1e-5)
    if done < 20:
        yield f"only {done} cases were trained on"


def check_converted(setting):
    """tf.train.load_checkpoint sees the same names, shapes and values in what `tenon convert` writes as in each golden checkpoint."""
    for index in sorted(setting.data.glob("golden/**/*.index")):
        if "damaged" in index.parts:
            continue
        to = setting.scratch() / "m"
        _, problems = tenon(setting, "convert", index.with_suffix(""), to)
        yield from problems
        if problems:
            continue
        got, want = read_by_reader(to), read_by_reader(index.with_suffix(""))
        if set(got) != set(want):
            yield f"{index}: other names: {sorted(set(got) ^ set(want))[:5]}"
        for key in set(got) & set(want):
            yield from difference(f"{index}: {key}", got[key], want[key])
        if index.read_bytes() != (to.parent / "m.index").read_bytes():
            yield f"{index}: another index"
