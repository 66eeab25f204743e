"""Locks between processes."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from schema.errors import ExitStatus, TryAgainError
from schema.files import lock

HOLD = """
import sys
from pathlib import Path
from schema.files import lock
with lock(Path(sys.argv[1]), "held"):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        with pytest.raises(TryAgainError, match="it is busy") as refusal, lock(file, "it is busy"):
            pass
        assert refusal.value.exit_status == ExitStatus.TRY_AGAIN == 75
        process.kill()
    with lock(file, "it is busy"):
        pass


def test_a_folder_can_be_locked(tmp_path: Path) -> None:
    with lock(tmp_path, "x"), pytest.raises(TryAgainError), lock(tmp_path, "x"):
        pass


def test_an_error_inside_the_block_is_the_callers_own(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), lock(tmp_path / "lock", "x"):
        raise BlockingIOError


def test_the_file_may_be_deleted_by_the_process_that_holds_it(tmp_path: Path) -> None:
    """One that waited for the deleted file must lock the new one, not the file that is gone."""
    file = tmp_path / "lock"
    inside, most = [0], [0]

    def work() -> None:
        for _ in range(50):
            with lock(file, "x", wait_seconds=30):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1
                # Deleting the file lets the next one in.
                file.unlink()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert not file.exists()
