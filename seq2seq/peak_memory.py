"""How much memory this process has taken."""

import sys
from pathlib import Path


def peak_memory_mib() -> float | None:
    """Largest resident memory that this process has had so far, in MiB; None where it is not measured.

    Linux is asked in /proc: its getrusage also counts what the parent had when it started this process.
    """
    status = Path("/proc/self/status")
    if status.is_file() and (kibibytes := vm_hwm_kibibytes(status.read_text(encoding="utf-8"))):
        return round(kibibytes / 1024, 1)
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)


def vm_hwm_kibibytes(status: str) -> int:
    """The peak in the text of a /proc/PID/status; 0 for a process that has ended."""
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
