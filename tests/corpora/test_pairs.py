import subprocess
import sys
from pathlib import Path

from seq2seq.corpora.pairs import pairs_of, read_pairs, write_pairs


def test_pairs_come_back_as_they_were_written_with_equal_bytes_for_equal_pairs(tmp_path: Path) -> None:
    pairs = pairs_of("de", "en", ["eins zwei", ""], ["one two", "three"])
    for name in ("first", "second"):
        write_pairs(tmp_path / name, pairs)
        pairs = read_pairs(tmp_path / name)

    assert (pairs.source_language, pairs.target_language) == ("de", "en")
    assert pairs.texts("source") == ["eins zwei", ""]
    assert pairs.frame["target"].tolist() == ["one two", "three"]
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_what_a_training_reads_pairs_with_does_without_pandas(tmp_path: Path) -> None:
    write_pairs(tmp_path / "valid.arrow", pairs_of("de", "en", ["eins"], ["one"]))
    program = (
        "import sys; from pathlib import Path; import seq2seq.training.loop as loop; "
        "texts = loop.read_pairs(Path(sys.argv[1])).texts('target'); "
        "sys.exit(0 if texts == ['one'] and 'pandas' not in sys.modules else 'pandas is imported')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "valid.arrow")], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
