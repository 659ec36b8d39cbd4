"""The compilers of this machine, and the command with which the build folder compiles a test."""
import json, os, re, shlex, shutil, subprocess
from pathlib import Path

DROPPED_WITH_ARGUMENT = {"-o", "-MF", "-MQ", "-MT"}
DROPPED = {"-c", "-MD", "-MMD", "ccache", "-fdiagnostics-color=always"}


def build_command(build):
    """Compiler and flags of the tests: no launcher, no input, no output."""
    for entry in json.loads((Path(build) / "compile_commands.json").read_text()):
        if entry["file"].endswith("tests/doctest_main.cpp"):
            words, kept = iter(shlex.split(entry["command"])), []
            for word in words:
                if word in DROPPED_WITH_ARGUMENT:
                    next(words)
                elif word not in DROPPED and not word.endswith("doctest_main.cpp"):
                    if word.startswith("-I") or (kept and kept[-1] == "-isystem"):
                        prefix = "-I" if word.startswith("-I") else ""
                        word = prefix + os.path.normpath(os.path.join(entry["directory"], word[len(prefix):]))
                    kept.append(word)
            return kept
    raise SystemExit(f"{build}/compile_commands.json does not say how tests are compiled")


def include_flags(build):
    """-I and -isystem of the tests, for a command of one's own."""
    words, flags = iter(build_command(build)), []
    for word in words:
        if word == "-isystem":
            flags += [word, next(words)]
        elif word.startswith(("-I", "-isystem")):
            flags.append(word)
    return flags


def find(kind):
    """g++ 12 or clang++ 16, or the next later one; None if there is none."""
    names = {"g++": ["g++"] + [f"g++-{v}" for v in range(12, 20)], "clang++": [f"clang++-{v}" for v in range(16, 25)] + ["clang++"]}[kind]
    least = {"g++": 12, "clang++": 16}[kind]
    for name in names:
        if shutil.which(name):
            macros = subprocess.run([name, "-x", "c++", "-dM", "-E", "/dev/null"], capture_output=True, text=True).stdout
            is_clang = re.search(r"__clang_major__ (\d+)", macros)
            version = is_clang or re.search(r"__GNUC__ (\d+)", macros)
            if bool(is_clang) == (kind == "clang++") and version and int(version[1]) >= least:
                return name
    return None
