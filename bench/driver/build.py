"""Builds the benchmarks with Meson, optimised for this machine; the worker also with plain -O2."""
import shutil, subprocess, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FLAGS, PLAIN_FLAGS = ["-O3", "-march=native", "-DNDEBUG"], ["-O2", "-DNDEBUG"]


def _run(*command):
    done = subprocess.run([str(c) for c in command], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"bench/run: {' '.join(map(str, command))} failed\n{done.stdout[-4000:]}{done.stderr[-4000:]}")


def build(folder, programs, jobs, native=True):
    for tool in ("meson", "ninja"):
        if not shutil.which(tool):
            sys.exit(f"bench/run: {tool} is missing; tools/install-dependencies installs what is needed")
    if not (folder / "build.ninja").exists():
        _run("meson", "setup", folder, f"-Doptimization={3 if native else 2}", "-Ddebug=false", "-Db_ndebug=true", *(["-Dcpp_args=-march=native"] if native else []), "-Dprebuilt=true", *(f"-D{part}=disabled" for part in ("tests", "examples", "tools")))
    else:
        _run("meson", "setup", "--reconfigure", folder)
    _run("ninja", "-C", folder, *(["-j", jobs] if jobs else []), *(f"bench/{p}" for p in programs))
