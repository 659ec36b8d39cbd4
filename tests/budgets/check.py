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
os.environ.pop("MALLOC_PERTURB_", None)  # Meson's, with which the compiler fills all the memory that it takes and gives back
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


def eigen():
    return compiled("#include <Eigen/Dense>\n")[0]


def unhurried(seconds, most):
    """What seconds() measures on a machine of EIGEN_DENSE_SECONDS. A machine is slow for minutes at a time, so Eigen is compiled before and after; what is too
    much is measured again, since a busy neighbour only ever adds."""
    tried = []
    while len(tried) < 3 and (not tried or min(tried) > most):
        before, found, after = eigen(), seconds(), eigen()
        tried.append(found / max(1.0, (before + after) / 2 / budgets.EIGEN_DENSE_SECONDS))
    return min(tried)


def limit(name):
    return budgets.BUDGETS[name][0]


def include():
    pairs = [(eigen(), compiled("#include <tenon/tenon.hpp>\n")[0]) for _ in range(5)]
    return {"include": min(t for _, t in pairs) / min(e for e, _ in pairs)}


def typed_call():
    def seconds():
        few, many = best(2, budgets.layer_calls(4)), best(2, budgets.layer_calls(24))
        return (many[0] - few[0]) / 20 / budgets.CALLS_OF_LAYER

    return {"typed call": unhurried(seconds, limit("typed call"))}


def pattern():
    code = {}

    def seconds():
        one, half, whole = compiled(budgets.patterns(1)), compiled(budgets.patterns(13)), compiled(budgets.patterns(25))
        code.update({"pattern text": (whole[2] - one[2]) / 24, "text growth": (whole[2] - half[2]) / (half[2] - one[2])})
        return (whole[0] - one[0]) / 24

    return {"pattern": unhurried(seconds, limit("pattern")), **code}


def value_and_gradient():
    def of(fewer, more, n):
        return lambda: (compiled(more)[0] - compiled(fewer)[0]) / n

    one = budgets.functions(1)
    return {"value_and_gradient": unhurried(of(budgets.INCLUDE, one, 1), limit("value_and_gradient")),
            "value_and_gradient again": unhurried(of(one, budgets.functions(6), 5), limit("value_and_gradient again"))}


def costs(name, text, *options):
    """Seconds as `name`, and the compiler's peak as its memory."""
    peaks = []

    def seconds():
        used, memory, _ = compiled(text, *options)
        peaks.append(memory)
        return used

    return {name: unhurried(seconds, limit(name)), f"{name} memory": min(peaks)}


def network():
    return costs("20 layers", budgets.network(20))


def importing():
    return costs("import", budgets.IMPORT)


def import_prebuilt():
    return {"import prebuilt": unhurried(lambda: compiled(budgets.IMPORT, "-DTENON_PREBUILT")[0], limit("import prebuilt"))}


tally, measured = Tally(), set()
for measure in (include, typed_call, pattern, value_and_gradient, network, importing, import_prebuilt):
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
