"""What is distributed."""

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
