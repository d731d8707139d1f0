"""The command ``nightsort-local``: the local stack, and the local AWS alone."""

import os
import sys
from pathlib import Path

try:
    from nightsort.terminal import run
    from nightsort_local.cli import app
except ModuleNotFoundError as error:
    # Typed with the system's Python: what it lacks is in .venv.
    ours = Path(__file__).resolve().parents[1] / ".venv" / "bin" / "python"
    if not ours.exists() or Path(sys.prefix) == ours.parents[1]:
        sys.exit(f"{error}: install nightsort[local]; in a checkout, `make run` installs it into .venv.")
    os.execv(ours, [str(ours), "-m", "nightsort_local", *sys.argv[1:]])  # noqa: S606 - our own interpreter


def main() -> None:
    """Run the command line."""
    run(app, "nightsort-local")


if __name__ == "__main__":
    main()
