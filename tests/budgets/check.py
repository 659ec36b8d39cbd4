#!/usr/bin/env python3
"""usage: check.py BUILD_FOLDER     compiles the programs of budgets.py with g++ and holds the cost to its table"""
import os, subprocess, sys, tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
import budgets, compiler
from tally import Tally, unavailable

build, name = sys.argv[1], compiler.find("g++")
if name is None:
    unavailable("no g++ 12 or later, which the budgets are for")
command = [name, "-std=c++20", "-O2", *compiler.include_flags(build)]
os.environ["CCACHE_DISABLE"] = "1"  # a compiler that remembers costs nothing
folder = tempfile.TemporaryDirectory(prefix="tenon-budgets-")


class DoesNotCompile(Exception):
    pass


def compiled(text, *options):
    """(CPU seconds, peak memory in MB, bytes of machine code) of compiling `text`."""
    source, target = Path(folder.name, "program.cpp"), Path(folder.name, "program.o")
    source.write_text(text)
    child = subprocess.Popen([*command, *options, "-c", str(source), "-o", str(target)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise DoesNotCompile(said[:1500])
    sizes = subprocess.run(["size", str(target)], capture_output=True, text=True, check=True).stdout.splitlines()[1].split()
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, int(sizes[0])


def best(n, text, *options):
    """The cheapest of `n` times in seconds, memory and code."""
    return tuple(map(min, zip(*(compiled(text, *options) for _ in range(n)))))


def include():
    """Also sets how much slower this machine is; tenon and Eigen take turns, so that both see the same weather."""
    global slowness
    eigen, tenon = [], []
    for _ in range(5):
        eigen.append(compiled("#include <Eigen/Dense>\n")[0])
        tenon.append(compiled("#include <tenon/tenon.hpp>\n")[0])
    slowness = max(1.0, min(eigen) / budgets.EIGEN_DENSE_SECONDS)
    return {"include": min(tenon) / min(eigen)}


def typed_call():
    few, many = best(2, budgets.layer_calls(4)), best(2, budgets.layer_calls(24))
    return {"typed call": (many[0] - few[0]) / 20 / budgets.CALLS_OF_LAYER / slowness}


def pattern():
    one, half, whole = compiled(budgets.patterns(1)), compiled(budgets.patterns(13)), compiled(budgets.patterns(25))
    return {"pattern": (whole[0] - one[0]) / 24 / slowness, "pattern text": (whole[2] - one[2]) / 24, "text growth": (whole[2] - half[2]) / (half[2] - one[2])}


def network():
    seconds, memory, _ = compiled(budgets.network(20))
    return {"20 layers": seconds / slowness, "20 layers memory": memory}


def importing():
    seconds, memory, _ = compiled(budgets.IMPORT)
    return {"import": seconds / slowness, "import memory": memory, "import prebuilt": best(2, budgets.IMPORT, "-DTENON_PREBUILT")[0] / slowness}


slowness, tally, measured = 1.0, Tally(), set()
for measure in (include, typed_call, pattern, network, importing):
    try:
        figures = measure()
    except DoesNotCompile as e:
        tally.claim(measure.__name__.replace("_", " "), ["does not compile:", *str(e).splitlines()[:12]])
        continue
    for key, value in figures.items():
        most, unit, what, goal = budgets.BUDGETS[key]
        measured.add(key)
        told = f"{value:.4g} {unit}, at most {most:g}" + (f"; the goal is {goal:g}" if goal < most else "")
        tally.claim(f"{key}: {told}", [] if value <= most else [f"{what}: {told}"])
tally.claim("every budget is measured", [key for key in budgets.BUDGETS if key not in measured])
tally.finish()
