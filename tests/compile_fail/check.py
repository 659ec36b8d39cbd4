#!/usr/bin/env python3
"""usage: check.py KIND BUILD_FOLDER FILE...     KIND is g++ or clang++, at least version 12 or 16

Each FILE compiles as it is. With -DTENON_MISTAKE it does not: the diagnostics match the expression after `// expect: `,
and have at most 20 lines.
"""
import re, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
import compiler
from tally import Tally, unavailable

MOST_LINES = 20
kind, build, files = sys.argv[1], sys.argv[2], sys.argv[3:]
name = compiler.find(kind)
if name is None:
    unavailable(f"no {kind} of a version that prints strings in template arguments")
command = [name, "-std=c++20", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-fsyntax-only", *compiler.include_flags(build)]


def compiled(file, *options):
    # In the file's folder and by its name: how long a message is shall not depend on where the project lies.
    done = subprocess.run([*command, *options, Path(file).name], cwd=Path(file).parent, capture_output=True, text=True)
    return done.returncode, done.stderr.splitlines()


def problems(file):
    expectations = re.findall(r"^// expect: (.+)$", Path(file).read_text(), re.M)
    if len(expectations) != 1 or "TENON_MISTAKE" not in Path(file).read_text():
        return ["needs one line \"// expect: ...\" and a part under TENON_MISTAKE"]
    status, lines = compiled(file)
    if status:
        return ["does not compile even without the mistake:", *lines[:20]]
    status, lines = compiled(file, "-DTENON_MISTAKE")
    if not status:
        return ["compiles although it should not"]
    # A sentence counts where the compiler says it, not where it shows the source.
    said = "\n".join(line for line in lines if not re.match(r"\s*\d* *\|", line))
    found = [] if re.search(expectations[0], said) else [f"fails without saying \"{expectations[0]}\":", *lines[:40]]
    if len(lines) > MOST_LINES:
        found += [f"{len(lines)} lines of diagnostics, at most {MOST_LINES} can be read:", *lines[:40]]
    return found


tally = Tally()
with ThreadPoolExecutor(2) as pool:
    for file, found in zip(files, pool.map(problems, files)):
        tally.claim(f"{Path(file).stem} ({name})", found)
tally.finish()
