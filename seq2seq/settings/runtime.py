"""Settings of the machine at hand. None of them enters a key: a result is the same, up to the last bits."""

from typing import Literal

from pydantic import Field

from seq2seq.settings.section import Section


class RuntimeSettings(Section):
    """Where and how fast the work is done."""

    threads: int = Field(0, ge=0, le=1024, description="Threads of tensor operations; 0: one per usable core.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a CUDA device where there is one.")
    log_every_seconds: float = Field(5.0, gt=0, description="Seconds between two progress messages.")
    checkpoint_every_seconds: float = Field(30.0, ge=0, description="Seconds between two checkpoints.")
    max_step_minutes: float = Field(
        0.0, ge=0, description="A step that takes longer fails; the same command resumes it. 0: no limit."
    )
