#!/usr/bin/env python3
"""usage: check.py BUILD_FOLDER SOURCE_FOLDER     the command-line tool on golden checkpoints, damaged ones, and models

What needs TensorFlow or NumPy to judge is in tests/interop/check_tool.py.
"""
import json, shutil, subprocess, sys, tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import npy
from tally import Tally

build, source = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
GOLDEN, MODELS = source / "tests/data/golden", source / "tests/data/models"
tally = Tally()
folder = tempfile.TemporaryDirectory(prefix="tenon-tool-")
count = 0


def tenon(*arguments):
    """(status, stdout, stderr)"""
    done = subprocess.run([str(build / "tools/tenon"), *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600)
    return done.returncode, done.stdout, done.stderr


def scratch():
    global count
    count += 1
    path = Path(folder.name) / str(count)
    path.mkdir()
    return path


def expect(status, *arguments, out="", err="", wanted=0):
    """Sentences about what differs: the status, and words that are not printed."""
    got, stdout, stderr = status
    what = " ".join(map(str, arguments))
    bad = [] if got == wanted else [f"{what}: ended with {got}, expected {wanted}: {stderr.strip()[-400:]}"]
    bad += [f"{what}: stdout has no {word!r}: {stdout[:400]!r}" for word in [out] if word and word not in stdout]
    return bad + [f"{what}: stderr has no {word!r}: {stderr[:600]!r}" for word in [err] if word and word not in stderr]


def claim(function):
    try:
        problems = list(function())
    except Exception as e:
        problems = [f"{type(e).__name__}: {e}"]
    tally.claim(" ".join(function.__doc__.split()), problems)


def v2_checkpoints():
    return sorted(str(p)[: -len(".index")] for p in [*GOLDEN.rglob("*.index"), *MODELS.rglob("*.index")])


def v1_checkpoints():
    return [str(GOLDEN / "v1_checkpoint/old.ckpt"), str(MODELS / "srcnn_v1/SRCNN.model-2550000")]


def inspected(*arguments):
    status, out, err = tenon("inspect", *arguments, "--json")
    assert status == 0, f"inspect {arguments}: {err}"
    return json.loads(out)


def without_paths(facts):
    """What two copies of a model have in common."""
    graphs = facts["graphs"]
    for v in (facts["checkpoint"] or {}).get("variables", []):
        v.pop("parts", None)
    return facts["checkpoint"] and (facts["checkpoint"]["variables"], facts["checkpoint"]["bytes"]), graphs


def near(got, case, folder):
    descr, shape, values = npy.read(got)
    want_descr, want_shape, want = npy.read(folder / case["file"])
    if (descr, shape) != (want_descr, want_shape):
        return [f"{case['name']}: {descr} {shape}, expected {want_descr} {want_shape}"]
    bad = sum(not abs(g - w) <= case["atol"] + case["rtol"] * abs(w) for g, w in zip(values, want))
    return [f"{case['name']}: {bad} of {len(want)} elements differ"] if bad else []


@claim
def usage():
    """Usage errors end with 2 and say what is wrong; help and version with 0."""
    prefix = GOLDEN / "blog_save/my_test_model"
    for arguments, word in [((), "subcommand"), (("frobnicate",), "subcommand"), (("inspect",), "PATH"), (("inspect", prefix, "--frob"), "--frob"), (("inspect", prefix, prefix), "my_test_model"),
                            (("verify",), "PREFIX"), (("run", prefix), "nothing to run"), (("run", prefix, "--fetch", "w1:0"), "NAME=FILE.npy"),
                            (("run", prefix, "--target", "x", "--steps", "0"), "--steps"), (("run", prefix, "--feed", "=x.npy", "--target", "x"), "NAME=FILE.npy"),
                            (("convert", prefix), "DST"), (("convert", prefix, scratch() / "m", "--meta", "yaml"), "yaml"), (("convert", prefix, scratch() / "m", "--shards", "0"), "--shards"),
                            (("convert", prefix, prefix), "the same")]:
        yield from expect(tenon(*arguments), *arguments, err=word, wanted=2)
    for arguments, word in [(("--help",), "Examples:"), (("--version",), "tenon "), (("run", "--help"), "Examples:"), (("convert", "--help"), "--shards")]:
        yield from expect(tenon(*arguments), *arguments, out=word)


@claim
def usage_text():
    """The help shows what docs/tool.md says of usage, each command its own line."""
    lines = [line.strip() for line in (source / "docs/tool.md").read_text().splitlines() if line.startswith("    tenon ")][:4]
    if [line.split()[1] for line in lines] != ["inspect", "verify", "run", "convert"]:
        yield f"docs/tool.md begins with {lines}"
    for line in lines:
        for arguments in (("--help",), (line.split()[1], "--help")):
            yield from expect(tenon(*arguments), *arguments, out=line)


@claim
def whole():
    """Every golden checkpoint and every model is whole, and fits its graph."""
    if len(v2_checkpoints()) < 60:
        yield f"only {len(v2_checkpoints())} checkpoints are there"
    for prefix in v2_checkpoints() + v1_checkpoints():
        yield from expect(tenon("verify", prefix), "verify", prefix, out="all checksums right")


@claim
def damaged():
    """Every damage of the golden rows is found, with a sentence that begins with the file's path."""
    rows = json.loads((GOLDEN / "damaged/expect.json").read_text())["rows"]
    changes = [r for r in rows if r["file"]]
    for row in changes:
        place = scratch()
        for part in (".index", ".data-00000-of-00001"):
            shutil.copy(GOLDEN / f"damaged/base{part}", place / f"base{part}")
        path = place / f"base{row['file']}"
        data = bytearray(path.read_bytes())
        if "truncate" in row:
            data = data[: row["truncate"]]
        elif "xor" in row:
            data[row["at"]] ^= row["xor"]
        elif "append" in row:
            data += bytes(row["append"])
        path.unlink() if "remove" in row else path.write_bytes(data)
        # Zeros behind the last tensor are padding; bytes that pad the footer mean nothing.
        harmless = ("append" in row and "data" in row["file"]) or ("xor" in row and row["result"] == "OK" and "index" in row["file"])
        if not harmless:
            yield from expect(tenon("verify", place / "base"), "verify", row, err=f"tenon: {place}/base", wanted=1)
        elif tenon("verify", place / "base")[0] not in (0, 1):
            yield f"verify {row} crashed"


@claim
def several_defects():
    """Two defects are two lines on stderr, and their number the last."""
    place = scratch()
    for f in (GOLDEN / "shards").glob("model-7.*"):
        shutil.copy(f, place)
    first = place / "model-7.data-00000-of-00003"
    data = bytearray(first.read_bytes())
    data[0] ^= 1
    first.write_bytes(data)
    (place / "model-7.data-00001-of-00003").unlink()
    status, _, err = tenon("verify", place / "model-7")
    lines = err.splitlines()
    if status != 1 or len(lines) < 3 or lines[-1] != f"tenon: {len(lines) - 1} defects" or not any("00000-of-00003" in l and "hecksum" in l for l in lines) or not any("00001-of-00003" in l for l in lines):
        yield f"{status}: {err}"


@claim
def every_defect():
    """Three damaged tensors are named, all three, and of a damaged checkpoint also each tensor that the graph asks for in vain."""
    place = scratch()
    for f in GOLDEN.glob("mlp_ref/mlp-5.*"):
        shutil.copy(f, place)
    parts = inspected(GOLDEN / "mlp_ref/mlp-5")["checkpoint"]["variables"]  # in the order of their bytes
    data = bytearray((place / "mlp-5.data-00000-of-00001").read_bytes())
    bad, offset = ("beta1_power", "hidden/kernel", "out/kernel/Adam_1"), 0
    for v in parts:
        if v["name"] in bad:
            data[offset + v["bytes"] // 2] ^= 16
        offset += v["bytes"]
    if offset != len(data):
        yield f"{offset} bytes of tensors, {len(data)} in the file"
    (place / "mlp-5.data-00000-of-00001").write_bytes(data)
    status, out, err = tenon("verify", place / "mlp-5")
    lines = err.splitlines()
    if status != 1 or len(lines) != 4 or lines[-1] != "tenon: 3 defects" or not all(f": {name} (" in line and "Checksum does not match" in line for name, line in zip(bad, lines)):
        yield f"{status}: {err}"
    shutil.copy(GOLDEN / "conv_ref/conv-5.meta", place / "mlp-5.meta")
    status, out, err = tenon("verify", place / "mlp-5")
    missing = err.count("is not in the checkpoint") + err.count(" in the graph")
    if status != 1 or err.count("Checksum does not match") != 3 or missing < 5 or not err.endswith(f"tenon: {3 + missing} defects\n"):
        yield f"{status}: {err}"


@claim
def disagreement():
    """A graph that asks for other tensors than the checkpoint has is a defect for each of them; tensors that it does not ask for are a remark."""
    place = scratch()
    for f in GOLDEN.glob("blog_save/my_test_model.[di]*"):
        shutil.copy(f, place)
    shutil.copy(GOLDEN / "mlp_ref/mlp-5.meta", place / "my_test_model.meta")
    status, out, err = tenon("verify", place / "my_test_model")
    keys = json.loads((GOLDEN / "mlp_ref/expect.json").read_text())["tensors"]
    missing = [k for k in keys if not any(k in line and "not in the checkpoint" in line for line in err.splitlines())]
    if status != 1 or missing:
        yield f"{status}: not named: {missing}: {err}"
    if "remark:" not in out or "w1" not in out:
        yield f"no remark: {out}"


@claim
def no_such_model():
    """What is not there, or is no model, is said by its path with status 1."""
    place = scratch()
    (place / "text.pb").write_text("this is no graph")
    (place / "empty").mkdir()
    for arguments in [("inspect", place / "none"), ("verify", place / "none"), ("inspect", place / "text.pb"), ("inspect", place / "empty"), ("run", place / "none", "--target", "x"), ("convert", place / "none", place / "m")]:
        yield from expect(tenon(*arguments), *arguments, err=f"tenon: {arguments[1]}", wanted=1)


@claim
def half_a_model():
    """Of a model with a damaged index the graph is still shown, and the defect named."""
    place = scratch()
    for f in (MODELS / "a3c_cartpole").glob("model.ckpt.*"):
        shutil.copy(f, place)
    (place / "model.ckpt.index").write_bytes(b"x" * 100)
    yield from expect(tenon("inspect", place / "model.ckpt"), "inspect", out="likely outputs", err="model.ckpt.index", wanted=1)


@claim
def listing():
    """inspect --json lists the tensors that expect.json tells, with dtypes and shapes; the table for people names them too."""
    for path in sorted(GOLDEN.glob("*/expect.json")):
        case = json.loads(path.read_text())
        if not isinstance(case.get("tensors"), dict) or not isinstance(case.get("checkpoint"), str) or not (path.parent / f"{case['checkpoint']}.index").exists():
            continue
        prefix = path.parent / case["checkpoint"]
        got = {v["name"]: ("DT_" + {"float32": "FLOAT", "float64": "DOUBLE"}.get(v["dtype"], v["dtype"].upper()), v["shape"]) for v in inspected(prefix)["checkpoint"]["variables"]}
        want = {k: (v["dtype"], v["shape"]) for k, v in case["tensors"].items()}
        got.pop("_CHECKPOINTABLE_OBJECT_GRAPH", None), want.pop("_CHECKPOINTABLE_OBJECT_GRAPH", None)
        if got != want:
            yield f"{prefix}: {[k for k in {*got, *want} if got.get(k) != want.get(k)][:5]}"
        printed = tenon("inspect", prefix)[1]
        if path.parent.name != "names" and (absent := [k for k in want if k not in printed]):
            yield f"{prefix}: not in the table: {absent[:5]}"


@claim
def outputs():
    """The likely outputs of the models are those that their cases fetch, among others; nothing else is as likely in a frozen graph."""
    for case in sorted(MODELS.glob("*/case.json")):
        told = json.loads(case.read_text())
        likely = [t["name"] for g in inspected(case.parent / told["prefix"])["graphs"] for t in g["likely_outputs"]]
        if absent := [f["name"] for f in told["fetches"] if f["name"] not in likely]:
            yield f"{case.parent.name}: {absent} not in {likely}"
    likely = [t["name"] for t in inspected(GOLDEN / "frozen/frozen.pb")["graphs"][0]["likely_outputs"]]
    if likely != ["fc/BiasAdd:0", "output:0"]:
        yield f"frozen: {likely}"


@claim
def kinds_of_graphs():
    """Frozen graphs, SavedModels with their signatures, text and JSON are looked at alike."""
    binary, text = (inspected(GOLDEN / f"frozen/frozen.{e}") for e in ("pb", "pbtxt"))
    if binary["graphs"] != text["graphs"] or (binary["graph_file"]["format"], text["graph_file"]["format"]) != ("binary", "text"):
        yield "frozen.pb and frozen.pbtxt differ"
    metas = [inspected(GOLDEN / f"meta_text/m.meta{e}")["graphs"] for e in ("", ".txt", ".json")]
    if not metas[0] == metas[1] == metas[2]:
        yield "the .meta in three formats differs"
    saved = inspected(GOLDEN / "saved_model/model")
    signature = saved["graphs"][0]["signatures"]["serving_default"]
    if signature["outputs"]["scores"]["name"] != "y:0" or saved["graphs"][0]["tags"] != ["serve"] or saved["checkpoint"]["tensors"] != 2:
        yield f"{saved}"


@claim
def round_trip():
    """A checkpoint of version 2 is converted to the same bytes: slices, strings, shards, odd names, objects."""
    for prefix in v2_checkpoints():
        place, name = scratch(), Path(prefix).name
        yield from expect(tenon("convert", prefix, place / name), "convert", prefix, out="tensor")
        for part in [f"{name}.index", *(p.name for p in Path(prefix).parent.glob(f"{name}.data-*"))]:
            if not (place / part).exists() or (place / part).read_bytes() != (Path(prefix).parent / part).read_bytes():
                yield f"{prefix}: {part} differs"


@claim
def other_shards():
    """Other numbers of shards hold the same tensors, and are whole; one that is empty is not made."""
    for name in ("many/many", "slices_raw/sl", "dtypes/all", "shards/model-7", "object_based/ckpt-1", "blog_save/my_test_model"):
        before = inspected(GOLDEN / name)
        for shards in (1, 2, 5, 100):
            to = scratch() / "m"
            yield from expect(tenon("convert", GOLDEN / name, to, "--shards", shards), name, shards)
            yield from expect(tenon("verify", to), "verify", name, shards, out="all checksums right")
            after = inspected(to)
            files = len(list(to.parent.glob("m.data-*")))
            if without_paths(after) != without_paths(before) or files != after["checkpoint"]["shards"] or files > shards:
                yield f"{name}: differs in {shards} shards ({files} files)"
    if files != 2:
        yield f"two tensors in {files} files"


@claim
def version_one():
    """A checkpoint of version 1 becomes one of version 2 with the same tensors."""
    for prefix in v1_checkpoints():
        to = scratch() / "m"
        yield from expect(tenon("convert", prefix, to), "convert", prefix)
        yield from expect(tenon("verify", to), "verify", to, out="all checksums right")
        before, after = inspected(prefix)["checkpoint"], inspected(to)["checkpoint"]
        if [(v["name"], v["dtype"], v["shape"]) for v in before["variables"]] != [(v["name"], v["dtype"], v["shape"]) for v in after["variables"]] or (before["version"], after["version"]) != (1, 2):
            yield f"{prefix}: {after}"


@claim
def formats_of_graphs():
    """A graph is written as JSON, text or binary, and comes back; one that has no checkpoint is converted alone."""
    prefix = MODELS / "a3c_cartpole/model.ckpt"
    start = inspected(prefix)["graphs"]
    for form in ("json", "text", "binary"):
        to, back = scratch() / "m", scratch() / "m"
        yield from expect(tenon("convert", prefix, to, "--meta", form), form)
        yield from expect(tenon("convert", to, back, "--meta", "binary"), "back from", form)
        facts = inspected(to)
        if facts["graph_file"]["format"] != form or facts["graphs"] != start:
            yield f"{form}: another graph"
        plain = scratch() / "m"
        tenon("convert", prefix, plain, "--meta", "binary")
        if Path(f"{back}.meta").read_bytes() != Path(f"{plain}.meta").read_bytes():
            yield f"{form}: another graph once it is binary again"
    alone = scratch() / "g.json"
    yield from expect(tenon("convert", GOLDEN / "frozen/frozen.pbtxt", alone, "--meta", "json"), "alone", out="GraphDef, json")
    if inspected(alone)["graphs"] != inspected(GOLDEN / "frozen/frozen.pb")["graphs"]:
        yield "a graph alone differs"


@claim
def unknown_fields():
    """Fields of a graph that tenon does not know survive; a format that cannot keep them is refused, and nothing is written."""
    place = scratch()
    for f in GOLDEN.glob("blog_save/my_test_model.[di]*"):
        shutil.copy(f, place)
    field = b"\xfa\x3f\x05later"  # field 1023
    (place / "my_test_model.meta").write_bytes((GOLDEN / "blog_save/my_test_model.meta").read_bytes() + field)
    to = scratch() / "m"
    yield from expect(tenon("convert", place / "my_test_model", to), "binary")
    if field not in Path(f"{to}.meta").read_bytes():
        yield "the field is lost"
    to = scratch() / "m"
    yield from expect(tenon("convert", place / "my_test_model", to, "--meta", "json"), "json", err="tenon: ", wanted=1)
    if left := [p.name for p in to.parent.iterdir()]:
        yield f"left behind: {left}"


@claim
def damaged_source():
    """Of a damaged checkpoint nothing is converted."""
    place, to = scratch(), scratch() / "m"
    for f in (GOLDEN / "shards").glob("model-7.*"):
        shutil.copy(f, place)
    path = place / "model-7.data-00002-of-00003"
    data = bytearray(path.read_bytes())
    data[-1] ^= 128
    path.write_bytes(data)
    yield from expect(tenon("convert", place / "model-7", to), "convert", err=str(path), wanted=1)
    if left := [p.name for p in to.parent.iterdir()]:
        yield f"left behind: {left}"


@claim
def models_run():
    """The models give the fetches of their cases."""
    for path in sorted(MODELS.glob("*/case.json")):
        case, place = json.loads(path.read_text()), scratch()
        feeds = [a for f in case["feeds"] for a in ("--feed", f"{f['name']}={path.parent / f['file']}")]
        fetches = [a for f in case["fetches"] for a in ("--fetch", f"{f['name']}={place / f['file']}")]
        ended = tenon("run", path.parent / case["prefix"], *feeds, *fetches, "--time", "--steps", 3)
        yield from expect(ended, path.parent.name, out="best")
        if ended[0] == 0:
            for f in case["fetches"]:
                yield from (f"{path.parent.name}: {s}" for s in near(place / f["file"], f, path.parent))


@claim
def models_train():
    """Two training steps of the models give the losses of their cases, also when they are saved in between."""
    for path in sorted(MODELS.glob("*/train.json")):
        train, place = json.loads(path.read_text()), scratch()
        prefix = path.parent / json.loads((path.parent / "case.json").read_text())["prefix"]
        feeds = [a for f in train["feeds"] for a in ("--feed", f"{f['name']}={path.parent / f['file']}")]
        for step in range(2):
            to = place / f"m-{step}"
            ended = tenon("run", prefix, *feeds, "--target", train["op"], "--save", to)
            yield from expect(ended, path.parent.name, "step", step, out="saved")
            if ended[0]:
                break
            prefix = to
            yield from expect(tenon("verify", to), "verify", to)
            yield from expect(tenon("run", to, *feeds, "--fetch", f"{train['loss']}={place / 'loss.npy'}"), path.parent.name)
            got, want = npy.read(place / "loss.npy")[2], train["losses"][step + 1]
            if len(got) != len(want) or not all(abs(g - w) <= 1e-5 + 1e-4 * abs(w) for g, w in zip(got, want)):
                yield f"{path.parent.name}: loss {got[:3]} after step {step + 1}, expected {want[:3]}"


@claim
def graph_alone():
    """A frozen graph runs without a checkpoint; an initialiser and training steps need none either."""
    run = json.loads((GOLDEN / "frozen/expect.json").read_text())["runs"][0]
    place = scratch()
    (name, x), = run["feeds"].items()
    npy.write(place / "x.npy", "<f4", x["shape"], x["values"])
    for graph in ("frozen.pb", "frozen.pbtxt"):
        for fetch, y in run["fetches"].items():
            yield from expect(tenon("run", GOLDEN / "frozen" / graph, "--feed", f"{name}={place / 'x.npy'}", "--fetch", f"{fetch}={place / 'y.npy'}"), graph, out=fetch)
            got = npy.read(place / "y.npy")
            if got[1] != y["shape"] or not all(abs(g - w) <= 1e-6 + 1e-5 * abs(w) for g, w in zip(got[2], y["values"])):
                yield f"{graph}: {fetch} is {got}"
    meta = GOLDEN / "blog_op_to_restore/my_test_model-1000.meta"
    for value, file in ((4.0, "a"), (8.0, "b")):
        npy.write(place / f"{file}.npy", "<f4", [], [value])
    yield from expect(tenon("run", meta, "--init", "init", "--feed", f"w1:0={place / 'a.npy'}", "--feed", f"w2:0={place / 'b.npy'}", "--fetch", f"op_to_restore:0={place / 'y.npy'}", "--save", place / "m"), meta)
    if npy.read(place / "y.npy")[2] != [24.0]:
        yield f"op_to_restore is {npy.read(place / 'y.npy')}"
    yield from expect(tenon("verify", place / "m"), "verify", out="all checksums right")


@claim
def wrong_runs():
    """Feeds and names that do not fit end with the library's sentence and status 1, and no file is written."""
    folder, place = MODELS / "a3c_cartpole", scratch()
    prefix, y = folder / "model.ckpt", f"outputs/Softmax:0={place / 'y.npy'}"
    npy.write(place / "wide.npy", "<f4", [2, 5], [0.0] * 10)
    npy.write(place / "ints.npy", "<i4", [2, 4], [0] * 8)
    (place / "cut.npy").write_bytes((folder / "feed_000.npy").read_bytes()[:-1])
    x = "inputs/input_states:0"
    for arguments, word in [((), "inputs/input_states"), (("--feed", f"{x}={place / 'wide.npy'}"), "[dyn,4], fed [2,5]"), (("--feed", f"{x}={place / 'ints.npy'}"), "is float32, fed int32"),
                            (("--feed", f"{x}={place / 'cut.npy'}"), "cut.npy"), (("--feed", f"{x}={place / 'none.npy'}"), "none.npy"), (("--feed", f"inputs/input_state:0={folder / 'feed_000.npy'}"), f"'{x[:-2]}'"),
                            (("--target", "train/RMSprop"), "'train/RMSProp'"), (("--fetch", f"save/restore_all={place / 'z.npy'}"), "no output to fetch")]:
        yield from expect(tenon("run", prefix, *arguments, "--fetch", y), *arguments, err=word, wanted=1)
    yield from expect(tenon("run", prefix, "--meta", GOLDEN / "mlp_ref/mlp-5.meta", "--target", "init"), "--meta", err="does not fit the graph", wanted=1)
    if left := sorted(p.name for p in place.iterdir()):
        yield from [] if left == ["cut.npy", "ints.npy", "wide.npy"] else [f"left behind: {left}"]


folder.cleanup()
tally.finish()
