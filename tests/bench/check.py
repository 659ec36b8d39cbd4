#!/usr/bin/env python3
"""usage: check.py BUILD_FOLDER SOURCE_FOLDER     what bench/ measures with: every program compiles, nets agree, committed pages are what was measured"""
import json, os, subprocess, sys
from pathlib import Path

build, source = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
sys.dont_write_bytecode = True
sys.path[:0] = [str(source / "tests/support"), str(source / "bench")]
import compiler
from driver import aims, cases, report, workers
from tally import Tally

RESULTS, PAGE = source / "bench/results", source / "docs/performance.md"
tally = Tally()


def claim(function):
    try:
        problems = list(function())
    except Exception as e:
        problems = [f"{type(e).__name__}: {e}"]
    tally.claim(" ".join(function.__doc__.split()), problems)


def committed():
    return sorted(RESULTS.glob("**/latest.json"))


@claim
def pages():
    """tables and plots of bench/results are what latest.json says (bench/run --report writes them)"""
    if not committed():
        yield "there are no results"
    for latest in committed():
        written = report.files_of(json.loads(latest.read_text()))
        there = {p.name for p in latest.parent.iterdir() if p.is_file()} - {latest.name}
        for name in sorted(there | written.keys()):
            if name not in written:
                yield f"{latest.parent / name}: nothing writes this file"
            elif name not in there or (latest.parent / name).read_text() != written[name]:
                yield f"{latest.parent / name} is not what latest.json gives"


@claim
def aimed():
    """the tables of what was aimed at, in docs/performance.md, are what bench/results says (bench/run --report writes them)"""
    if aims.tables(RESULTS) not in PAGE.read_text():
        yield "they differ"


@claim
def partial():
    """a run of one net, of one entry, of a program that ended early, or of nothing, can be reported"""
    data = json.loads((RESULTS / "latest.json").read_text())
    for name, result in data["nets"].items():
        one = data | {"nets": {name: result}, "programs": {}, "processes": {}, "limits": None}
        if cases.CASES and f"| {next(c.label for c in cases.CASES if c.name == name)} |" not in report.files_of(one)["latest.md"]:
            yield f"{name} alone has no row"
        for entry in result["entries"]:
            alone = data | {"nets": {name: result | {"entries": [entry]}}, "programs": {}, "processes": {}}
            report.files_of(alone), aims.tables_of(alone)
    for kind in ("programs", "processes"):
        for title, rows in data[kind].items():
            for k in range(len(rows)):
                for left in (rows[:k], rows[:k] + rows[k + 1:]):
                    aims.tables_of(data | {kind: data[kind] | {title: left}})
    if list(report.files_of(data | {"nets": {}, "programs": {}, "processes": {}})) != ["latest.md"]:
        yield "nothing measured gives plots"


@claim
def padding():
    """taps inside an image, by which a limit without padding is computed, are those that a loop over all taps counts"""
    for extent, kernel, stride in ((14, 5, 1), (28, 5, 1), (56, 3, 2), (224, 7, 2), (7, 3, 1), (56, 1, 2), (5, 3, 3)):
        out = -(-extent // stride)
        before = max((out - 1) * stride + kernel - extent, 0) // 2
        inside = sum(0 <= o * stride - before + k < extent for o in range(out) for k in range(kernel))
        if cases._convolution(extent, kernel, 3, 4, stride) != (2.0 * (out * kernel) ** 2 * 12, 2.0 * inside ** 2 * 12):
            yield f"extent {extent}, kernel {kernel}, stride {stride}"


@claim
def programs():
    """every program of bench/ compiles"""
    command = [*compiler.build_command(build), "-Werror", "-DTENON_PREBUILT", "-fsyntax-only"]
    for program in sorted((source / "bench").glob("*.cpp")):
        if program.stem not in ("worker", "hand"):  # which the next claim runs
            done = subprocess.run([*command, str(program)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode:
                yield f"{program.name}: {done.stderr.strip()[-2000:]}"


@claim
def agreement():
    """nets of programs, imported and by hand agree on the fifth loss, with two threads to the last bit"""
    here = os.sched_getaffinity(0)
    running = [workers.Worker(name, [build / "bench" / program], here, {"THREADS": threads}, subprocess.DEVNULL) for name, program, threads in (("hand", "hand", "1"), ("tenon", "worker", "2"), (workers.ONE, "worker", "1"))]
    nets = [c for c in cases.CASES if not c.files and not c.name.startswith("resnet")]
    for case in nets:
        entries = []
        for w in running:
            for offer in (o for o in w.offers if o.split("/")[0] == case.name):
                said = w.ask("check", offer)
                if said.startswith("fail"):
                    yield f"{w.name} {offer}: {said}"
                else:
                    entries.append({"worker": w.name, "variant": offer.split("/")[1], "fifth": float(said)})
        if {e["worker"] for e in entries} != {w.name for w in running}:
            yield f"{case.name}: not all have it"
        yield from workers.disagreements({case.name: {"entries": entries}})
    for w in running:
        w.close()


tally.finish()
