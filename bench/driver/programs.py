"""Runs the programs that compare within one process, and processes that are timed as a whole."""
import ctypes, json, os, statistics, subprocess, sys, tempfile, time


def rows_of(program, arguments=(), rounds=None, cpu=None):
    """What a program on harness.hpp recorded: a dictionary for every candidate."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as f:
        environment = {**os.environ, "BENCH_JSON": f.name} | ({"BENCH_ROUNDS": str(rounds)} if rounds else {})
        pinned = (lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None
        print(f"{program.name} ...", file=sys.stderr, flush=True)
        done = subprocess.run([str(program), *map(str, arguments)], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, preexec_fn=pinned)
        if done.returncode:
            print(f"bench/run: {program.name} ended with {done.returncode}: {done.stderr.strip()[-500:]}", file=sys.stderr)
        return [json.loads(line) for line in f.read().splitlines()]


def _once(command):
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    printed = process.stdout.read().strip()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, printed, process.returncode


def _peak_mib(command):
    """Its own peak. A child of Python begins with Python's, so a shell starts it, which becomes `echo` and so never waits for it, and Python inherits it."""
    try:
        if ctypes.CDLL(None).prctl(36, 1, 0, 0, 0):  # PR_SET_CHILD_SUBREAPER
            return {}
    except AttributeError:
        return {}  # not Linux
    shell = subprocess.run(["sh", "-c", '"$@" >/dev/null 2>&1 </dev/null & exec echo $!', "sh", *command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    _, status, used = os.wait4(int(shell.stdout), 0)
    return {"peak_mib": round(used.ru_maxrss / 1024, 1)} if status == 0 else {}


def _least(printed):
    """Of words that several rounds printed, each in its place: the least, where they are numbers."""
    def least(words):
        try:
            return min(words, key=float)
        except ValueError:
            return words[-1]
    return " ".join(least(words) for words in zip(*(p.split() for p in printed)))


def whole_processes(commands, rounds, more=()):
    """[(name, command)] in turn: milliseconds from start to end, and of CPU, and peak memory; that without the arguments `more`. The first round fills the page cache and is not counted."""
    commands = [(name, [str(c) for c in command]) for name, command in commands]
    got = {name: [] for name, _ in commands}
    for r in range(rounds + 1):
        for name, command in commands:
            *result, code = _once([*command, *more])
            if code:
                print(f"bench/run: {name} ended with {code}", file=sys.stderr)
            elif r:
                got[name].append(result)
    return [{"name": name, "min_ms": min(x[0] for x in got[name]) * 1e3, "median_ms": statistics.median(x[0] for x in got[name]) * 1e3, "cpu_ms": min(x[1] for x in got[name]) * 1e3,
             "printed": _least([x[2] for x in got[name]])} | _peak_mib(command) for name, command in commands if got[name]]
