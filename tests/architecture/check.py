#!/usr/bin/env python3
"""usage: check.py SOURCE_FOLDER LISTED_FILE...

Holds the tree to the rules of rules.py. Each rule is shown a mistake first: one that does not see it fails as well.
LISTED_FILE are the sources that the build folder knows, relative to SOURCE_FOLDER.
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
import rules
from tally import Tally

# rule -> trees which it must refuse, and which it must let pass
SAMPLES = {
    rules.direction: (
        [{"base/a.hpp": '#include "../tensor/b.hpp"\n', "tensor/b.hpp": ""},
         {"io/a.hpp": "#include <tenon/ops/b.hpp>\n", "ops/b.hpp": ""},
         {"base/a.hpp": '#include "b.hpp"\n', "base/b.hpp": '#include "a.hpp"\n'},
         {"base/a.hpp": '#include "gone.hpp"\n'},
         {"misc/a.hpp": ""},
         {"ops/a.hpp": "#include <tenon/tenon.hpp>\n", "tenon.hpp": ""},
         {"tenon.hpp": '#include "summary/a.hpp"\n', "summary/a.hpp": ""}],
        [{"tensor/b.hpp": '#include "../base/a.hpp"\n', "base/a.hpp": "#include <vector>\n"},
         {"checkpoint/a.hpp": '#include "../expr/b.hpp"\n', "expr/b.hpp": '#include "../fwd.hpp"\n', "fwd.hpp": ""},
         {"tenon.hpp": '#include "checkpoint/a.hpp"\n', "checkpoint/a.hpp": ""}]),
    rules.once: ([{"base/a.hpp": "int f();\n"}], [{"base/a.hpp": "// What it is.\n#pragma once\n"}, {"base/a.inc": "int f();\n"}]),
    rules.no_macros: ([{"base/a.hpp": "#define A 1\n"}, {"base/a.hpp": "  # define B\n"}], [{"base/a.hpp": "// #define A\n#ifdef A\n#endif\n"}]),
    rules.no_globals: (
        [{"base/a.hpp": line} for line in ("inline int counter = 0;", "static std::map<int, int> table;", "inline std::function<void()> hook;", "    static int calls;",
                                           "inline const std::string name{f()};", "    thread_local Tape tape;", "extern int shared;", "    static const char* last = nullptr;")],
        [{"base/a.hpp": line} for line in ("inline constexpr int a = 1;", "inline int f(int a) { return a; }", "    static constexpr Dims dims{};", "    static Dims of(int n);",
                                           "    static const Table table = make();", "extern template struct Kernel<float>;", "// static int calls;", "    static bool operator==(A, A) { return true; }",
                                           "inline std::function<void()> f(int a) {", "inline namespace v1 {")]),
    rules.maps_in_one_file: (
        [{"ops/a.hpp": "Eigen::Map<Eigen::ArrayXf> a(p, n);"}, {"ops/a.hpp": "using Eigen::Map;"}, {"ops/a.hpp": "using namespace Eigen;"}],
        [{"tensor/view.hpp": "Eigen::Map<Eigen::ArrayXf> a(p, n);"}, {"ops/a.hpp": "std::map<int, int> m; // Eigen::Map\nMap<K, V> entries;\n"}]),
    rules.json_where_it_is_read: (
        [{"graph/a.hpp": "#include <nlohmann/json.hpp>\n"},
         {"io/json.hpp": "#include <nlohmann/json.hpp>\n", "io/b.hpp": '#include "json.hpp"\n', "run/c.hpp": '#include "../io/b.hpp"\n'}],
        [{"io/json.hpp": "#include <nlohmann/json.hpp>\n", "graph/a.hpp": '#include "../io/json.hpp"\n', "run/c.hpp": ""}]),
    rules.length_has_a_reason: (
        [{"include/tenon/base/a.hpp": "\n" * 301}, {"examples/01_a.cpp": "\n" * 71}],
        [{"include/tenon/base/a.hpp": "// Long because it is a table.\n" + "\n" * 400}, {"tests/base/test_a.cpp": "\n" * 300}]),
    rules.readme_shows_what_runs: (
        [{"README.md": "```cpp\nint a;\nint b;\n```", "examples/01_a.cpp": "int a;\nint c;\n"}],
        [{"README.md": "```cpp\nint a;\n\nint b;\n```", "examples/01_a.cpp": "{\n    int a;\n    int b;\n}\n"}]),
}


def read(root, *patterns):
    return {p.relative_to(root).as_posix(): p.read_text() for pattern in patterns for p in sorted(root.rglob(pattern))}


source, listed = Path(sys.argv[1]), set(sys.argv[2:])
headers = read(source / "include" / "tenon", "*.hpp", "*.inc")  # .inc: text that a header includes several times
files = {f"{folder}/{path}": text for folder in ("include", "src", "tests", "examples", "tools", "bench") for path, text in read(source / folder, "*.hpp", "*.inc", "*.cpp").items()}

files["README.md"] = (source / "README.md").read_text()
whole_tree = (rules.length_has_a_reason, rules.readme_shows_what_runs)

tally = Tally()
for rule, (refused, accepted) in SAMPLES.items():
    blind = [f"does not see {tree}" for tree in refused if not list(rule(tree))] + [f"refuses {tree}: {rule(tree)}" for tree in accepted if list(rule(tree))]
    tally.claim(rule.__doc__.strip(), blind or list(rule(files if rule in whole_tree else headers)))

unlisted = {p for p in files if p.startswith(("include/", "examples/")) or p.startswith("tests/") and Path(p).name.startswith("test_")} - listed
tally.claim("The build folder knows every header, test and example.", [f"{p} came after the build folder was configured: meson setup --reconfigure" for p in sorted(unlisted)])

tests = (source / "tests" / "suites.txt").read_text().split()
wanted = {"compile_fail", "budgets", "gates"} if "tenon.hpp" in headers else set()
wanted |= {"examples", "interop_examples"} if any(p.startswith("examples/") for p in files) else set()
tally.claim("Every kind of test that can run is enabled.", [f"tests/suites.txt lacks a line \"{name}\"" for name in sorted(wanted - set(tests))])
tally.finish()
