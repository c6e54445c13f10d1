"""The cores that there are to work on."""

import os


def usable_core_numbers() -> list[int]:
    """Those that this process may use; where the system does not say (macOS, Windows), all there are."""
    usable = getattr(os, "sched_getaffinity", None)
    return sorted(usable(0)) if usable else list(range(os.cpu_count() or 1))


def usable_cores() -> int:
    """How many they are."""
    return len(usable_core_numbers())
