"""Run the command line of the local stack."""

import os
import sys
from pathlib import Path

try:
    from nightsort_local.cli import app
except ModuleNotFoundError as error:
    # Typed with the system's Python: what it lacks is in .venv.
    ours = Path(__file__).resolve().parents[1] / ".venv" / "bin" / "python"
    if not ours.exists() or Path(sys.prefix) == ours.parents[1]:
        sys.exit(f"{error}: `make run` installs what is needed into .venv.")
    os.execv(ours, [str(ours), "-m", "nightsort_local", *sys.argv[1:]])  # noqa: S606 - our own interpreter

app(prog_name="python -m nightsort_local")
