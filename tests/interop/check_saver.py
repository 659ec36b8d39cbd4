"""The same sequences of saves with the same options, by TensorFlow's Saver and by ours (saver_side.cpp, which tells the commands): the same files are left,
with the same bytes, the same `checkpoint` text, and the same answers to what is asked of them."""
import contextlib, os, time
from unittest import mock

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.training import saver as saver_module

import tensorflow_side

SCRIPTS = {
    "max_to_keep": ["saver max_to_keep=3"] + [line for i in range(6) for line in (f"set {i}", f"save 0 model step={i * 100}")] + ["ask .", "exists model-0", "exists model-500", "list model-400"],
    "defaults: five": ["saver"] + [f"save 0 m step={i}" for i in range(7)] + ["ask ."],
    "a name again": ["saver max_to_keep=2"] + [f"save 0 {name}" for name in ("a", "b", "a", "c", "c")] + ["ask ."],
    "keep all": ["saver max_to_keep=0"] + [f"save 0 m step={i}" for i in range(3)] + ["ask ."],
    "every n hours": ["clock 1000", "saver max_to_keep=1 hours=2"] + [line for i in range(12) for line in (f"clock {1000 + 2700 * i}", f"save 0 m step={i}")] + ["ask ."],
    "every n hours, more kept": ["clock 5", "saver max_to_keep=3 hours=0.5"] + [line for i in range(15) for line in (f"clock {5 + 700 * i}", f"save 0 m step={i}")] + ["ask ."],
    "no graph": ["saver max_to_keep=2", "save 0 m step=1 meta=0", "save 0 m step=2", "save 0 m step=3 meta=0", "ask ."],
    "no state": ["saver max_to_keep=1", "save 0 m step=1", "save 0 m step=2 state=0", "save 0 m step=3", "ask ."],
    "state under another name": ["saver", "save 0 m step=1 latest=newest", "save 0 m step=2", "ask . newest", "ask ."],
    "relative paths": ["saver relative=1", "save 0 ABSOLUTE/m step=1", "save 0 ABSOLUTE/m step=2", "ask ABSOLUTE"],
    "absolute paths": ["saver", "save 0 ABSOLUTE/m step=1", "save 0 ABSOLUTE/sub/m step=2", "ask ABSOLUTE", "ask ABSOLUTE/sub"],
    "a folder": ["saver max_to_keep=2"] + [f"save 0 train/m step={i}" for i in range(4)] + ["ask train", "ask .", "exists train/m-3", "exists train/m"],
    "a folder, relative": ["saver max_to_keep=2 relative=1"] + [f"save 0 ./train/m step={i}" for i in range(4)] + ["ask train"],
    "padded steps": ["saver pad=1", "save 0 m step=7", "save 0 m step=123456789", "save 0 m", "ask ."],
    "sharded": ["saver sharded=1 max_to_keep=2", "set 4"] + [f"save 0 m step={i}" for i in range(4)] + ["ask .", "list m-3"],
    "renamed": ["saver renamed=1", "set 2.5", "save 0 m", "list m", "saver", "save 1 n", "list n", "ask ."],
    "two savers in one folder": ["saver max_to_keep=2", "saver max_to_keep=1 renamed=1"] + [line for i in range(4) for line in (f"save 0 a step={i}", f"save 1 b step={i}")] + ["ask ."],
    "history: never removed": ["saver max_to_keep=9", "save 0 m step=1", "save 0 m step=2", "saver max_to_keep=2", "last 1 m-1 m-2", "save 1 m step=3", "save 1 m step=4", "save 1 m step=5", "ask ."],
    "history: with times": ["clock 100", "saver max_to_keep=9", "save 0 m step=1", "save 0 m step=2", "saver max_to_keep=2 hours=1", "timed 1 m-1=50 m-2=9000", "save 1 m step=3", "save 1 m step=4", "save 1 m step=5", "ask ."],
    "history: recovered, old enough to go": ["clock 4000000000", "saver", "save 0 m step=1", "save 0 m step=2", "saver max_to_keep=2", "recover 1 m-1 m-2 m-77", "save 1 m step=3", "save 1 m step=4", "ask ."],
    "history: recovered, kept": ["clock 1000", "saver", "save 0 m step=1", "save 0 m step=2", "saver max_to_keep=2 hours=1", "recover 1 m-1 m-2", "save 1 m step=3", "save 1 m step=4", "save 1 m step=5", "ask ."],
    "nothing there": ["ask .", "exists m"],
}


class Clock:
    """Python's module `time`, with another time."""

    now = 0.0

    def time(self):
        return self.now

    def __getattr__(self, name):
        return getattr(time, name)


def run_tensorflow(script):
    """What the script prints, with TensorFlow's Saver in the present folder."""
    clock, savers, printed = Clock(), [], []
    with tf.Graph().as_default(), tf.Session() as session, mock.patch.object(saver_module, "time", clock):
        w, b = tf.get_variable("w", [2, 3], initializer=tf.zeros_initializer(), use_resource=False), tf.get_variable("b", [3], initializer=tf.zeros_initializer(), use_resource=False)
        session.run(tf.global_variables_initializer())
        for line in script:
            command, *words = line.split()
            named = dict(word.split("=", 1) for word in words if "=" in word)
            plain = [word for word in words if "=" not in word]
            if command == "clock":
                clock.now = float(words[0])
            elif command == "saver":
                savers.append(tf.train.Saver({"layer/kernel": w, "a/bias": b} if named.get("renamed") == "1" else None, max_to_keep=int(named.get("max_to_keep", 5)), keep_checkpoint_every_n_hours=float(named.get("hours", 10000)),
                                             sharded=named.get("sharded") == "1", pad_step_number=named.get("pad") == "1", save_relative_paths=named.get("relative") == "1"))
            elif command == "set":
                session.run([v.assign(np.full(v.shape, float(words[0]), "float32")) for v in (w, b)])
            elif command == "save":
                step = int(named["step"]) if "step" in named else None
                printed.append(savers[int(plain[0])].save(session, plain[1], global_step=step, latest_filename=named.get("latest"), write_meta_graph=named.get("meta", "1") == "1", write_state=named.get("state", "1") == "1"))
            elif command == "last":
                savers[int(plain[0])].set_last_checkpoints(plain[1:])
            elif command == "timed":
                savers[int(plain[0])].set_last_checkpoints_with_time([(path, float(at)) for path, at in named.items()])
            elif command == "recover":
                savers[int(plain[0])].recover_last_checkpoints(plain[1:])
            elif command == "ask":
                name = plain[1] if len(plain) > 1 else None
                state = tf.train.get_checkpoint_state(plain[0], name)
                printed.append(str(tf.train.latest_checkpoint(plain[0], name)))
                printed.append(" ".join([state.model_checkpoint_path, *state.all_model_checkpoint_paths]) if state else "None")
            elif command == "exists":
                printed.append(str(int(tf.train.checkpoint_exists(plain[0]))))
            elif command == "list":
                for name, shape in tf.train.list_variables(plain[0]):
                    value = tf.train.load_variable(plain[0], name)
                    printed.append(f"{name} {value.dtype} [{','.join(map(str, shape))}] {value.flat[0]:g}")
    return printed


def files_of(folder):
    """Path -> bytes of every file below; of graphs only that they are there."""
    return {str(p.relative_to(folder)): b"" if p.suffix == ".meta" else p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def check_sequences(setting):
    """Every sequence of saves leaves the same files, bytes and answers as in TensorFlow."""
    for name, script in SCRIPTS.items():
        ours, theirs = setting.scratch(), setting.scratch()
        home = os.getcwd()
        outputs = []
        with contextlib.ExitStack() as stack:
            stack.callback(os.chdir, home)
            os.chdir(theirs)
            outputs.append(run_tensorflow([line.replace("ABSOLUTE", str(theirs)) for line in script]))
        text = setting.scratch() / "script"
        text.write_text("\n".join(line.replace("ABSOLUTE", str(ours)) for line in script))
        printed, problems = setting.program("tests/saver_side", text, cwd=ours)
        yield from (f"{name}: {p}" for p in problems)
        outputs.append(printed.replace(str(ours), str(theirs)).splitlines())
        if outputs[0] != outputs[1]:
            yield f"{name}: prints {[o for o, t in zip(outputs[1], outputs[0]) if o != t] or outputs[1]}, TensorFlow {[t for o, t in zip(outputs[1], outputs[0]) if o != t] or outputs[0]}"
        got, want = files_of(ours), files_of(theirs)
        if set(got) != set(want):
            yield f"{name}: only ours: {sorted(set(got) - set(want))}, only TensorFlow's: {sorted(set(want) - set(got))}"
        for path in sorted(set(got) & set(want)):
            if got[path].replace(str(ours).encode(), str(theirs).encode()) != want[path]:
                yield f"{name}: {path} differs: {got[path][:300]!r}, TensorFlow's {want[path][:300]!r}"


def check_restores(setting):
    """Each side restores what the other has saved: TensorFlow's Saver of renamed variables, a sharded one and a padded one read ours."""
    for options, prefix in (("renamed=1", "m"), ("sharded=1", "m"), ("pad=1", "m-00000003")):
        folder = setting.scratch()
        (folder / "script").write_text(f"saver {options}\nset 6.5\nsave 0 m{' step=3' if 'pad' in options else ''}\n")
        _, problems = setting.program("tests/saver_side", folder / "script", cwd=folder)
        yield from problems
        for key, value in tensorflow_side.tensors_of(folder / prefix).items():
            if not (value == 6.5).all():
                yield f"{options}: {key} is {value}"
        with tensorflow_side.Model(folder / prefix) as model:
            for key, value in model.variables_restored().items():
                if not (value == 6.5).all():
                    yield f"{options}: {key} restores to {value}"
