#!/usr/bin/env python3
"""usage: check.py BUILD_FOLDER [--record]     holds what figures.cpp tells to recorded.json; --record writes what is so now

Nothing here depends on the clock or on the processor: the program is compiled by g++ at -O2 and run under valgrind, which shows every program
the same processor, one with AVX2. What has become dearer fails. What has become cheaper is told, and worth recording. What has to be zero everywhere is
counted without valgrind: memory, locks and calls of the system in steps that are run again.
"""
import collections, copy, json, os, re, shutil, subprocess, sys, tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "support"))
import compiler
from tally import Tally, unavailable

RECORDED = HERE / "recorded.json"
# How many steps are counted of what.
STEPS = {"tiny": 50, "tiny_function": 200, "mnist": 3, "import": 2}
# What is run again by `figures again`.
AGAIN = ("tiny", "mnist", "wide", "cnn", "lstm", "tiny_function", "cnn_inference", "lstm_inference")
# How much more may be than was recorded: with the same compiler, Eigen and C library, and with others, which make other code of the same sources.
MORE = {"instructions": (1.03, 1.3), "text": (1.05, 1.5)}
# MiB that the same training step holds in a program written by hand, and how many times that ours may.
BY_HAND, MORE_MEMORY = {"mnist": 5.2, "wide": 25.5, "cnn": 72}, 1.3
# System calls by what they do, whatever the C library's names for it.
CALLS = {"openat": "open", "newfstatat": "stat", "fstat": "stat", "lstat": "stat", "statx": "stat", "pread64": "read", "preadv": "read", "pwrite64": "write", "writev": "write", "pwritev": "write",
         "renameat": "rename", "renameat2": "rename", "linkat": "link", "unlinkat": "unlink", "fdatasync": "fsync", "mkdirat": "mkdir"}
# Those that tell of the C library and not of us: its allocator, where it takes random numbers from.
OF_THE_LIBRARY = {"brk", "mmap", "munmap", "mremap", "madvise", "mprotect", "getrandom", "clock_gettime"}


class Failed(Exception):
    pass


def said(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Failed(f"{' '.join(str(c) for c in command)} ended with {done.returncode}: {(done.stderr or done.stdout)[-1500:]}")
    return done.stdout


def valgrind(tool, *arguments):
    return said("valgrind", f"--tool={tool}", "-q", *arguments)


def own_instructions(text, program):
    """Of a callgrind file, what the program itself executed: the C library chooses its functions by processor, and has its own versions."""
    names, own, of_callee, counted = {}, False, False, 0
    for line in text.splitlines():
        if of_object := re.match(r"(c?)ob=\((\d+)\)\s*(.*)", line):
            callee, number, name = of_object.groups()
            names.setdefault(number, name)
            if not callee:
                own = names[number] == str(program)
        elif line.startswith("calls="):
            of_callee = True  # told by the next line, and once more by the callee
        elif re.match(r"[-+*\d]", line):
            if own and not of_callee:
                counted += int(line.split()[1])
            of_callee = False
    return counted


def system_calls(log):
    """The calls between those of getppid(): of a save, a restore, and steps that are run again."""
    sections = [re.findall(r"^SYSCALL\[\d+,\d+\]\(\s*\d+\) (?:sys_)?(\w+)", part, re.M) for part in re.split(r"^SYSCALL.*getppid.*$", log, flags=re.M)]
    if len(sections) != 5:
        raise Failed(f"getppid() was called {len(sections) - 1} times, not 4: save, restore and steps cannot be told apart")
    save, restore = (dict(sorted(collections.Counter(CALLS.get(name, name) for name in part if name not in OF_THE_LIBRARY).items())) for part in sections[1:3])
    return save, restore, sections[3]


def measured(build, folder):
    """What recorded.json holds, as it is now, and what needs no record."""
    program, counting, object_file, log, files = (Path(folder, name) for name in ("figures", "counting", "figures.o", "calls", "files"))
    command = [compiler.find("g++"), "-std=c++20", "-O2", *compiler.include_flags(build), f"-I{SOURCE}", "-pthread"]
    said(*command, "-c", HERE / "figures.cpp", "-o", object_file)
    said(*command, object_file, "-o", program)
    said(*command, object_file, HERE / "counted.cpp", "-o", counting)  # a program of its own, whose memory comes at other costs
    told = dict(line.split() for line in valgrind("none", program, "plans").splitlines())
    made_with = {key: told.pop(key) for key in ("machine", "compiler", "eigen", "library")}
    told = {key: int(value) for key, value in told.items()}
    instructions = {}
    for net, steps in STEPS.items():
        out = Path(folder, f"callgrind.{net}")
        valgrind("callgrind", "--toggle-collect=measured", f"--callgrind-out-file={out}", program, "step", net, steps)
        instructions[net] = round(own_instructions(out.read_text(), program) / steps)
    files.mkdir()
    valgrind("none", "--trace-syscalls=yes", f"--log-file={log}", program, "files", files)
    save, restore, steps = system_calls(log.read_text())
    return {"made with": made_with, "instructions": instructions, "text": {"all nets": int(said("size", object_file).splitlines()[1].split()[0])},
            **{kind: {key[:-len(kind) - 1]: n for key, n in told.items() if key.endswith("." + kind)} for kind in ("kernels", "touched", "arena")}, "save": save, "restore": restore}, {
            "needed": {net: sum(told[f"{net}.{part}"] for part in ("arena", "variables", "feeds")) / 2**20 for net in BY_HAND},
            "held": {net: int(said(program, "memory", net).split()[0]) / 2**10 for net in BY_HAND}, "calls of steps": steps,
            "again": {name: int(value) for name, value in (line.split() for line in said(counting, "again").splitlines())}}


WHAT = {"instructions": "instructions of a training step, or of an import of 1,000 nodes", "text": "bytes of code", "kernels": "kernels of a plan", "touched": "bytes that the kernels of a step read and write", "arena": "bytes of a plan's arena", "save": "system calls of a save",
        "restore": "system calls of a restore"}


def hold(tally, now, beside, recorded):
    same_code = all(now["made with"][key] == recorded["made with"][key] for key in ("compiler", "eigen", "library"))
    same_machine = now["made with"]["machine"] == recorded["made with"]["machine"]
    if not same_code:
        tally.note(f"recorded with {recorded['made with']}, this is {now['made with']}: limits are wider")
    if not same_machine:
        tally.note(f"recorded for {recorded['made with']['machine']}, here is {now['made with']['machine']}: instructions and arenas are not compared")
    for kind, what in WHAT.items():
        factor = MORE.get(kind, (1, 1))[not same_code]
        if not same_machine and kind in ("instructions", "arena"):
            continue
        for name in sorted(now[kind].keys() | recorded[kind].keys()):
            value, was = now[kind].get(name, 0), recorded[kind].get(name, 0)
            cheaper = value < was * (2 - factor)
            tally.claim(f"{what}, {name}: {value}, recorded {was}" + (" -- cheaper: record it" if cheaper else ""), [f"at most {factor * was:.0f} is meant; if it is worth that: check.py BUILD_FOLDER --record"] if value > factor * was else
                        ["nothing was counted"] if was and not value and kind not in ("save", "restore") else [])
    tally.claim("steps that are run again call nothing of the system", [f"{len(beside['calls of steps'])} calls: {', '.join(sorted(set(beside['calls of steps'])))}"] if beside["calls of steps"] else [])
    missing = [f"{net}.{what}" for net in ("on_purpose", *AGAIN) for what in ("allocations", "locks", "calls") if f"{net}.{what}" not in beside["again"]]
    tally.claim("allocations, locks and calls of steps that are run again are counted", [f"{name} was not counted" for name in missing])
    for name, n in beside["again"].items():
        wanted = name.startswith("on_purpose.")
        tally.claim(f"steps that are run again, {name.replace('.', ', ')}: {n}" if not wanted else f"one is counted if it is there: {name.split('.')[1]}", [] if n == wanted else [f"{n}, not {int(wanted)}"])
    for kind, what in (("needed", "arena, variables and feeds"), ("held", "most that the process held")):
        for net, mib in beside[kind].items():
            tally.claim(f"MiB while training, {what}, {net}: {mib:.1f}, by hand {BY_HAND[net]:g}", [f"at most {MORE_MEMORY * BY_HAND[net]:.1f} is meant"] if mib > MORE_MEMORY * BY_HAND[net] else [])


class Quiet(Tally):
    def claim(self, name, problems):
        self.failed += bool(problems)

    def note(self, text):
        pass


class Loud(Tally):
    def note(self, text):
        print(f"NOTE   {text}", flush=True)


def unseen(recorded):
    """Mistakes that would pass."""
    def worse(kind, name, grow):
        now = copy.deepcopy(recorded)
        now[kind][name] = grow(now[kind].get(name, 0))
        return now

    good = {"needed": {}, "held": {}, "calls of steps": [], "again": {f"{net}.{what}": int(net == "on_purpose") for net in ("on_purpose", *AGAIN) for what in ("allocations", "locks", "calls")}}
    cases = [(f"{kind} of {name}", worse(kind, name, lambda n: round(1.06 * n + 1)), good) for kind in WHAT for name in recorded[kind]]
    cases += [("nothing counted", worse("instructions", "tiny", lambda n: 0), good), ("a call of a new kind", worse("save", "sync", lambda n: n + 1), good), ("a call in a step", recorded, {**good, "calls of steps": ["futex"]}), ("memory", recorded, {**good, "held": {"cnn": 120}}),
              ("locks that nobody counts", recorded, {**good, "again": {**good["again"], "on_purpose.locks": 0}}), ("an allocation in a step", recorded, {**good, "again": {**good["again"], "cnn.allocations": 5}}), ("a lock in a step", recorded, {**good, "again": {**good["again"], "lstm.locks": 1}}), ("steps that are not run again", recorded, {**good, "again": {}}), ("a call in a step of another net", recorded, {**good, "again": {**good["again"], "wide.calls": 1}})]
    for what, now, beside in cases:
        tally = Quiet()
        hold(tally, now, beside, recorded)
        if tally.failed != 1:
            yield f"{what}: a mistake that the gates count as {tally.failed}"


def main():
    build, recording = sys.argv[1], "--record" in sys.argv[2:]
    for needed, found in (("g++ 12 or later", compiler.find("g++")), ("valgrind", shutil.which("valgrind"))):
        if not found:
            unavailable(f"no {needed}, with which the gates are measured")
    os.environ.pop("MALLOC_PERTURB_", None)  # Meson's, with which the C library touches memory that nobody uses
    tally = Loud()
    with tempfile.TemporaryDirectory(prefix="tenon-gates-") as folder:
        try:
            now, beside = measured(build, Path(folder).resolve())  # as valgrind tells it
        except Failed as e:
            tally.claim("the program of the gates compiles and runs", str(e).splitlines())
            tally.finish()
    if recording:
        RECORDED.write_text(json.dumps(now, indent=1) + "\n")
        tally.note(f"{RECORDED} is written")
    recorded = json.loads(RECORDED.read_text())
    hold(tally, now, beside, recorded)
    tally.claim("whatever grows is seen", list(unseen(recorded)))
    tally.finish()


main()
