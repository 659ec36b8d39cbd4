#!/usr/bin/env python3
"""usage: list_sources.py FOLDER PATTERN...   prints the files under FOLDER that match, sorted, relative to it."""
import sys
from pathlib import Path

folder = Path(sys.argv[1])
print("\n".join(sorted({p.relative_to(folder).as_posix() for pattern in sys.argv[2:] for p in folder.rglob(pattern)})))
