#!/usr/bin/env python3
"""usage: headers_alone.py BUILD_FOLDER SOURCE_FOLDER   each header compiles alone, and twice, without a warning."""
import subprocess, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from compiler import build_command
from tally import Tally

build, include = sys.argv[1], Path(sys.argv[2]) / "include"
command = build_command(build) + ["-Werror", "-fsyntax-only", "-x", "c++", "-"]


def problems(header):
    code = f"#include <{header}>\n" * 2
    done = subprocess.run(command, input=code, capture_output=True, text=True, cwd=build)
    return done.stderr.splitlines()[:20] or ["the compiler failed without a word"] if done.returncode else []


tally = Tally()
headers = sorted(p.relative_to(include).as_posix() for p in include.rglob("*.hpp"))
with ThreadPoolExecutor(2) as pool:
    for header, found in zip(headers, pool.map(problems, headers)):
        tally.claim(header, found)
tally.finish()
