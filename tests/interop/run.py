#!/usr/bin/env python3
"""usage: run.py NAME BUILD_FOLDER     runs tests/interop/check_NAME.py with the pinned TensorFlow

A check module has functions `check_*(setting)`, each a claim told by its docstring, which return or yield sentences about what is
wrong. `setting` has `build`, `source`, `data` (folders) and `scratch()`, a new empty folder. If TensorFlow cannot be had the test
counts as not run, and as failed where $CI is set.
"""
import importlib.util, inspect, os, subprocess, sys, tempfile, traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
from tally import Tally, unavailable

# TensorFlow reads these when it is imported: no log of its own, its plain CPU kernels.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1"}


class Setting:
    def __init__(self, build, folder):
        self.build, self.source, self.data, self._folder = Path(build).resolve(), SOURCE, SOURCE / "tests" / "data", folder

    def scratch(self):
        return Path(tempfile.mkdtemp(dir=self._folder))

    def program(self, path, *arguments, cwd):
        """Runs a program of the build folder; what it printed, or what is wrong as the second of the pair."""
        done = subprocess.run([str(self.build / path), *map(str, arguments)], cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.stdout, [] if done.returncode == 0 else [f"{path} ended with {done.returncode}: {done.stderr.strip()[:2000]}"]


def main():
    name, build = sys.argv[1:3]
    if os.environ.get("TENON_INTEROP") != "inside":
        found = subprocess.run([str(SOURCE / "tools" / "venv")], stdout=subprocess.PIPE, text=True)
        if found.returncode:
            unavailable("no Python with TensorFlow; tools/venv says why")
        python = found.stdout.strip()
        os.execve(python, [python, *sys.argv], {**os.environ, **QUIET, "TENON_INTEROP": "inside"})
    if not importlib.util.find_spec("tensorflow"):
        unavailable(f"{sys.executable} has no TensorFlow")
    module, tally = importlib.import_module(f"check_{name}"), Tally()
    with tempfile.TemporaryDirectory(prefix="tenon-interop-") as folder:
        for key, check in inspect.getmembers(module, lambda m: inspect.isfunction(m) and m.__module__ == module.__name__):
            if key.startswith("check_"):
                try:
                    problems = list(check(Setting(build, folder)))
                except Exception as e:
                    at = traceback.extract_tb(e.__traceback__)
                    problems = [f"{type(e).__name__}: {str(e)[:800]}", *(f"{f.filename}:{f.lineno} {f.name}" for f in at if f.filename.startswith(str(SOURCE)))]
                tally.claim(" ".join((check.__doc__ or key).split()), problems)
    tally.finish()


main()
