"""Settings of the machine at hand. None of them enters a key.

Other threads give the same result up to the last bits; another device or number of processes one that is as good, not
the same (dropout draws anew, and `training.precision = auto` follows the device).
"""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from seq2seq.settings.section import Section

LOCK_SERVERS = ("redis", "rediss", "unix")


class RuntimeSettings(Section):
    """Where and how fast the work is done."""

    threads: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="Threads of tensor operations, all processes together; 0: one per usable core. Trainings run side "
        "by side as long as their threads fit into the cores.",
    )
    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that share each batch of a training (best one per core; on CUDA at most one per device; "
        "dropout draws anew with another number), or the lines of `translate`.",
    )
    gradient_accumulation: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="Parts of each batch that a process learns one after another before the weights are updated: less "
        "memory for the same update, where a batch does not fit a device (dropout draws anew with another number).",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto: a CUDA device where there is one."
    )
    log_every_seconds: float = Field(default=5.0, gt=0, description="Seconds between two progress messages.")
    checkpoint_every_seconds: float = Field(
        default=30.0,
        ge=0,
        description="Seconds between two checkpoints, or twenty times as long as writing one takes, if that is more. "
        "There is one after each validation, too. 0: one after each update.",
    )
    finish: bool = Field(
        default=False,
        description="End a training that was stopped earlier: its best weights so far are the result, which later runs "
        "take. An error where it has no checkpoint. To learn on, continue from the model.",
    )
    max_step_minutes: float = Field(
        default=0.0, ge=0, description="A step that takes longer fails; the same command resumes it. 0: no limit."
    )
    locks: str = Field(
        default="",
        description="Empty: locks of this machine's kernel. redis://HOST:PORT/NUMBER: locks in a Redis server, for a "
        "workspace that several machines share. Its password comes from the environment: REDISCLI_AUTH.",
    )

    @field_validator("locks")
    @classmethod
    def _address_without_password(cls, address: str) -> str:
        parts = urlsplit(address)
        if address and (parts.scheme not in LOCK_SERVERS or parts.port == 0):
            raise ValueError(f"should be empty or begin with {', '.join(f'{name}://' for name in LOCK_SERVERS)}")
        if parts.password or "password=" in parts.query:
            raise ValueError("a password does not belong in settings: put it into the environment as REDISCLI_AUTH")
        return address
