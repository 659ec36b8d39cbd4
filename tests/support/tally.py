"""How the Python tests report: one line per claim, the reasons of those that fail, and the count on the last line."""
import os, sys

# Meson's number for a test that could not run. A machine that decides what is merged has to be able to run all of them.
UNAVAILABLE = 77


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def claim(self, name, problems):
        """`problems` is a list of sentences, empty if the claim holds."""
        if problems:
            self.failed += 1
            print(f"FAILED {name}", *(f"    {p}" for p in problems), sep="\n", flush=True)
        else:
            self.passed += 1
            print(f"ok     {name}", flush=True)

    def finish(self):
        if not self.passed and not self.failed:
            self.claim("there is something to test", ["nothing was tested"])
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed else 0)


def unavailable(what):
    print(f"NOT RUN: {what}")
    sys.exit(1 if os.environ.get("CI") else UNAVAILABLE)
