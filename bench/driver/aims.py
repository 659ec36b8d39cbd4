"""What was aimed at beside what bench/results says was reached: a part of docs/performance.md, between <!-- aims --> and <!-- end of aims -->."""
import json, re

from . import report, svg

START = "process start, import, restore, run, print"
IMPORT = "importing the .meta of ResNet-50 with its training: `printed` is what it took, in seconds, the first time, and the least of five times more in the same process; peak memory is that of one import"

# By net: at least so many times as fast as TensorFlow, as the imported net beside it, as PyTorch, JAX and code by hand; at most so many times the limit.
NETS = {
    "mlp_tiny": (400, 60, 400, 60, 0.7, None),
    "mlp_mnist": (1.75, 1.6, 3.0, 1.4, 1.3, 1.25),
    "mlp_wide": (1.08, 1.05, 2.2, 1.15, 1.4, 1.15),
    "cnn_train50": (1.05, 1.0, 1.7, 3.0, 1.5, 1.2),
    "cnn_infer1": (1.35, 1.3, 1.7, 1.5, 1.1, 1.25),
    "cnn_infer50": (1.05, 1.0, 1.5, 1.1, 1.5, 1.15),
    "lstm_forward": (1.4, 1.2, 1.08, 1.2, 1.25, 1.15),
    "lstm_train": (1.5, 1.2, 1.35, 1.5, 1.15, 1.2),
    "resnet50_infer1": (None, 1.1, 1.7, 1.4, None, 1.2),
}
# By label: over TensorFlow, over PyTorch.
FILES = {
    "1 GiB in 256 tensors: save": (5, 5),
    "1 GiB in 256 tensors: restore": (3, 3.5),
    report.VIEWS: (5, None),
    "3,000 tensors of 64 floats: save": (10, None),
    "3,000 tensors of 64 floats: restore": (60, None),
}
SHARED = ("mlp_wide", "cnn_train50", "cnn_infer50")  # what two threads are to take 1.7 times less for


def _cell(value, aim, at_most=False):
    """What was reached, in bold if it is not what was aimed at, and that in brackets."""
    if not value:
        return "–"
    shown = svg.short(value)
    missed = aim is not None and (float(shown) > aim if at_most else float(shown) < aim)
    return (f"**{shown}**" if missed else shown) + (f" ({aim:g})" if aim is not None else "")


def _over(a, b):
    return a / b if a and b else None


def _nets(rows):
    yield "| net | over TensorFlow | imported, over TensorFlow | over PyTorch | over JAX | over code by hand | times the limit, at most | without padding | times as long with plain -O2 |"
    yield "| --- |" + " --- |" * 8
    for name, (tf1, imported, torch, jax, hand, limit) in NETS.items():
        if r := rows.get(name):
            typed = r["typed"] and r["tenon"]
            cells = [_cell(_over(r["tf1"], typed), tf1), _cell(_over(r["tf1"], r["imported"]), imported), _cell(_over(r["torch"], r["tenon"]), torch), _cell(_over(r["jax"], r["tenon"]), jax),
                     _cell(_over(r["hand"], r["tenon"]), hand), _cell(_over(r["tenon"], r["limit"]), limit, True), _cell(_over(r["tenon"], r["inside"]), None), _cell(_over(r["plain"], r["typed"] or r["imported"]), None)]
            yield f"| {r['case'].label} | " + " | ".join(cells) + " |"


def _files(rows):
    yield "| files | over TensorFlow | over PyTorch |"
    yield "| --- | --- | --- |"
    for r in report.with_views(r for r in rows.values() if r["case"].files):
        label = r.get("label") or r["case"].label
        yield f"| {label} | {_cell(_over(r['tf1'], r['tenon']), FILES[label][0])} | {_cell(_over(r['torch'], r['tenon']), FILES[label][1])} |"


def _least(rows, begins):
    return min((r["min_us"] for r in rows if r["name"].startswith(begins)), default=None)


def _programs(programs):
    """(what, reached, aimed at, whether at most), of programs that compare with code by hand in one process."""
    titled = {}
    for rows in programs.values():
        for r in rows:
            titled.setdefault(r["title"], []).append(r)
    for title, words in (("save over an old one, left to the system", "save"), ("save over an old one, durable", "durable save"), ("restore into existing variables", "restore"), ("restore as verified views", "restore as verified views")):
        if rows := titled.get(title):
            yield f"1 GiB, one thread: {words}, speed as a share of raw loops", _over(_least(rows, "raw"), _least(rows, "tenon")), 0.85, False
    for title in ("3,000 small tensors: save, left to the system", "3,000 small tensors: restore"):
        if rows := titled.get(title):
            yield f"{title}: times the staging loop", _over(_least(rows, "tenon"), _least(rows, "raw")), 2, True
    for title, rows in titled.items():
        if title.startswith(("chain, 100000 ", "chain and its gradient, 100000 ", "logistic regression", "mixture")):
            yield f"{title}: times code by hand", _over(_least(rows, "tenon"), min((r["min_us"] for r in rows if not r["name"].startswith("tenon")), default=None)), 1.15, True
    nodes = {int(r["name"].split(", ")[1]): 1e3 * r["min_us"] for r in titled.get("growth with nodes", [])}
    if nodes:
        yield "a node of 8 numbers, 10 to 10,000 in a graph: ns", max((ns / n for n, ns in nodes.items() if 10 <= n <= 10000), default=None), 25, True
        yield "of 100,000 in a graph: ns", _over(nodes.get(100000), 100000), 25, True


def _processes(groups):
    by = lambda begins: next(({r["name"]: r for r in rows} for title, rows in groups.items() if title.startswith(begins)), {})
    start, imports = by(START), by(IMPORT.split(":")[0])
    if "tenon" in start:
        tenon, floor, tf1 = start["tenon"], start.get("the floor: files read, nothing parsed", {}), start.get("TensorFlow")
        if tf1:
            yield f"{START}: over TensorFlow", tf1["min_ms"] / tenon["min_ms"], 300, False
            yield "its peak memory: over TensorFlow", _over(tf1.get("peak_mib"), tenon.get("peak_mib")), 60, False
        yield "its time over that of reading the files", _over(tenon["min_ms"], floor.get("min_ms")), 2, True
    seconds = {name: [float(x) for x in r["printed"].split()] for name, r in imports.items()}
    tenon, tf1, readable = (seconds.get(name) for name in ("tenon", "TensorFlow", "tenon, the same as JSON"))
    if tenon and tf1:
        for k, words in enumerate(("in a process that has just begun", "again in the same process")):
            if len(tenon) > k < len(tf1):
                yield f"import of the 11,230 nodes of ResNet-50 with its training, {words}: over TensorFlow", tf1[k] / tenon[k], 40, False
    if tenon and readable:
        for k, words in enumerate(("in a process that has just begun", "again")):
            yield f"the same as JSON, {words}: times the binary file", readable[k] / tenon[k], 4, True


def _threads(rows):
    ratios = {name: _over(r["one"], r["more"]) for name, r in rows.items()}
    for name in SHARED:
        if ratios.get(name):
            yield f"{rows[name]['case'].label}: one thread's time over that of two", ratios[name], 1.7, False
    if others := {name: v for name, v in ratios.items() if v and name not in SHARED}:
        least = min(others, key=others.get)
        yield f"the least of the other nets ({rows[least]['case'].label}); not slower, up to what a repeat differs by", others[least], 0.97, False


def tables_of(one, two=None):
    """Of what was measured with one thread and with two."""
    rows = report.summaries(one)
    rest = [*_processes(one["processes"]), *_programs(one["programs"]), *(_threads(report.summaries(two)) if two else [])]
    return "\n".join([*_nets(rows), "", *_files(rows), "", "| else | reached (aimed at) |", "| --- | --- |", *(f"| {what} | {_cell(value, aim, at_most)} |" for what, value, aim, at_most in rest)])


def tables(results):
    two = results / "threads-2" / "latest.json"
    return tables_of(json.loads((results / "latest.json").read_text()), json.loads(two.read_text()) if two.exists() else None)


def update(page, results):
    text = page.read_text()
    page.write_text(re.sub(r"<!-- aims -->.*?<!-- end of aims -->", lambda _: f"<!-- aims -->\n\n{tables(results)}\n\n<!-- end of aims -->", text, flags=re.S))
