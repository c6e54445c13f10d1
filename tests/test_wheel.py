"""What is distributed."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names of the files in the wheel, built from a copy of what belongs into it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("seq2seq", "tasks", "flows", "pyproject.toml", "README.md"):
        if (CHECKOUT / name).exists():
            (source / name).symlink_to(CHECKOUT / name)
    build = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    subprocess.run([sys.executable, *build, "--wheel-dir", str(folder), str(source)], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_holds_the_library_and_nothing_else(names: list[str]) -> None:
    packages = {name.split("/")[0] for name in names if ".dist-info/" not in name}

    assert packages == {"seq2seq"}


def test_the_wheel_holds_every_module_the_presets_and_the_mark_of_typed_packages(names: list[str]) -> None:
    library = CHECKOUT / "seq2seq"
    wanted = {
        str(path.relative_to(CHECKOUT)) for pattern in ("*.py", "*.toml", "py.typed") for path in library.rglob(pattern)
    }

    assert wanted <= set(names)


def test_a_program_that_uses_the_library_can_check_its_types(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "from seq2seq.config import Config\n"
        "from seq2seq.settings.runtime import RuntimeSettings\n"
        "config, runtime = Config(name='mine'), RuntimeSettings(threads=2)\n",
        encoding="utf-8",
    )
    options = ("--strict", "--config-file=", "--follow-imports=silent", "--cache-dir=cache")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "program.py"],
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
    )

    assert checked.returncode == 0, checked.stdout
