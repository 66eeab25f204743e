"""Tests of locks between processes."""

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


def test_a_killed_process_releases_its_lock(tmp_path: Path) -> None:
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


def test_a_directory_can_be_locked(tmp_path: Path) -> None:
    with lock(tmp_path, "x"), pytest.raises(TryAgainError), lock(tmp_path, "x"):
        pass


def test_an_error_inside_the_block_is_raised_unchanged(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), lock(tmp_path / "lock", "x"):
        raise BlockingIOError


def test_the_holder_may_delete_the_file(tmp_path: Path) -> None:
    """A thread that waited for the deleted file must lock the new file instead."""
    file = tmp_path / "lock"
    holders, max_holders = [0], [0]

    def lock_repeatedly() -> None:
        for _ in range(50):
            with lock(file, "x", wait_seconds=30):
                holders[0] += 1
                max_holders[0] = max(max_holders[0], holders[0])
                holders[0] -= 1
                # Deleting the file lets the next thread lock a new one.
                file.unlink()

    threads = [threading.Thread(target=lock_repeatedly) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max_holders == [1]
    assert not file.exists()
