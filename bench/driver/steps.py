"""Puts what the program `steps` prints into a page, between <!-- steps NAME --> and <!-- end of steps -->."""
import os, re, subprocess

MOST = 14  # kernels of a table; the rest is one line


def _table(program, net, cpu):
    lines = subprocess.run([str(program), net], capture_output=True, text=True, check=True, preexec_fn=lambda: os.sched_setaffinity(0, {cpu})).stdout.strip().splitlines()
    head, rows = lines[:4], lines[4:]
    rest = [row.strip("| ").split(" | ") for row in rows[MOST:]]
    if rest:
        rows = rows[:MOST] + ["| {} others | {} | {:.0f} | {:.1f} % |".format(len(rest), sum(int(r[1]) for r in rest), sum(float(r[2]) for r in rest), sum(float(r[3].rstrip(" %")) for r in rest))]
    return "\n".join(head + rows).replace(" us", " µs")


def update(page, program, cpu):
    text = page.read_text()
    fill = lambda m: f"<!-- steps {m[1]} -->\n\n{_table(program, m[1], cpu)}\n\n<!-- end of steps -->"
    page.write_text(re.sub(r"<!-- steps (\w+) -->.*?<!-- end of steps -->", fill, text, flags=re.S))
