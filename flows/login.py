"""Who is at work, for what a decision notes."""

import getpass
import os


def login() -> str:
    """The login name; of a container's user without a name, the number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
