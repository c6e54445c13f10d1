"""How many cores there are to work on."""

import os


def usable_cores() -> int:
    """Those that this process may use; where the system does not say (macOS, Windows), all there are."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1
