#!/usr/bin/env python3
"""usage: run_tests.py [--ci]     builds and runs the tests; tools/test installs what it needs first.

What is counted: the cases of each doctest program, the claims of each Python test, by what they print; a program that prints
no count is one test. A test that could not run counts as failed with --ci, and is listed without.
"""
import json, os, re, subprocess, sys, time
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCE / "tests" / "support"))
import compiler

CI = "--ci" in sys.argv[1:] or bool(os.environ.get("CI"))
if CI:
    os.environ["CI"] = "true"
JOBS = str(min(os.cpu_count() or 1, 4))

# Optimised a little, no debug information: the fastest way from sources to results (CONTRIBUTING.md has the figures).
FAST = ["-Doptimization=1", "-Ddebug=false", "-Db_ndebug=false"]
SANITIZED = ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Doptimization=1", "-Ddebug=false"]


def stages():
    """(name, compiler, Meson options, suites to run; none: all)"""
    if not CI:
        return [("test", None, FAST, [])]
    return [
        ("gcc", compiler.find("g++"), ["-Dwerror=true", *FAST], []),
        # One build serves two ends: a second compiler, and every run checked. Sources and diagnostics were tested above.
        ("clang-sanitized", compiler.find("clang++"), ["-Dwerror=true", *SANITIZED], ["unit", "examples"]),
    ]


def run(*command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, cwd=SOURCE, **options).returncode


def count(entry):
    """(passed, failed, not run) of one line of Meson's testlog.json."""
    good = entry["result"] in ("OK", "EXPECTEDFAIL")
    if entry["result"] == "SKIP":
        return (0, 1, 0) if CI else (0, 0, 1)
    text = entry.get("stdout") or ""
    cases = re.findall(r"\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed", text) or re.findall(r"^(\d+) passed, (\d+) failed$", text, re.M)
    passed, failed = (int(n) for n in cases[-1]) if cases else (0, 0)
    if not good:
        failed = max(failed, 1)  # a crash, a timeout, a leak after the last case
    elif not passed:
        passed = 1
    return passed, failed, 0


def stage(name, cxx, options, suites):
    """Returns counts and the names of what failed; a stage that does not build is one failure."""
    build = SOURCE / f"build-{name}"
    setup = ["meson", "setup", str(build), *options] + (["--reconfigure"] if (build / "build.ninja").exists() else [])
    started = time.monotonic()
    if name != "test" and cxx is None:
        return (0, 1, 0), [f"{name}: no such compiler"], ""
    if cxx:
        os.environ["CXX"] = cxx
    if run(*setup, stdout=subprocess.DEVNULL):
        run("tail", "-n", "40", str(build / "meson-logs" / "meson-log.txt"))
        return (0, 1, 0), [f"{name}: meson setup"], ""
    if run("ninja", "-C", str(build), "-j", JOBS):
        return (0, 1, 0), [f"{name}: build"], ""
    built = time.monotonic()
    log = build / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    status = run("meson", "test", "-C", str(build), "--no-rebuild", "--print-errorlogs", "--num-processes", JOBS, *[f"--suite={s}" for s in suites])
    total, bad = [0, 0, 0], []
    for line in log.read_text().splitlines() if log.exists() else []:
        entry = json.loads(line)
        counts = count(entry)
        total = [a + b for a, b in zip(total, counts)]
        if counts[1] or counts[2]:
            bad.append(f"{name}: {entry['name']} ({entry['result']})")
    if status and not total[1] or not sum(total):
        total[1] += 1
        bad.append(f"{name}: meson test")
    return total, bad, f"built in {built - started:.0f} s, tested in {time.monotonic() - built:.0f} s"


total, bad, lines = [0, 0, 0], [], []
for each in stages():
    print(f"==== {each[0]}", flush=True)
    started = time.monotonic()
    counts, names, times = stage(*each)
    total = [a + b for a, b in zip(total, counts)]
    bad += names
    lines.append(f"{each[0]}: {counts[0]} passed, {counts[1]} failed, {time.monotonic() - started:.0f} s" + (f" ({times})" if times else ""))
print("====", *lines, sep="\n")
for name in bad:
    print(f"not passed: {name}")
if total[2]:
    print(f"{total[2]} could not run on this machine")
print(f"{total[0]} passed, {total[1]} failed", flush=True)
sys.exit(1 if total[1] else 0)
