"""The architecture as tables, and the rules that hold it. A rule takes the files it judges and returns sentences."""
import re
from pathlib import PurePosixPath

# A header includes its own layer and those named here (and theirs).
LAYERS = {
    "base": [],
    "tensor": ["base"],
    "expr": ["tensor"],
    "ops": ["expr"],
    "run": ["ops"],
    "grad": ["ops", "run"],
    "train": ["grad"],
    "io": ["tensor"],
    "graph": ["ops", "io"],
    "checkpoint": ["graph", "run", "io"],
    "summary": ["io"],
    "dist": ["train", "run"],
}
# Names for all programs: what lies beside the layers. `fwd.hpp` only names things, `tenon.hpp` includes what most programs need,
# `save.hpp` and `import.hpp` each include the one before.
TOP = {"fwd.hpp": ["base"]} | {name: [layer for layer in LAYERS if layer not in ("summary", "dist")] for name in ("tenon.hpp", "save.hpp", "import.hpp")}
TOP_INCLUDES = {("save.hpp", "tenon.hpp"), ("import.hpp", "save.hpp")}

MAPS_ARE_MADE_IN = {"tensor/view.hpp"}
# nlohmann/json.hpp costs a second per translation unit: where it may be included, and who must not reach it at all.
JSON_IS_INCLUDED_IN = {"io/json.hpp"}
JSON_FREE = ["base", "tensor", "expr", "ops", "grad", "train", "run"]

LONGEST = 300
LONGEST_EXAMPLE = 70
REASON_FOR_LENGTH = "// Long because"


def reachable(layer):
    found = {layer}
    for lower in LAYERS[layer]:
        found |= reachable(lower)
    return found


def code_of(text):
    """The text without comments and the insides of string and character literals; lines stay where they are."""
    pattern = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, lambda m: ('""' if m[0][0] in "R\"'" else " ") + "\n" * m[0].count("\n"), text, flags=re.S)


def layer_of(path):
    parts = PurePosixPath(path).parts
    return parts[0] if len(parts) > 1 else None


def includes(path, text):
    """(line, file of include/tenon or None, what is written) of every #include."""
    for number, line in enumerate(text.splitlines(), 1):
        m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not m:
            continue
        if m[1] == '"':
            parts = []
            for part in (PurePosixPath(path).parent / m[2]).parts:
                parts = parts[:-1] if part == ".." and parts else parts + [part]
            yield number, "/".join(parts), m[2]
        else:
            yield number, m[2].removeprefix("tenon/") if m[2].startswith("tenon/") else None, m[2]


def direction(headers):
    """Headers include their own layer and those to its left, and nothing that includes them."""
    bad, edges = [], {}
    for path, text in headers.items():
        layer = layer_of(path)
        if layer is None and path not in TOP or layer is not None and layer not in LAYERS:
            bad.append(f"{path}: belongs to no layer")
            continue
        allowed = reachable(layer) if layer else set().union(*(reachable(l) for l in TOP[path]))
        for line, target, written in includes(path, text):
            if target is None:
                continue
            edges.setdefault(path, []).append(target)
            if target not in headers:
                bad.append(f"{path}:{line}: includes {written}, which does not exist")
            elif layer_of(target) is None and target != "fwd.hpp" and (path, target) not in TOP_INCLUDES or layer_of(target) not in allowed | {None}:
                bad.append(f"{path}:{line}: {layer or path} includes {target}; it may include {', '.join(sorted(allowed))}")
    state = {}

    def visit(path, trail):
        if state.get(path) == "open":
            bad.append("a circle of includes: " + " -> ".join(trail[trail.index(path):] + [path]))
        elif path not in state:
            state[path] = "open"
            for target in edges.get(path, []):
                visit(target, trail + [path])
            state[path] = "done"

    for path in headers:
        visit(path, [])
    return bad


def once(headers):
    """Every header has #pragma once."""
    return [f"{path}: no #pragma once" for path, text in headers.items() if path.endswith(".hpp") and not re.search(r"^#pragma once$", text, re.M)]


def no_macros(headers):
    """No header defines a macro."""
    return [f"{path}:{n}: {line.strip()}" for path, text in headers.items() for n, line in enumerate(code_of(text).splitlines(), 1) if re.match(r"\s*#\s*define\b", line)]


def no_globals(headers):
    """No header has a variable that lives as long as the program: no registry, no hidden state."""
    bad = []
    for path, text in headers.items():
        for n, line in enumerate(code_of(text).splitlines(), 1):
            declared = re.match(r"(\s*)((?:inline|static|extern|thread_local)\b.*)", line)
            if not declared or re.search(r"\b(constexpr|consteval|constinit const|namespace|extern\s+template|static_assert)\b", line):
                continue
            head = re.split(r"[=;{]", declared[2])[0]
            while (bare := re.sub(r"<[^<>]*>", "", head)) != head:
                head = bare
            local = len(declared[1]) > 0
            if "(" in head or "operator" in head or '""' in head or local and re.match(r"static const\b(?!.*\*(?!\s*const))", head):
                continue  # a function; a constant that is made when it is first asked for
            bad.append(f"{path}:{n}: {line.strip()}")
    return bad


def maps_in_one_file(headers):
    """Eigen maps are made in one file."""
    return [f"{path}:{n}: {line.strip()}" for path, text in headers.items() if path not in MAPS_ARE_MADE_IN
            for n, line in enumerate(code_of(text).splitlines(), 1) if re.search(r"\bEigen::(Tensor)?Map\b|\busing namespace Eigen\s*;", line)]


def json_where_it_is_read(headers):
    """nlohmann/json is included where JSON is read or written, and is not reached by a program that trains."""
    bad = []
    targets = {path: [t for _, t, _ in includes(path, text) if t] for path, text in headers.items()}
    direct = set()
    for path, text in headers.items():
        for line, _, written in includes(path, text):
            if written.startswith("nlohmann/") and written != "nlohmann/json_fwd.hpp":
                direct.add(path)
                if path not in JSON_IS_INCLUDED_IN:
                    bad.append(f"{path}:{line}: includes {written}; that is for {', '.join(sorted(JSON_IS_INCLUDED_IN))}")

    def way(path, seen):
        if path in direct:
            return [path]
        for target in targets.get(path, []):
            if target not in seen:
                seen.add(target)
                if found := way(target, seen):
                    return [path] + found
        return None

    for path in headers:
        if layer_of(path) in JSON_FREE and (found := way(path, {path})):
            bad.append("reaches nlohmann/json.hpp: " + " -> ".join(found))
    return bad


def length_has_a_reason(files):
    """A file over 300 lines says why in its first 15, an example keeps below 70."""
    bad = []
    for path, text in files.items():
        lines = text.splitlines()
        if path.startswith("examples/"):
            if len(lines) > LONGEST_EXAMPLE:
                bad.append(f"{path}: {len(lines)} lines; an example has at most {LONGEST_EXAMPLE}")
        elif len(lines) > LONGEST and not any(line.strip().startswith(REASON_FOR_LENGTH) for line in lines[:15]):
            bad.append(f"{path}: {len(lines)} lines, and none of the first 15 starts with \"{REASON_FOR_LENGTH}\"")
    return bad


def readme_shows_what_runs(files):
    """Every C++ listing of README.md stands in an example, which the tests compile, run and compare."""
    flat = lambda text: [line.strip() for line in text.splitlines() if line.strip()]
    examples = [flat(text) for path, text in files.items() if path.startswith("examples/")]
    for listing in re.findall(r"```cpp\n(.*?)```", files.get("README.md", ""), flags=re.S):
        lines = flat(listing)
        if not any(lines == e[i:i + len(lines)] for e in examples for i in range(len(e))):
            yield f"README.md shows what no example has: {lines[0]}"
