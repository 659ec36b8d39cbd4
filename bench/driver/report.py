"""Writes what was measured: latest.json, latest.md, and the plots."""
import json, re

from . import svg, workers
from .cases import CASES, limit_us

PEERS = {"tf1": "TensorFlow", "torch": "PyTorch", "jax": "JAX", "hand": "hand-written"}


def best(entries, worker, variants=None):
    """The fastest variant of a worker, by its minimum."""
    times = [e["min_us"] for e in entries if e["worker"] == worker and "min_us" in e and e["variant"] != workers.AGAIN and (variants is None or e["variant"] in variants)]
    return min(times, default=None)


def summary(case, result, machine):
    entries, limit = result["entries"], limit_us(case, machine)
    row = {"case": case, "limit": limit, "durable": best(entries, "tenon", ("durable",)), "imported": best(entries, "tenon", ("imported",)), "function": best(entries, "tenon", ("function",)), "typed": best(entries, "tenon", ("typed",))}
    row["tenon"] = min((t for t in (row["typed"], row["function"]) if t), default=row["imported"])
    row |= {p: best(entries, p) for p in PEERS}
    row["plain"] = best(entries, "plain", ("typed",)) or best(entries, "plain", ("imported",))
    again = [e for e in entries if e["variant"] == workers.AGAIN and "min_us" in e]
    row["again"] = again[0]["min_us"] / best(entries, again[0]["worker"], {e["variant"] for e in entries[:1]}) if again and "min_us" in entries[0] else None
    return row


def _time(value, unit):
    if value is None:
        return "–"
    value = value / 1000 if unit == "ms" else value
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _ratio(value, over):
    return "–" if not value or not over else svg.short(value / over)


def table_of_nets(rows):
    yield "| net | unit | limit | hand | A/A | tenon, typed | with plain -O2 | imported | TensorFlow | PyTorch | JAX | over TensorFlow | over PyTorch | over JAX | over hand | of the limit | imported over TensorFlow |"
    yield "| --- |" + " --- |" * 16
    for r in rows:
        unit, t = r["case"].unit, r["tenon"]
        typed = _time(r["typed"], unit) + (f" ({_time(r['function'], unit)} as a function)" if r["function"] else "") + (f" ({_time(r['durable'], unit)} durable)" if r["durable"] else "")
        yield "| " + " | ".join([r["case"].label, "µs" if unit == "us" else "ms", _time(r["limit"], unit), _time(r["hand"], unit), f"{r['again']:.2f}" if r["again"] else "–", typed, _time(r["plain"], unit), _time(r["imported"], unit),
                                 *(_time(r[p], unit) for p in ("tf1", "torch", "jax")), *(_ratio(r[p], t) for p in ("tf1", "torch", "jax", "hand")), _ratio(t, r["limit"]), _ratio(r["tf1"], r["imported"])]) + " |"


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


def write(folder, data):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "latest.json").write_text(json.dumps(data, indent=1) + "\n")
    m, limits = data["machine"], data["limits"]
    rows = [summary(c, data["nets"][c.name], limits) for c in CASES if c.name in data["nets"]]
    lines = ["# The latest run", "", f"{m['date']}; {m['cpu']} (family {m['family']}, model {m['model']}, {m['cores']} cores; {', '.join(m['features'])}); {m['compiler']}, `{' '.join(m['flags'])}`; threads of each: {data['threads']}."]
    if limits:
        lines.append(f"Limits measured in the same run: {limits['flops'] / 1e9:.0f} GFLOP/s of multiply-adds, {limits['memory'] / 1e9:.0f} GB/s of reading 8 MiB, {limits['functions'] / 1e9:.1f} G/s of tanh.")
    lines += ["Peers: " + (", ".join(f"{k} {v}" for k, v in data["peers"].items()) or "none") + ". `bench/run" + "".join(" " + a for a in data["arguments"]) + "`; bench/README.md says how it measures.", ""]
    if data["load"] > 0.5:
        lines += [f"The machine was not quiet: its load was {data['load']:.1f} when the run began. Ratios of minima hold, single times are too long.", ""]
    if rows:
        lines += ["Least time of a step; ratios above 1: tenon is faster. Limit: flops, memory and functions one after the other, at the speeds above.", "", *table_of_nets(rows), "",
                  *(["![tenon beside peers](ratios.svg)", ""] if any(r[p] for r in rows for p in PEERS) else []), "![tenon and peers over the limit](limits.svg)", ""]
    if data["disagreements"]:
        lines += ["**Fifth values that differ:** " + "; ".join(data["disagreements"]), ""]
    lines += [*tables_of_processes(data["processes"]), *tables_of_programs(data["programs"])]
    panels = _growth(data["programs"])
    if panels:
        lines += ["", "![how cost grows](growth.svg)"]
    (folder / "latest.md").write_text("\n".join(lines) + "\n")
    svg.bars(folder / "ratios.svg", "Time of others over tenon's (longer: tenon is faster)", [(r["case"].label, {n: r[p] / r["tenon"] for p, n in PEERS.items() if r[p]}) for r in rows if r["tenon"]], list(PEERS.values()), svg.COLOURS[1:])
    everyone = {"tenon": "tenon"} | PEERS
    svg.bars(folder / "limits.svg", "Time over the machine's limit (1: cannot be faster)",
             [(r["case"].label, {n: r[p] / r["limit"] for p, n in everyone.items() if r[p]}) for r in rows if r["limit"] and r["tenon"]], list(everyone.values()), svg.COLOURS)
    svg.growth(folder / "growth.svg", "How the cost of a step grows", panels)
