#!/usr/bin/env python3
"""usage: run.py BUILD_FOLDER SOURCE_FOLDER

Runs the examples in order in one new folder, since the later start from what the earlier saved, and compares what each prints with the
comment at its end: a line "// Output:", then the lines. "..." in them stands for anything within a line.
"""
import re, subprocess, sys, tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from tally import Tally

build, source = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()


def expected_output(text):
    """The lines after "// Output:", None if it is not there or not the end of the file."""
    lines = text.rstrip().splitlines()
    starts = [n for n, line in enumerate(lines) if line == "// Output:"]
    if len(starts) != 1 or not all(line.startswith("//") for line in lines[starts[0]:]):
        return None
    return [re.sub("^// ?", "", line).rstrip() for line in lines[starts[0] + 1:]]


def matches(line, wanted):
    return re.fullmatch(".*".join(re.escape(part) for part in wanted.split("...")), line) is not None


def problems(program, text, folder):
    wanted = expected_output(text)
    if not wanted:
        return ["does not end with \"// Output:\" and what it prints"]
    try:
        done = subprocess.run([str(program)], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600)
    except OSError as e:
        return [str(e)]
    except subprocess.TimeoutExpired:
        return ["still runs after 600 s"]
    printed = [line.rstrip() for line in done.stdout.rstrip().splitlines()]
    found = [f"ended with {done.returncode}: {done.stderr.strip()[-800:]}"] if done.returncode else []
    if len(printed) != len(wanted) or not all(map(matches, printed, wanted)):
        found += ["printed:", *printed, "expected:", *wanted]
    return found


tally = Tally()
with tempfile.TemporaryDirectory(prefix="tenon-examples-") as folder:
    for example in sorted((source / "examples").glob("*.cpp")):
        tally.claim(example.stem, problems(build / "examples" / example.stem, example.read_text(), folder))
tally.finish()
