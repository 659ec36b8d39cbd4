"""Asks workers in turn: each is a live process, a round is one slice of each, and a slice during which the worker did not have its core is taken again."""
import os, select, statistics, subprocess, sys

ONE = "one"  # tenon with one thread, beside tenon with more
AGAIN = "again"  # the A/A pair: the first entry of a case is asked twice a round
TRIES = 4
PATIENCE = 180  # seconds for an answer


class Worker:
    def __init__(self, name, command, cpus, environment, log):
        self.name, self.cpus, self.cores = name, cpus, len(cpus)
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1, env={**os.environ, **environment},
                                        preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        words = self.process.stdout.readline().split()
        self.offers = words[1:] if words[:1] == ["ready"] else []

    def ask(self, *words):
        try:
            self.process.stdin.write(" ".join(map(str, words)) + "\n")
            if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
                self.process.kill()
            return self.process.stdout.readline().strip() or "fail it died"
        except BrokenPipeError:
            return "fail it died"

    def waited(self):
        """Seconds that its threads could have run and did not."""
        total = 0
        try:
            for thread in os.listdir(f"/proc/{self.process.pid}/task"):
                with open(f"/proc/{self.process.pid}/task/{thread}/schedstat") as f:
                    total += int(f.read().split()[1])
        except (OSError, IndexError, ValueError):
            pass  # a thread that ended, or a system that does not say
        return total * 1e-9

    def move(self, cpus=None):
        """All its threads may use these cores; without an argument, those that it began on."""
        cpus = cpus or self.cpus
        self.cores = len(cpus)
        for thread in os.listdir(f"/proc/{self.process.pid}/task") if self.process.poll() is None else []:
            try:
                os.sched_setaffinity(int(thread), cpus)
            except OSError:
                pass  # a thread that ended

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # a process that ended before it read what was asked last
        self.process.wait()


def _slice(worker, variant, seconds, files):
    """(median, minimum, first call) and how often it was taken; a sentence if the worker cannot."""
    best = None
    for attempt in range(1, TRIES + 1):
        if files:
            os.sync()  # pages that another library left to be written would be waited for
        before = worker.waited()
        said = worker.ask("run", variant, seconds)
        if said.startswith("fail"):
            return said, attempt
        _, median, least, first = map(float, said.split())
        if best is None or median < best[0]:
            best = (median, least, first)
        if worker.waited() - before < 0.02 * seconds * worker.cores or median > 2e6 * seconds:  # nobody has the core for that long on a busy machine
            break
    return best, attempt


def measure(workers, cases, only, rounds, seconds):
    """By case, an entry for each worker and variant: fifth loss, and times in microseconds."""
    results = {}
    for case in cases:
        entries = [{"worker": w.name, "variant": offer.split("/")[1], "offer": offer, "of": w, "medians": [], "least": []}
                   for w in workers for offer in w.offers if offer.split("/")[0] == case.name and only(f"{w.name}:{offer}")]
        if not entries:
            continue
        print(f"{case.name}: ", end="", file=sys.stderr, flush=True)
        if case.files:
            for w in {id(e["of"]): e["of"] for e in entries}.values():
                w.move(os.sched_getaffinity(0))
        for e in entries:
            said = e["of"].ask("check", e["offer"])
            if said.startswith("fail"):
                e["failed"] = said[5:]
            else:
                e["fifth"] = float(said)
                e["of"].ask("run", e["offer"], 0.05)  # builds what it keeps
        entries = entries[:1] + [{**entries[0], "variant": AGAIN, "medians": [], "least": []}] + entries[1:]
        taken = slices = 0
        for _ in range(rounds):
            for e in entries:
                if "failed" in e:
                    continue
                got, attempts = _slice(e["of"], e["offer"], seconds, case.files)
                taken, slices = taken + attempts, slices + 1
                if isinstance(got, str):
                    e["failed"] = got[5:]
                else:
                    e["medians"].append(got[0]), e["least"].append(got[1])
                    e["first_call_s"] = got[2]
            print(".", end="", file=sys.stderr, flush=True)
        for e in entries:
            e["of"].ask("forget", e["offer"])
            if case.files:
                e["of"].move()
        print(f" {100 * (taken - slices) // max(1, slices)}% of the slices taken again", file=sys.stderr)
        results[case.name] = {"taken_again": round((taken - slices) / max(1, slices), 2), "entries": [_row(e) for e in entries]}
    return results


def _row(e):
    row = {"worker": e["worker"], "variant": e["variant"]} | {k: e[k] for k in ("fifth", "first_call_s", "failed") if k in e}
    if e["medians"] and "failed" not in e:
        row |= {"median_us": statistics.median(e["medians"]), "min_us": min(e["least"])}
    return row


def disagreements(results):
    """Sentences about fifth values that differ by more than rounding, or with the number of threads; every library has weights of its own in ResNet-50."""
    for case, result in results.items():
        entries = [e for e in result["entries"] if "fifth" in e and not (case.startswith("resnet") and e["worker"] in ("torch", "jax"))]
        values = {e["worker"] + " " + e["variant"]: e["fifth"] for e in entries}
        if values and not max(values.values()) - min(values.values()) <= 1e-4 * max(abs(v) for v in values.values()):  # what is no number agrees with none
            yield f"{case}: the fifth values differ: " + ", ".join(f"{k} {v:.7g}" for k, v in values.items())
        for e in entries:
            if e["worker"] == ONE and values.get(f"tenon {e['variant']}") != e["fifth"]:
                yield f"{case}: tenon's fifth value is {e['fifth']:.9g} with one thread, {values.get('tenon ' + e['variant'])} with more"
