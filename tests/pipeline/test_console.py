"""The progress table on a terminal and in a file, and the redirection of output to the log."""

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
from pipeline.console import ProgressTable, redirect_to_log

PROJECT = Path(__file__).resolve().parents[2]


class Clock:
    """A clock whose time a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fixed = Clock()
    monkeypatch.setattr(console, "monotonic", fixed)
    return fixed


def table_in_file() -> tuple[ProgressTable, io.StringIO]:
    """Make a progress table that writes to a file."""
    screen = io.StringIO()
    return ProgressTable(Console(file=screen, width=80)), screen


def table_on_terminal(height: int = 24, width: int = 80) -> tuple[ProgressTable, io.StringIO]:
    """Make a progress table on a terminal."""
    screen = io.StringIO()
    return ProgressTable(
        Console(file=screen, force_terminal=True, width=width, height=height)
    ), screen


def final_lines(screen: io.StringIO) -> list[str]:
    """Return the lines after the last control sequence that erases a line."""
    text = re.split(r"\x1b\[2K|\x1b\[\?25h", screen.getvalue())[-1]
    without_styles = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return [line.rstrip() for line in without_styles.splitlines() if line.strip()]


def count_open_files() -> int:
    """Count the file descriptors of this process."""
    return len(list(Path("/dev/fd").iterdir()))


class TestRedirectToLog:
    def test_output_of_c_libraries_goes_to_the_log(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        log = tmp_path / "logs" / "run.log"
        with redirect_to_log(log) as screen:
            os.write(1, b"from C, standard output\n")
            os.write(2, b"from C, standard error\n")
            subprocess.run(["/bin/sh", "-c", "echo from a process; echo its error >&2"], check=True)
            logging.getLogger("another.library").info("a message")
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
        assert re.fullmatch(r"\d{4}-\S+ \S+ INFO another\.library: a message", lines[4])
        assert len(lines) == 5

    def test_output_of_python_goes_to_the_log(self, tmp_path: Path) -> None:
        code = (
            "import sys, warnings; from pathlib import Path\n"
            "from pipeline.console import redirect_to_log\n"
            f"with redirect_to_log(Path({str(tmp_path / 'log')!r})) as screen:\n"
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

    def test_an_error_restores_output_and_logging(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        root = logging.getLogger()
        before = root.handlers[:], root.level, count_open_files()
        with pytest.raises(ZeroDivisionError), redirect_to_log(tmp_path / "log"):
            raise ZeroDivisionError
        assert (root.handlers, root.level, count_open_files()) == before
        os.write(1, b"after\n")
        assert capfd.readouterr().out == "after\n"

    @pytest.mark.parametrize("redirection", ["| sleep 0", "> /dev/full", ">&-", "> /dev/full 2>&-"])
    def test_messages_that_cannot_be_shown_go_to_the_log(
        self, tmp_path: Path, redirection: str
    ) -> None:
        log = tmp_path / "log"
        code = (
            "import time; from pathlib import Path; from rich.console import Console\n"
            "from pipeline.console import ProgressTable, redirect_to_log\n"
            "from schema import command\n"
            "def work():\n"
            f"    with redirect_to_log(Path({str(log)!r})) as screen:\n"
            "        time.sleep(0.2)\n"
            "        table = ProgressTable(Console(file=screen))\n"
            "        with table.live():\n"
            "            for name in ('Transform', 'Trainer'):\n"
            "                table.start_step(name)\n"
            "                table.end_step('done', '')\n"
            "        print('printed')\n"
            "        return 3\n"
            "raise SystemExit(command.run(work))\n"
        )
        shell = f'"$0" -c "$1" {redirection}; exit ${{PIPESTATUS[0]}}'
        done = subprocess.run(
            ["bash", "-c", shell, sys.executable, code],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
        shown = [] if ">&-" in redirection.split() else ["Transform", "Trainer"]
        words = [line.split()[0] for line in log.read_text().splitlines()]
        assert words == [*shown, "printed"]

    def test_a_second_run_appends_to_the_log(self, tmp_path: Path) -> None:
        for word in (b"one\n", b"two\n"):
            with redirect_to_log(tmp_path / "log"):
                os.write(1, word)
        assert (tmp_path / "log").read_text() == "one\ntwo\n"


class TestProgressTableInAFile:
    def test_one_line_per_ended_node(self, clock: Clock) -> None:
        table, screen = table_in_file()
        with table.live():
            table.start_step("CsvExampleGen")
            clock.now = 4.04
            table.end_step("done", "974 train, 118 eval, 115 test")
            table.start_step("LastAcceptedStatistics")
            table.end_step("cached", "")
            table.start_step("Trainer")
            clock.now += 185.2
            table.end_step("failed", "")
            table.start_step("Evaluator")
            table.update_step("batch 3")
            table.stop_step(interrupted=True)
            table.stop_step(interrupted=False)
        assert screen.getvalue() == (
            "CsvExampleGen           done       4.0s  974 train, 118 eval, 115 test\n"
            "LastAcceptedStatistics  cached     0.0s\n"
            "Trainer                 failed    3m05s\n"
            "Evaluator               interrupted    0.0s  batch 3\n"
        )

    def test_messages_of_our_packages_are_printed(self, clock: Clock) -> None:
        table, screen = table_in_file()
        logger = logging.getLogger("trainer.run")
        logger.setLevel(logging.INFO)
        with table.live():
            logger.info("before any node")
            table.start_step("Trainer")
            clock.now = 12.0
            logger.info("epoch %d of %d: loss %.2f, and [brackets] that are no markup", 1, 8, 0.5)
            clock.now += console.MIN_SECONDS_BETWEEN_MESSAGES
            logger.info("")
            logging.getLogger("absl").info("from another library")
            table.update_step("a third")
            table.end_step("done", "8 epochs")
            logger.info("between nodes")
        logger.info("after the run")
        assert screen.getvalue() == (
            "Trainer                 …           12s  epoch 1 of 8: loss 0.50, "
            "and [brackets] that are no markup\n"
            "Trainer                 …           32s\n"
            "Trainer                 done        32s  8 epochs\n"
        )

    def test_messages_that_come_too_soon_are_not_printed(self, clock: Clock) -> None:
        table, screen = table_in_file()
        logger = logging.getLogger("trainer.ensemble.trees")
        logger.setLevel(logging.INFO)
        with table.live():
            table.start_step("Trainer")
            for genre in range(1, 6):
                logger.info("trees of genre %d", genre)
                clock.now += console.MIN_SECONDS_BETWEEN_MESSAGES * 0.4
            logger.warning("a genre has no movies")
        assert screen.getvalue() == (
            "Trainer                 …          0.0s  trees of genre 1\n"
            "Trainer                 …           24s  trees of genre 4\n"
            "Trainer                 …           40s  a genre has no movies\n"
        )

    def test_a_long_line_stays_one_line(self) -> None:
        table, screen = table_in_file()
        with table.live():
            table.start_step("ingest")
            table.end_step("done", "word " * 40)
        assert len(screen.getvalue().splitlines()) == 1


class TestProgressTableOnATerminal:
    def test_the_final_table_fits_80_columns(self, clock: Clock) -> None:
        table, screen = table_on_terminal()
        with table.live():
            table.start_step("ingest")
            clock.now = 0.4
            table.end_step("done", "56,503 movies of 56,503 titles (0 dropped, 0 lines rejected)")
            table.start_step("LastAcceptedStatistics")
            table.end_step("cached", "")
            table.start_step("Trainer")
            clock.now = 100.4
            table.end_step("failed", "")
        assert final_lines(screen) == [
            "ingest                  done      0.4s  56,503 movies of 56,503 titles (0",
            "                                        dropped, 0 lines rejected)",
            "LastAcceptedStatistics  cached    0.0s",
            "Trainer                 failed   1m40s",
        ]

    def test_an_interrupted_step_is_not_a_failed_one(self, clock: Clock) -> None:
        table, screen = table_on_terminal()
        with table.live():
            table.start_step("Trainer")
            table.update_step("epoch 1 of 8")
            table.stop_step(interrupted=True)
        assert final_lines(screen) == ["Trainer                 interrupted   0.0s  epoch 1 of 8"]

    def test_the_running_step_shows_its_last_message(self, clock: Clock) -> None:
        table, screen = table_on_terminal()
        logger = logging.getLogger("trainer.run")
        logger.setLevel(logging.INFO)
        table.start_step("Transform")
        table.end_step("done", "")
        table.start_step("Trainer")
        clock.now = 7.0
        with table.live():
            logger.info("epoch 1 of 8\nwith more below")
        row = final_lines(screen)[-1]
        assert re.fullmatch(r"Trainer +\S +7\.0s  epoch 1 of 8", row)
        table.update_step("epoch [2]")
        table.console.print(table._render_latest())
        assert final_lines(screen)[-1].endswith("7.0s  epoch [2]")

    def test_a_warning_stays_on_screen(self) -> None:
        table, screen = table_on_terminal()
        logger = logging.getLogger("ingest.join")
        logger.setLevel(logging.INFO)
        with table.live():
            table.start_step("ingest")
            logger.info("a format")
            logger.warning("a genre has no movies")
            table.end_step("done", "300 movies")
        assert screen.getvalue().count("a genre has no movies\n") == 1
        assert "a format\n" not in screen.getvalue()
        assert final_lines(screen) == ["ingest                  done      0.0s  300 movies"]

    def test_a_small_terminal_shows_the_latest_rows_until_the_end(self) -> None:
        table, screen = table_on_terminal(height=12)
        names = [f"Node{number}" for number in range(20)]
        with table.live():
            for name in names:
                table.start_step(name)
                table.end_step("done", "")
            height = 12 - console.RESERVED_LINES
            shown = Console(file=io.StringIO(), width=80)
            shown.print(table._render_latest())
            lines = shown.file.getvalue().splitlines()
            assert [line.split()[0] for line in lines] == names[-height:]
        assert [line.split()[0] for line in final_lines(screen)] == names

    def test_output_of_libraries_does_not_reach_the_table(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        table, screen = table_on_terminal()
        with table.live():
            table.start_step("Trainer")
            print("Search space summary")
            print("a warning", file=sys.stderr)
            table.end_step("done", "")
        assert capsys.readouterr() == ("Search space summary\n", "a warning\n")
        assert "Search space" not in screen.getvalue()
        assert "a warning" not in screen.getvalue()

    def test_an_error_keeps_the_table_on_screen(self) -> None:
        table, screen = table_on_terminal()
        table.start_step("Trainer")
        table.end_step("failed", "")
        with pytest.raises(ZeroDivisionError), table.live():
            raise ZeroDivisionError
        assert final_lines(screen) == ["Trainer                 failed    0.0s"]
