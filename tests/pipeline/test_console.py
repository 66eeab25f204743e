"""What a person sees of a run, on a terminal and elsewhere, and what goes to the log instead."""

import io
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from pipeline import console
from pipeline.console import Board, quiet

PROJECT = Path(__file__).resolve().parents[2]


class Clock:
    """Stands in for the clock: time passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fixed = Clock()
    monkeypatch.setattr(console, "monotonic", fixed)
    return fixed


def plain() -> tuple[Board, io.StringIO]:
    """A board that writes to a file."""
    screen = io.StringIO()
    return Board(Console(file=screen, width=80)), screen


def terminal(height: int = 24, width: int = 80) -> tuple[Board, io.StringIO]:
    """A board on a terminal."""
    screen = io.StringIO()
    return Board(Console(file=screen, force_terminal=True, width=width, height=height)), screen


def left_standing(screen: io.StringIO) -> list[str]:
    """The lines behind the last control sequence that erases one."""
    text = re.split(r"\x1b\[2K|\x1b\[\?25h", screen.getvalue())[-1]
    without_styles = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return [line.rstrip() for line in without_styles.splitlines() if line.strip()]


def open_files() -> int:
    """Descriptors of this process."""
    return len(list(Path("/dev/fd").iterdir()))


class TestQuiet:
    def test_what_c_libraries_print_goes_to_the_log(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        log = tmp_path / "logs" / "run.log"
        with quiet(log) as screen:
            os.write(1, b"from C, standard output\n")
            os.write(2, b"from C, standard error\n")
            subprocess.run(["/bin/sh", "-c", "echo from a process; echo its error >&2"], check=True)
            logging.getLogger("somebody.else").info("a message")
            screen.write("for people\n")
        os.write(1, b"after\n")
        os.write(2, b"error after\n")
        assert capfd.readouterr() == ("for people\nafter\n", "error after\n")
        lines = log.read_text().splitlines()
        assert lines[:4] == [
            "from C, standard output",
            "from C, standard error",
            "from a process",
            "its error",
        ]
        assert re.fullmatch(r"\d{4}-\S+ \S+ INFO somebody\.else: a message", lines[4])
        assert len(lines) == 5

    def test_what_python_prints_goes_to_the_log(self, tmp_path: Path) -> None:
        code = (
            "import sys, warnings; from pathlib import Path; from pipeline.console import quiet\n"
            f"with quiet(Path({str(tmp_path / 'log')!r})) as screen:\n"
            "    print('printed'); warnings.warn('look out')\n"
            "    print('for people', file=screen)\n"
            "print('after')\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
        )
        assert (done.stdout, done.stderr) == ("for people\nafter\n", "")
        log = (tmp_path / "log").read_text()
        assert "printed\n" in log
        assert "UserWarning: look out" in log

    def test_all_is_as_before_after_an_error(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        root = logging.getLogger()
        before = root.handlers[:], root.level, open_files()
        with pytest.raises(ZeroDivisionError), quiet(tmp_path / "log"):
            raise ZeroDivisionError
        assert (root.handlers, root.level, open_files()) == before
        os.write(1, b"heard\n")
        assert capfd.readouterr().out == "heard\n"

    def test_a_second_run_is_added_to_the_same_log(self, tmp_path: Path) -> None:
        for word in (b"one\n", b"two\n"):
            with quiet(tmp_path / "log"):
                os.write(1, word)
        assert (tmp_path / "log").read_text() == "one\ntwo\n"


class TestBoardInAFile:
    def test_a_line_a_node_when_it_has_ended(self, clock: Clock) -> None:
        board, screen = plain()
        with board.shown():
            board.begin("CsvExampleGen")
            clock.now = 4.04
            board.end("done", "974 train, 118 eval, 115 test")
            board.begin("LastAcceptedStatistics")
            board.end("cached", "")
            board.begin("Trainer")
            clock.now += 185.2
            board.end("failed", "")
        assert screen.getvalue() == (
            "CsvExampleGen           done       4.0s  974 train, 118 eval, 115 test\n"
            "LastAcceptedStatistics  cached     0.0s\n"
            "Trainer                 failed    3m05s\n"
        )

    def test_a_line_a_message_of_ours(self, clock: Clock) -> None:
        board, screen = plain()
        logger = logging.getLogger("trainer.run")
        logger.setLevel(logging.INFO)
        with board.shown():
            logger.info("before any node")
            board.begin("Trainer")
            clock.now = 12.0
            logger.info("epoch %d of %d: loss %.2f, and [brackets] that are no markup", 1, 8, 0.5)
            clock.now += console.SECONDS_A_LINE
            logger.info("")
            logging.getLogger("absl").info("of somebody else")
            board.progress("a third")
            board.end("done", "8 epochs")
            logger.info("between nodes")
        logger.info("after the run")
        assert screen.getvalue() == (
            "Trainer                 …           12s  epoch 1 of 8: loss 0.50, "
            "and [brackets] that are no markup\n"
            "Trainer                 …           32s\n"
            "Trainer                 done        32s  8 epochs\n"
        )

    def test_messages_that_follow_soon_are_in_the_log_alone(self, clock: Clock) -> None:
        board, screen = plain()
        logger = logging.getLogger("trainer.ensemble.trees")
        logger.setLevel(logging.INFO)
        with board.shown():
            board.begin("Trainer")
            for genre in range(1, 6):
                logger.info("trees of genre %d", genre)
                clock.now += console.SECONDS_A_LINE * 0.4
            logger.warning("a genre has no movies")
        assert screen.getvalue() == (
            "Trainer                 …          0.0s  trees of genre 1\n"
            "Trainer                 …           24s  trees of genre 4\n"
            "Trainer                 …           40s  a genre has no movies\n"
        )

    def test_a_long_line_stays_one_line(self) -> None:
        board, screen = plain()
        with board.shown():
            board.begin("ingest")
            board.end("done", "word " * 40)
        assert len(screen.getvalue().splitlines()) == 1


class TestBoardOnATerminal:
    def test_all_rows_stand_in_the_end_in_80_columns(self, clock: Clock) -> None:
        board, screen = terminal()
        with board.shown():
            board.begin("ingest")
            clock.now = 0.4
            board.end("done", "56,503 movies of 56,503 titles (0 dropped, 0 lines rejected)")
            board.begin("LastAcceptedStatistics")
            board.end("cached", "")
            board.begin("Trainer")
            clock.now = 100.4
            board.end("failed", "")
        assert left_standing(screen) == [
            "ingest                  done      0.4s  56,503 movies of 56,503 titles (0",
            "                                        dropped, 0 lines rejected)",
            "LastAcceptedStatistics  cached    0.0s",
            "Trainer                 failed   1m40s",
        ]

    def test_what_runs_shows_its_last_message(self, clock: Clock) -> None:
        board, screen = terminal()
        logger = logging.getLogger("trainer.run")
        logger.setLevel(logging.INFO)
        board.begin("Transform")
        board.end("done", "")
        board.begin("Trainer")
        clock.now = 7.0
        with board.shown():
            logger.info("epoch 1 of 8\nwith more below")
        row = left_standing(screen)[-1]
        assert re.fullmatch(r"Trainer +\S +7\.0s  epoch 1 of 8", row)
        board.progress("epoch [2]")
        board.console.print(board._latest())
        assert left_standing(screen)[-1].endswith("7.0s  epoch [2]")

    def test_a_low_terminal_shows_the_latest_rows_and_then_all(self) -> None:
        board, screen = terminal(height=12)
        names = [f"Node{number}" for number in range(20)]
        with board.shown():
            for name in names:
                board.begin(name)
                board.end("done", "")
            room = 12 - console.ROOM_FOR_LONG_WORDS
            shown = Console(file=io.StringIO(), width=80)
            shown.print(board._latest())
            lines = shown.file.getvalue().splitlines()
            assert [line.split()[0] for line in lines] == names[-room:]
        assert [line.split()[0] for line in left_standing(screen)] == names

    def test_libraries_cannot_write_over_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        board, screen = terminal()
        with board.shown():
            board.begin("Trainer")
            print("Search space summary")
            print("a warning", file=sys.stderr)
            board.end("done", "")
        assert capsys.readouterr() == ("Search space summary\n", "a warning\n")
        assert "Search space" not in screen.getvalue()
        assert "a warning" not in screen.getvalue()

    def test_an_error_leaves_the_table_standing(self) -> None:
        board, screen = terminal()
        board.begin("Trainer")
        board.end("failed", "")
        with pytest.raises(ZeroDivisionError), board.shown():
            raise ZeroDivisionError
        assert left_standing(screen) == ["Trainer                 failed    0.0s"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0, "0.0s"), (9.94, "9.9s"), (9.96, "10s"), (99.4, "99s"), (99.6, "1m40s"), (605, "10m05s")],
)
def test_seconds_as_people_read_them(seconds: float, shown: str) -> None:
    assert console._clock(seconds) == shown
