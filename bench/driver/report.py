"""Writes what was measured: latest.json, latest.md, and the plots."""
import json, re

from . import svg, workers
from .cases import CASES, limit_us

PEERS = {"tf1": "TensorFlow", "torch": "PyTorch", "jax": "JAX", "hand": "hand-written"}
VIEWS = "1 GiB in 256 tensors: as verified views"  # TensorFlow's counterpart is its restore


def best(entries, worker, variants=None):
    """The fastest variant of a worker, by its minimum."""
    times = [e["min_us"] for e in entries if e["worker"] == worker and "min_us" in e and e["variant"] not in (workers.AGAIN, "view") and (variants is None or e["variant"] in variants)]
    return min(times, default=None)


def summary(case, result, machine):
    entries = result["entries"]
    row = {"case": case, "limit": limit_us(case, machine), "inside": limit_us(case, machine, inside=True)} | {v: best(entries, "tenon", (v,)) for v in ("durable", "imported", "function", "typed")}
    row["tenon"] = min((t for t in (row["typed"], row["function"]) if t), default=row["imported"])
    row |= {p: best(entries, p) for p in PEERS}
    row["plain"] = best(entries, "plain", ("typed",)) or best(entries, "plain", ("imported",))
    row["one"], row["more"] = best(entries, workers.ONE), row["typed"] or row["imported"]
    row["view"] = min((e["min_us"] for e in entries if e["variant"] == "view" and "min_us" in e), default=None)
    row["load"] = best(entries, "torch", ("load",))
    again = [e for e in entries if e["variant"] == workers.AGAIN and "min_us" in e]
    row["again"] = again[0]["min_us"] / entries[0]["min_us"] if again and "min_us" in entries[0] else None
    return row


def summaries(data):
    return {c.name: summary(c, data["nets"][c.name], data["limits"]) for c in CASES if c.name in data["nets"]}


def _time(value, unit):
    if value is None:
        return "–"
    value = value / 1000 if unit == "ms" else value
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _ratio(value, over):
    return "–" if not value or not over else svg.short(value / over)


def _table(columns, rows):
    """`columns`: by heading, what a row has there."""
    yield "| " + " | ".join(columns) + " |"
    yield "| --- |" + " --- |" * (len(columns) - 1)
    for r in rows:
        yield "| " + " | ".join(f(r) for f in columns.values()) + " |"


def _in(key, more=()):
    """A time, and others in brackets: `more` is [(key, word)]."""
    return lambda r: _time(r[key], r["case"].unit) + "".join(f" ({_time(r[k], r['case'].unit)} {word})" for k, word in more if r[k])


def _over(key, under="tenon"):
    return lambda r: _ratio(r[key], r[under])


def _again(r):
    return f"{r['again']:.2f}" if r["again"] else "–"


_UNIT = {"unit": lambda r: "µs" if r["case"].unit == "us" else "ms"}
_LIMITS = {"of the limit": _over("tenon", "limit"), "of the limit without padding": _over("tenon", "inside")}


def table_of_nets(rows, threads):
    columns = {"net": lambda r: r["case"].label} | _UNIT | {"limit": _in("limit"), "hand" if threads == 1 else "hand, one thread": _in("hand"), "A/A": _again}
    if threads == 1:
        columns |= {"tenon, typed": _in("typed", [("function", "as a function")]), "with plain -O2": _in("plain")}
    else:
        columns |= {"tenon, one thread": _in("one"), f"tenon, {threads} threads": _in("more"), "one over " + ("two" if threads == 2 else str(threads)): _over("one", "more")}
    columns |= {"imported": _in("imported"), **{PEERS[p]: _in(p) for p in ("tf1", "torch", "jax")}, **{f"over {PEERS[p]}": _over(p) for p in ("tf1", "torch", "jax")}, "over hand": _over("hand")}
    return _table(columns | _LIMITS | {"imported over TensorFlow": _over("tf1", "imported")}, rows)


def table_of_files(rows):
    columns = {"files": lambda r: r.get("label") or r["case"].label} | _UNIT | {"A/A": _again, "tenon": _in("tenon", [("durable", "durable")]), "TensorFlow": _in("tf1"), "PyTorch": _in("torch"), "of it torch.load": _in("load")}
    return _table(columns | {"over TensorFlow": _over("tf1"), "over PyTorch": _over("torch"), "over torch.load": _over("load")}, rows)


def with_views(rows):
    """Rows of files, and one for views after the restore that has them."""
    for r in rows:
        yield r
        if r["view"]:
            yield r | {"label": VIEWS, "tenon": r["view"], "durable": None, "again": None, "torch": None, "load": None}


def tables_of_programs(programs):
    for program, rows in programs.items():
        yield ""
        yield f"### {program}"
        title = None
        for r in rows:
            if r["title"] != title:
                title = r["title"]
                yield ""
                yield f"| {title} | median µs | least µs | ratio to the first | rate | of the limit |"
                yield "| --- | --- | --- | --- | --- | --- |"
            rate = f"{r['rate']:.4g} {r['unit']}" if "rate" in r else "–"
            yield f"| {r['name']} | {r['median_us']:.4g} | {r['min_us']:.4g} | {r['ratio']:.3f} | {rate} | " + (f"{100 * r['share']:.0f} %" if "share" in r else "–") + " |"


def tables_of_processes(groups):
    for title, rows in groups.items():
        yield ""
        yield f"| {title} | least ms | median ms | CPU ms | peak MiB | printed |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for r in rows:
            yield f"| {r['name']} | {r['min_ms']:.2f} | {r['median_ms']:.2f} | {r['cpu_ms']:.1f} | {r.get('peak_mib', '–')} | {r['printed']} |"


def _growth(programs):
    """Rows titled "growth with X", named "SERIES, NUMBER", as lines."""
    panels = {}
    for rows in programs.values():
        for r in rows:
            found = re.fullmatch(r"growth with ([\w ]+)", r["title"])
            if found:
                series, number = r["name"].rsplit(", ", 1)
                if series.endswith(workers.AGAIN):
                    continue
                panels.setdefault(found[1], {}).setdefault(series, []).append((float(number), r["min_us"]))
    return [("growth with " + what, what, "µs", dict(sorted(series.items(), key=lambda s: s[0] != "tenon"))) for what, series in panels.items()]


def _others(rows):
    """Times of peers over tenon's, for a plot."""
    return [(r.get("label") or r["case"].label, {n: r[p] / r["tenon"] for p, n in PEERS.items() if r[p]}) for r in rows if r["tenon"] and any(r[p] for p in PEERS)]


def text(data, plots):
    """The page latest.md; `plots` are the names of those that there are."""
    m, limits, threads = data["machine"], data["limits"], data["threads"]
    rows = list(summaries(data).values())
    nets, files = [r for r in rows if not r["case"].files], list(with_views(r for r in rows if r["case"].files))
    plot = lambda name, words: [f"![{words}]({name}.svg)", ""] if name in plots else []
    lines = ["# The latest run", "", f"{m['date']}; {m['cpu']} (family {m['family']}, model {m['model']}, {m['cores']} cores; {', '.join(m['features'])}); {m['compiler']}, `{' '.join(m['flags'])}`; threads of each: {threads}."]
    if limits:
        lines.append(f"Limits measured in the same run: {limits['flops'] / 1e9:.0f} GFLOP/s of multiply-adds, {limits['memory'] / 1e9:.0f} GB/s of reading 8 MiB, {limits['functions'] / 1e9:.1f} G/s of tanh.")
    lines += ["Peers: " + (", ".join(f"{k} {v}" for k, v in data["peers"].items()) or "none") + ". `bench/run" + "".join(" " + a for a in data["arguments"]) + "`; bench/README.md says how it measures.", ""]
    if data["load"] > 0.5:
        lines += [f"The machine was not quiet: its load was {data['load']:.1f} when the run began. Ratios of minima hold, single times are too long.", ""]
    if nets:
        lines += ["Least time of a step; ratios above 1: tenon is faster. Limit: flops, memory and functions one after the other, at the speeds above. Multiplications by padding are counted, as everybody counts",
                  "them; who passes over them may take less than that limit, so there is one without them too.", "", *table_of_nets(nets, threads), "", *plot("ratios", "tenon beside peers"), *plot("limits", "tenon and peers over the limit")]
    if files:
        cores = data.get("file_cores", 1)
        how = "all on one core" if cores == 1 else f"each library on {cores} cores with the threads that it takes for files by itself: tenon two from 64 MiB on, the others one"
        lines += [f"Checkpoints, least time; page cache warm, {how}.", "", *table_of_files(files), "", *plot("files", "checkpoints beside peers")]
    if data["disagreements"]:
        lines += ["**Fifth values that differ:** " + "; ".join(data["disagreements"]), ""]
    return "\n".join(lines + [*tables_of_processes(data["processes"]), *tables_of_programs(data["programs"])] + (["", *plot("growth", "how cost grows")[:1]] if "growth" in plots else [])) + "\n"


def files_of(data):
    """By name, the text of all that is written beside latest.json."""
    rows = list(summaries(data).values())
    nets, files = [r for r in rows if not r["case"].files], list(with_views(r for r in rows if r["case"].files))
    everyone = {"tenon": "tenon"} | PEERS
    over_limit = [(r["case"].label, {n: r[p] / r["limit"] for p, n in everyone.items() if r[p]}) for r in nets if r["limit"] and r["tenon"]]
    plots = {
        "ratios": svg.bars("Time of others over tenon's (longer: tenon is faster)", _others(nets), list(PEERS.values()), svg.COLOURS[1:]),
        "limits": svg.bars("Time over the machine's limit (padding counts as work: who passes over it may come below 1)", over_limit, list(everyone.values()), svg.COLOURS),
        "files": svg.bars("Checkpoints: time of others over tenon's (longer: tenon is faster)", _others(files), [PEERS["tf1"], PEERS["torch"]], svg.COLOURS[1:]),
        "growth": svg.growth("How the cost of a step grows", _growth(data["programs"])),
    }
    return {"latest.md": text(data, [name for name, drawn in plots.items() if drawn])} | {name + ".svg": drawn for name, drawn in plots.items() if drawn}


def write(folder, data):
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for name, content in ({"latest.json": json.dumps(data, indent=1) + "\n"} | files_of(data)).items():
        (folder / name).write_text(content)
