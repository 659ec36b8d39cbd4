"""Where the figures come from: processor, compiler, flags, date; and what the machine can do at most."""
import datetime, os, platform, subprocess


def _first(path, key):
    try:
        with open(path) as f:
            return next((line.split(":", 1)[1].strip() for line in f if line.startswith(key)), "")
    except OSError:
        return ""


def describe(compiler, flags):
    words = set(_first("/proc/cpuinfo", "flags").split())
    version = subprocess.run([*compiler, "--version"], capture_output=True, text=True).stdout.splitlines()
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": _first("/proc/cpuinfo", "model name") or platform.processor(),
        "family": _first("/proc/cpuinfo", "cpu family"),
        "model": _first("/proc/cpuinfo", "model\t"),
        "cores": os.cpu_count(),
        "features": [w for w in ("sse4_2", "avx2", "fma", "avx512f", "avx512vl", "avx512_bf16", "vpclmulqdq") if w in words],
        "cache": _first("/proc/cpuinfo", "cache size"),
        "compiler": version[0] if version else " ".join(compiler),
        "flags": flags,
    }


def limits(rows, threads=1):
    """From the rows of the program `peak`: units per second. It measures multiply-adds of two threads too; memory and functions are taken as those of one."""
    rate = {(r["title"], r["name"]): r.get("rate", 0) * 1e9 for r in rows}
    try:
        return {"flops": max(rate["multiply-add, float", "one thread"], rate["multiply-add, float", "one thread, again"]) if threads == 1 else rate["multiply-add, float", "two threads"],
                "memory": max(rate["memory, arrays of 8192 KiB", "read"], rate["memory, arrays of 8192 KiB", "read, again"]),
                "functions": rate["functions of 4096 floats, by Eigen", "tanh"]}
    except KeyError:
        return None
