"""What checks need of the tool `tenon`: a graph run with arrays, as TensorFlow's session runs one."""
import numpy as np


def tenon(setting, *arguments):
    """What it printed; what is wrong as the second of the pair."""
    return setting.program("tools/tenon", *arguments, cwd=setting.scratch())


def tenon_run(setting, prefix, fetches=(), feeds=None, target=None, steps=1, save=None, meta=None):
    """The values of `fetches` in the last of `steps` runs together with `target`; what is wrong as the second of the pair."""
    folder, arguments, files = setting.scratch(), [], {}
    for i, (name, value) in enumerate((feeds or {}).items()):
        np.save(folder / f"feed{i}.npy", np.asarray(value))
        arguments += ["--feed", f"{name}={folder}/feed{i}.npy"]
    for i, name in enumerate(fetches):
        files[name] = folder / f"fetch{i}.npy"
        arguments += ["--fetch", f"{name}={files[name]}"]
    for option, value in (("--target", target), ("--save", save), ("--meta", meta)):
        arguments += [option, value] if value else []
    _, problems = tenon(setting, "run", prefix, *arguments, "--steps", steps)
    return {} if problems else {name: np.load(file) for name, file in files.items()}, problems
