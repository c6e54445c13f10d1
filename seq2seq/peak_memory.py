"""How much memory this process has taken."""

import sys
from pathlib import Path


def peak_memory_mib() -> float | None:
    """Largest resident memory that this process has had so far, in MiB; None where it is not measured.

    Linux is asked in /proc: its getrusage also counts what the parent had when it started this process.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)
