"""Pushes are atomic, version numbers only increase, and rolled-back models stay rolled back."""

import fcntl
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.pusher import versions
from components.pusher.decision import PushResult, PushStatus
from components.pusher.versions import Rollback, push, rollback
from schema import manifest
from schema.errors import TryAgainError, UserError

ROOT = Path(__file__).resolve().parents[3]


def make_model(directory: Path, seed: int, kilobytes: int = 4, files: int = 2) -> Path:
    """Create a directory that looks like a SavedModel, with contents that depend on the seed."""
    contents = random.Random(seed)
    for name in ["saved_model.pb", "fingerprint.pb", "assets/plot_words"] + [
        f"variables/variables.data-{i:05d}-of-{files:05d}" for i in range(files)
    ]:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents.randbytes(kilobytes * 1024))
    manifest.write(directory)
    return directory


def content_digest(directory: Path) -> str:
    """Return the digest of the files of a directory, whatever its manifest says."""
    return manifest.describe(directory).digest


@pytest.fixture
def model(tmp_path: Path) -> Callable[[int], Path]:
    """Return a function that creates the model of a number, or returns the existing one."""

    def get(number: int) -> Path:
        directory = tmp_path / "models" / str(number)
        return directory if directory.exists() else make_model(directory, number)

    return get


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "serving" / "movie_genres"


def fixed_clock(seconds: float) -> Callable[[], float]:
    return lambda: seconds


def file_names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_version_is_byte_for_byte_the_model(model: Callable[[int], Path], base: Path) -> None:
    result = push(model(1), base, clock=fixed_clock(1700000000.9))
    assert result == PushResult(PushStatus.PUSHED, 1700000000)
    version = base / "1700000000"
    compared = subprocess.run(["diff", "-r", model(1), version], capture_output=True, check=False)
    assert (compared.returncode, compared.stdout) == (0, b"")
    assert versions.current(base) == 1700000000
    assert file_names(base) == [".lock", ".versions.json", "1700000000"]


def test_a_private_export_is_pushed_readable(model: Callable[[int], Path], base: Path) -> None:
    source = model(1)
    (source / "saved_model.pb").chmod(0o600)
    source.chmod(0o700)
    mask = os.umask(0o022)
    try:
        push(source, base, clock=fixed_clock(5))
    finally:
        os.umask(mask)
    assert stat.S_IMODE((base / "5").stat().st_mode) == 0o755
    assert stat.S_IMODE((base / "5" / "saved_model.pb").stat().st_mode) == 0o644


def test_pushing_the_same_model_again_adds_nothing(
    model: Callable[[int], Path], base: Path, tmp_path: Path
) -> None:
    push(model(1), base, clock=fixed_clock(100))
    before = (base / "100").stat()

    again = shutil.copytree(model(1), tmp_path / "exported again")
    assert push(again, base, clock=fixed_clock(200)) == PushResult(PushStatus.UNCHANGED, 100)

    assert list(versions.served(base)) == [100]
    assert (base / "100").stat().st_mtime_ns == before.st_mtime_ns


def test_a_model_that_was_current_earlier_is_a_new_version(
    model: Callable[[int], Path], base: Path
) -> None:
    for number, second in ((1, 100), (2, 200), (1, 300)):
        push(model(number), base, clock=fixed_clock(second))
    assert list(versions.served(base)) == [100, 200, 300]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path: Path) -> None:
    """Change one bit, and keep the size and the modification time."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


VARIABLES = "variables/variables.data-00000-of-00002"
DAMAGES = [
    ("saved_model.pb", Path.unlink, "saved_model.pb is missing"),
    ("assets/plot_words", cut, "assets/plot_words has changed"),
    (VARIABLES, flip_a_bit, f"{VARIABLES} has changed"),
    ("assets/more", Path.touch, "assets/more has been added"),
    ("assets.extra/manifest.json", cut, "assets.extra/manifest.json is damaged"),
]
"""A file, its damage, and the description of the damage."""

damaged = pytest.mark.parametrize(
    ("name", "damage", "description"), DAMAGES, ids=[name for name, *_ in DAMAGES]
)


@damaged
def test_a_damaged_current_version_is_replaced(
    name: str,
    damage: Callable[[Path], None],
    description: str,
    model: Callable[[int], Path],
    base: Path,
) -> None:
    push(model(1), base, token="first", clock=fixed_clock(100))
    assert versions.faults(base) == []
    damage(base / "100" / name)
    assert versions.faults(base) == [f"{base}/100, which is served, is damaged: {description}"]
    # The Pusher does not come from the cache.
    assert versions.destination_token(base) != "first"
    assert push(model(1), base, clock=fixed_clock(200)) == PushResult(PushStatus.PUSHED, 200)


@damaged
def test_a_model_that_was_damaged_after_the_verdict_is_not_pushed(
    name: str,
    damage: Callable[[Path], None],
    description: str,
    model: Callable[[int], Path],
    base: Path,
) -> None:
    judged = content_digest(model(1))
    damage(model(1) / name)
    with pytest.raises(UserError) as error:
        push(model(1), base, model_digest=judged)
    assert str(error.value) == (
        f"{model(1)}: the model is not the one that was judged: {description}. Train it again "
        "(--from Trainer)"
    )
    assert not base.exists()


def test_another_model_than_the_judged_one_is_not_pushed(
    model: Callable[[int], Path], base: Path
) -> None:
    with pytest.raises(UserError, match="not the one that was judged: the verdict is on a model"):
        push(model(1), base, model_digest=content_digest(model(2)))
    assert push(model(1), base, model_digest=content_digest(model(1))).status is PushStatus.PUSHED


def test_the_archive_is_complete_before_a_version_is_added(
    model: Callable[[int], Path], base: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"\. There is no version yet\. "):
        push(model(1), base, archive=tmp_path / "file" / "archive")
    assert file_names(base) == [".lock"]
    assert push(model(1), base, archive=tmp_path / "archive").status is PushStatus.PUSHED
    assert content_digest(tmp_path / "archive") == content_digest(model(1))


@pytest.mark.parametrize(
    ("change", "action", "now"),
    [
        (lambda model, base: push(model, base, clock=fixed_clock(30)), "push to", 30),
        (lambda _, base: rollback(base), "roll back", 10),
    ],
    ids=["push", "rollback"],
)
def test_a_change_that_cannot_be_flushed_says_which_version_is_current(
    change: Callable[[Path, Path], object],
    action: str,
    now: int,
    model: Callable[[int], Path],
    base: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    push(model(1), base, clock=fixed_clock(10))
    push(model(2), base, clock=fixed_clock(20))
    source, rename = model(3), Path.replace

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    def rename_on_a_failing_disk(path: Path, target: Path) -> Path:
        if target.name in ("20", "30"):
            monkeypatch.setattr(os, "fsync", fail)
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", rename_on_a_failing_disk)
    with pytest.raises(UserError) as error:
        change(source, base)
    assert str(error.value).startswith(f"cannot {action} {base}: Input/output error ({base}")
    assert (
        f"). The current version is {now} now, no longer 20, but the change may be lost if the "
        "machine stops. Fix the cause"
    ) in str(error.value)


@damaged
def test_a_damaged_version_is_not_rolled_back_to(
    name: str,
    damage: Callable[[Path], None],
    description: str,
    model: Callable[[int], Path],
    base: Path,
) -> None:
    for number in (1, 2, 3):
        push(model(number), base, clock=fixed_clock(number))
    damage(base / "2" / name)
    with pytest.raises(UserError) as error:
        rollback(base)
    assert str(error.value) == (
        f"{base}/2 is damaged: {description}. Name another version with --to, or push a model with "
        "`ordained run`"
    )
    assert versions.current(base) == 3
    assert rollback(base, to=1) == Rollback(3, 1)


def test_versions_and_the_state_of_earlier_releases_are_used(
    model: Callable[[int], Path], base: Path
) -> None:
    """Versions had no manifest, and the state file had other digests."""
    for path in (base / "10", base / "20", base / ".rolled_back" / "30"):
        make_model(path, int(path.name))
        (path / "assets.extra" / "manifest.json").unlink()
    old = {"highest": 30, "rolled_back": {"ab" * 32: 30}, "token": "old", "token_current": 20}
    (base / ".versions.json").write_text(json.dumps(old))

    assert versions.destination_token(base) == "old"
    assert versions.faults(base) == [
        f"{base}/20 has no manifest, so that nothing shows whether its files are complete"
    ]
    assert rollback(base) == Rollback(20, 10, has_manifest=False)
    assert rollback(base, to=30) == Rollback(10, 30, has_manifest=False)
    state = json.loads((base / ".versions.json").read_text())
    assert state["rolled_back"] == {content_digest(base / ".rolled_back" / "20"): 20}
    assert push(model(1), base, clock=fixed_clock(5)) == PushResult(PushStatus.PUSHED, 31)
    assert rollback(base) == Rollback(31, 30, has_manifest=False)
    (base / "30" / "saved_model.pb").unlink()
    with pytest.raises(UserError, match="30 is damaged: saved_model"):
        rollback(base, to=30)


def test_versions_increase_when_the_clock_goes_back_or_stands_still(
    model: Callable[[int], Path], base: Path
) -> None:
    seconds = [1000, 500, 1000, 1002, 0, 5000]
    pushes = [push(model(i), base, clock=fixed_clock(second)) for i, second in enumerate(seconds)]
    assert [push.version for push in pushes] == [1000, 1001, 1002, 1003, 1004, 5000]


def test_a_version_number_is_never_used_twice(model: Callable[[int], Path], base: Path) -> None:
    push(model(1), base, clock=fixed_clock(1000))
    shutil.rmtree(base / "1000")
    assert push(model(1), base, clock=fixed_clock(900)).version == 1001

    push(model(2), base, clock=fixed_clock(900))
    rollback(base)
    shutil.rmtree(base / ".rolled_back")
    assert push(model(3), base, clock=fixed_clock(900)).version == 1003


def test_numbers_of_foreign_files_are_not_used(model: Callable[[int], Path], base: Path) -> None:
    make_model(base / "0007", seed=7)
    assert push(model(1), base, clock=fixed_clock(3)).version == 8
    (base / "40").write_text("a file of somebody")
    assert push(model(2), base, clock=fixed_clock(3)).version == 41


def test_names_that_tensorflow_serving_ignores_are_no_versions(base: Path) -> None:
    for name in ("12a", "-5", "1.5", "٣", ".staging-7", str(2**63), "tmp"):
        (base / name).mkdir(parents=True)
    (base / str(2**63 - 1)).mkdir()
    (base / "3").write_text("a file")
    assert list(versions.served(base)) == [2**63 - 1]


def test_old_versions_are_kept_to_the_set_number(model: Callable[[int], Path], base: Path) -> None:
    for number in range(1, 7):
        push(model(number), base, keep_old=2, clock=fixed_clock(number * 10))
    assert list(versions.served(base)) == [40, 50, 60]

    push(model(6), base, keep_old=1, clock=fixed_clock(70))
    assert list(versions.served(base)) == [50, 60]
    assert file_names(base) == [".lock", ".versions.json", "50", "60"]


def test_rolled_back_versions_are_kept_to_the_same_number(
    model: Callable[[int], Path], base: Path
) -> None:
    push(model(0), base, clock=fixed_clock(1))
    for number in range(1, 5):
        push(model(number), base, keep_old=1, clock=fixed_clock(number * 10))
        rollback(base)
    assert list(versions.rolled_back(base)) == [30, 40]
    push(model(9), base, keep_old=1, clock=fixed_clock(50))
    assert list(versions.rolled_back(base)) == [40]
    assert push(model(1), base, clock=fixed_clock(60)) == PushResult(PushStatus.ROLLED_BACK, 10)


def test_rollback_goes_to_the_version_before(model: Callable[[int], Path], base: Path) -> None:
    for number in (1, 2, 3):
        push(model(number), base, clock=fixed_clock(number))

    assert rollback(base) == Rollback(before=3, after=2)
    assert list(versions.served(base)) == [1, 2]
    assert list(versions.rolled_back(base)) == [3]
    assert content_digest(base / ".rolled_back" / "3") == content_digest(model(3))

    assert rollback(base) == Rollback(before=2, after=1)
    with pytest.raises(UserError) as error:
        rollback(base)
    assert str(error.value) == (
        f"{base} has no version before the current one. Served: 1; rolled back: 2, 3"
    )


def test_rollback_to_a_chosen_version_and_back_again(
    model: Callable[[int], Path], base: Path
) -> None:
    for number in (1, 2, 3, 4):
        push(model(number), base, clock=fixed_clock(number))

    assert rollback(base, to=2) == Rollback(4, 2)
    assert list(versions.served(base)) == [1, 2]
    assert rollback(base, to=2) == Rollback(2, 2)
    assert rollback(base, to=4) == Rollback(2, 4)
    assert list(versions.served(base)) == [1, 2, 4]
    assert list(versions.rolled_back(base)) == [3]
    assert push(model(4), base) == PushResult(PushStatus.UNCHANGED, 4)
    assert push(model(3), base) == PushResult(PushStatus.ROLLED_BACK, 3)

    with pytest.raises(UserError) as error:
        rollback(base, to=9)
    assert str(error.value) == f"{base} has no version 9. Served: 1, 2, 4; rolled back: 3"


def test_a_rolled_back_model_is_pushed_again_only_with_push_again(
    model: Callable[[int], Path], base: Path
) -> None:
    push(model(1), base, clock=fixed_clock(10))
    push(model(2), base, clock=fixed_clock(20))
    rollback(base)

    assert push(model(2), base, clock=fixed_clock(30)) == PushResult(PushStatus.ROLLED_BACK, 20)
    assert list(versions.served(base)) == [10]
    assert push(model(1), base, clock=fixed_clock(30)) == PushResult(PushStatus.UNCHANGED, 10)

    assert push(model(2), base, push_again=True, clock=fixed_clock(30)) == PushResult(
        PushStatus.PUSHED, 30
    )
    push(model(3), base, clock=fixed_clock(40))
    assert push(model(2), base, clock=fixed_clock(50)) == PushResult(PushStatus.PUSHED, 50)


def test_a_new_model_after_a_rollback_gets_a_number_above_the_bad_one(
    model: Callable[[int], Path], base: Path
) -> None:
    push(model(1), base, clock=fixed_clock(10))
    push(model(2), base, clock=fixed_clock(20))
    rollback(base)
    assert push(model(3), base, clock=fixed_clock(15)) == PushResult(PushStatus.PUSHED, 21)
    assert list(versions.served(base)) == [10, 21]


def test_rollback_without_versions(base: Path) -> None:
    with pytest.raises(UserError) as error:
        rollback(base)
    assert str(error.value) == (
        f"{base} holds no version. Push a model first with `ordained run`, or name another output "
        "directory with --output."
    )
    assert not base.exists()


def test_the_token_is_valid_while_the_directory_is_as_the_push_left_it(
    model: Callable[[int], Path], base: Path
) -> None:
    first = versions.destination_token(base)
    assert first != versions.destination_token(base)
    assert not base.exists()

    push(model(1), base, token=first, clock=fixed_clock(10))
    assert versions.destination_token(base) == first

    second = "of the second push"
    push(model(2), base, token=second, clock=fixed_clock(20))
    assert versions.destination_token(base) == second

    rollback(base)
    assert versions.destination_token(base) not in (first, second)
    rollback(base, to=20)
    assert versions.destination_token(base) == second

    shutil.rmtree(base / "20")
    assert versions.destination_token(base) not in (first, second)
    shutil.rmtree(base)
    assert versions.destination_token(base) not in (first, second)


def test_the_token_of_a_push_without_a_new_version(
    model: Callable[[int], Path], base: Path
) -> None:
    versions.record_token(base, "refused")
    assert versions.destination_token(base) == "refused"
    push(model(1), base, token="pushed", clock=fixed_clock(10))
    push(model(1), base, token="unchanged", clock=fixed_clock(20))
    assert versions.destination_token(base) == "unchanged"
    push(model(2), base, token="pushed", clock=fixed_clock(30))
    rollback(base)
    push(model(2), base, token="rolled back", clock=fixed_clock(40))
    assert versions.destination_token(base) == "rolled back"


def test_everything_is_on_disk_before_it_is_visible(
    model: Callable[[int], Path], base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = model(1)
    synced: set[int] = set()
    at_rename: dict[str, set[int]] = {}
    rename, sync = Path.replace, os.fsync

    def record_sync(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        sync(descriptor)

    def record_rename(path: Path, target: Path) -> Path:
        at_rename[target.name] = set(synced)
        synced.clear()
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(Path, "replace", record_rename)
    push(source, base, clock=fixed_clock(10))

    whole = {path.stat().st_ino for path in [base / "10", *(base / "10").rglob("*")]}
    state = (base / ".versions.json").stat().st_ino
    assert at_rename == {".versions.json": whole | {state}, "10": {base.stat().st_ino}}
    assert synced == {base.stat().st_ino}


def test_a_directory_without_a_saved_model_is_refused(tmp_path: Path, base: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError) as error:
        push(tmp_path / "empty", base)
    assert str(error.value) == (
        f"{tmp_path / 'empty'}: the model is not the one that was exported: "
        "assets.extra/manifest.json is missing. Train it again (--from Trainer)"
    )
    assert not base.exists()


def test_keeping_no_old_version_is_refused(model: Callable[[int], Path], base: Path) -> None:
    with pytest.raises(UserError, match="keep_old should be at least 1"):
        push(model(1), base, keep_old=0)


@pytest.mark.parametrize("kind", ["pipe", "dangling link", "link to a directory"])
def test_a_model_contains_only_files_and_directories(
    kind: str, model: Callable[[int], Path], base: Path
) -> None:
    odd = model(1) / "odd"
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to("nowhere" if kind == "dangling link" else "variables")
    with pytest.raises(UserError) as error:
        push(model(1), base)
    assert str(error.value) == f"{odd} is neither a file nor a directory. Remove it from there"
    assert versions.served(base) == {}


def test_a_damaged_state_file_is_named(model: Callable[[int], Path], base: Path) -> None:
    push(model(1), base)
    (base / ".versions.json").write_text('{"highest":')
    with pytest.raises(UserError, match=r"\.versions\.json is damaged \(Expecting value"):
        push(model(2), base)
    (base / ".versions.json").write_text('{"lowest": 3}')
    with pytest.raises(UserError, match="is damaged"):
        versions.destination_token(base)


def test_a_lock_that_is_never_released_is_an_error(
    model: Callable[[int], Path], base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "LOCK_TIMEOUT_SECONDS", 0.2)
    base.mkdir(parents=True)
    with (base / ".lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TryAgainError, match="another process has been changing"):
            push(model(1), base)
        assert versions.served(base) == {}
    assert push(model(1), base).status is PushStatus.PUSHED


def run_script(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )


PUSH_WITH_SMALL_FILES_ONLY = """
import resource, sys
from pathlib import Path
from components.pusher.versions import push
from schema.errors import UserError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    push(Path(sys.argv[1]), Path(sys.argv[2]), clock=lambda: 20)
except UserError as error:
    print(f"error: {error}")
    sys.exit(2)
"""


def test_a_failed_write_leaves_nothing(
    model: Callable[[int], Path], base: Path, tmp_path: Path
) -> None:
    push(model(1), base, clock=fixed_clock(10))
    state = (base / ".versions.json").read_text()
    big = make_model(tmp_path / "big", seed=2, kilobytes=200)

    failed = run_script(PUSH_WITH_SMALL_FILES_ONLY, big, base)

    assert failed.returncode == 2, failed.stderr
    assert failed.stdout.startswith(f"error: cannot push to {base}: File too large (")
    assert file_names(base) == [".lock", ".versions.json", "10"]
    assert (base / ".versions.json").read_text() == state


PUSH_ON_A_SMALL_DISK = """
mount -t tmpfs -o size=300k tmpfs "$3" && "$1" -c '
import sys
from pathlib import Path
from components.pusher.versions import push
from schema.errors import TryAgainError
model, *directories = map(Path, sys.argv[1:])
base, archive = directories
try:
    push(model, base, archive=archive, clock=lambda: 20)
except TryAgainError as error:
    print(f"error: {error}")
print(sorted(path.name for path in base.iterdir()))
' "$2" "$4" "$5"
"""


@pytest.mark.parametrize("full", ["serving", "artifacts"])
def test_a_full_disk_is_named_and_leaves_nothing(full: str, tmp_path: Path) -> None:
    disk = tmp_path / full
    disk.mkdir()
    big = make_model(tmp_path / "big", seed=2, kilobytes=200)
    own_mounts = ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*own_mounts, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this system lets nobody mount a small disk of its own")
    base = tmp_path / "serving" / "movie_genres"
    archive = tmp_path / "artifacts" / "16"
    command = ["sh", "-c", PUSH_ON_A_SMALL_DISK, "sh", sys.executable, big, disk, base, archive]
    result = subprocess.run(
        [*own_mounts, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    directory = base if full == "serving" else archive.parent
    assert result.stdout.splitlines() == [
        f"error: cannot push to {base}: no space is left in {directory}. There is no version yet. "
        "Fix the cause (disk space, permissions), then try again",
        "['.lock']",
    ]


PUSH_WITHOUT_PERMISSION = """
import os, sys
from pathlib import Path
from components.pusher.versions import push
from schema.errors import UserError
if os.geteuid() == 0:
    os.setuid(65534)
try:
    push(Path(sys.argv[1]), Path(sys.argv[2]))
except UserError as error:
    print(f"error: {error}")
"""


def test_a_directory_without_permission_is_named() -> None:
    with tempfile.TemporaryDirectory() as directory:
        open_to_all = Path(directory)
        open_to_all.chmod(0o755)
        source = make_model(open_to_all / "model", seed=1)
        serving = open_to_all / "serving"
        serving.mkdir(mode=0o555)
        result = run_script(PUSH_WITHOUT_PERMISSION, source, serving / "movie_genres")
        serving.chmod(0o755)
        assert result.stdout == (
            f"error: cannot push to {serving}/movie_genres: Permission denied "
            f"({serving}/movie_genres). There is no version yet. Fix the cause (disk space, "
            "permissions), then try again\n"
        )
        assert file_names(serving) == []


KILL_AT_EVERY_LINE = """
import json, os, shutil, signal, sys
from pathlib import Path
from components.pusher import decision, versions
from components.pusher import state
from schema import files, manifest

start, directory = Path(sys.argv[1]), Path(sys.argv[2])
action = eval(sys.argv[3], {"versions": versions, "Path": Path})
os.fsync = lambda descriptor: None  # a killed process loses no page of the system's cache
traced = {module.__file__ for module in (versions, decision, state, files, shutil)}

def kill_at(line):
    seen = 0
    def on_line(frame, event, argument):
        nonlocal seen
        seen += event == "line"
        if seen == line:
            os.kill(os.getpid(), signal.SIGKILL)
        return on_line
    sys.settrace(lambda frame, *_: on_line if frame.f_code.co_filename in traced else None)

def listing(base):
    return {str(v): manifest.describe(path).digest for v, path in versions.served(base).items()}

line, killed = 0, True
while killed:
    line += 1
    base = directory / str(line)
    shutil.copytree(start, base)
    child = os.fork()
    if child == 0:
        kill_at(line)
        action(base)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or os.waitstatus_to_exitcode(status) == 0
    after_kill = listing(base)
    action(base)
    unfinished = (".staging", ".trash", "..versions")
    left = sorted(p.name for p in base.iterdir() if p.name.startswith(unfinished))
    print(json.dumps([killed, after_kill, listing(base), left]))
    shutil.rmtree(base)
"""

KilledRun = tuple[bool, dict[str, str], dict[str, str], list[str]]


def kill_at_every_line(start: Path, directory: Path, action: str) -> Iterator[KilledRun]:
    """Kill `action` with SIGKILL at its first line, its second, ... and run it again each time.

    Yields:
        Whether it was killed; digests of the versions visible after the kill; digests after the
        action was run again; names of other directories left after that.
    """
    result = run_script(KILL_AT_EVERY_LINE, start, directory, action)
    assert result.returncode == 0, result.stderr
    for line in result.stdout.splitlines():
        yield tuple(json.loads(line))


def test_a_push_killed_at_any_line_leaves_only_complete_versions(
    model: Callable[[int], Path], base: Path, tmp_path: Path
) -> None:
    push(model(1), base, clock=fixed_clock(1))
    push(model(2), base, clock=fixed_clock(2))
    digests = {n: content_digest(model(n)) for n in (1, 2, 3)}
    before = {"1": digests[1], "2": digests[2]}
    unpruned = {**before, "3": digests[3]}
    pruned = {"2": digests[2], "3": digests[3]}

    runs = list(
        kill_at_every_line(
            base,
            tmp_path / "killed",
            f"lambda base: versions.push(Path({str(model(3))!r}), base, keep_old=1, "
            "clock=lambda: 3)",
        )
    )

    assert [killed for killed, *_ in runs] == [True] * (len(runs) - 1) + [False]
    assert len(runs) > 200
    seen = [visible for _, visible, _, _ in runs]
    phases = [
        {frozenset(b.items()): n for n, b in enumerate([before, unpruned, pruned])}[
            frozenset(visible.items())
        ]
        for visible in seen
    ]
    assert phases == sorted(phases)
    assert set(phases) == {0, 1, 2}
    for _, _, finished, left in runs:
        # If the push was killed between writing the state and the rename, the next number is used.
        assert finished in (pruned, {"2": digests[2], "4": digests[3]})
        assert left == []


def test_a_rollback_killed_at_any_line_never_shows_a_version_between(
    model: Callable[[int], Path], base: Path, tmp_path: Path
) -> None:
    for number in (1, 2, 3, 4):
        push(model(number), base, clock=fixed_clock(number))
    digests = {str(n): content_digest(model(n)) for n in (1, 2, 3, 4)}

    runs = list(
        kill_at_every_line(base, tmp_path / "killed", "lambda base: versions.rollback(base, to=1)")
    )

    assert len(runs) > 100
    for _, visible, finished, _ in runs:
        assert max(visible) in ("1", "4")
        assert all(digests[version] == found for version, found in visible.items())
        assert finished == {"1": digests["1"]}


PUSH = """
import sys
from pathlib import Path
from components.pusher.versions import push
print("started", flush=True)
result = push(Path(sys.argv[1]), Path(sys.argv[2]), keep_old=2)
print(result.status.name, result.version)
"""


def start_push(source: Path, base: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PUSH, source, base], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


class Poller(threading.Thread):
    """Thread that polls a model directory like a server and reads every version that it sees."""

    def __init__(self, base: Path, whole: set[str]) -> None:
        super().__init__()
        self.base, self.whole = base, whole
        self.stopped = threading.Event()
        self.polls = 0
        self.seen: set[int] = set()
        self.incomplete: list[tuple[int, str]] = []

    def run(self) -> None:
        while not self.stopped.is_set():
            for version, path in versions.served(self.base).items():
                try:
                    found = content_digest(path)
                except (FileNotFoundError, UserError) as error:
                    found = str(error)
                if found in self.whole:
                    self.seen.add(version)
                elif path.exists():  # else it was pruned while it was read
                    self.incomplete.append((version, found))
            self.polls += 1


@pytest.mark.slow
def test_a_polling_server_never_sees_an_incomplete_version_of_killed_pushes(
    base: Path, tmp_path: Path
) -> None:
    models = [
        make_model(tmp_path / "models" / str(n), seed=n, kilobytes=400, files=20) for n in range(4)
    ]
    first = start_push(models[0], base)
    began = time.monotonic()
    assert first.wait() == 0
    longest = time.monotonic() - began
    poller = Poller(base, {content_digest(model) for model in models})
    poller.start()
    delays = random.Random(8)
    killed = finished = 0
    try:
        while killed < 60:
            process = start_push(models[(killed + finished) % 4], base)
            time.sleep(delays.uniform(0, longest))
            process.kill()
            # The duration of a push depends on the load. This keeps the kills near its end.
            if process.wait() == -9:
                killed += 1
                longest *= 1.05
            else:
                finished += 1
                longest *= 0.8
    finally:
        poller.stopped.set()
        poller.join()

    assert poller.incomplete == []
    assert poller.polls >= 50
    assert len(poller.seen) >= 2
    last = start_push(make_model(tmp_path / "last", seed=99), base)
    assert last.wait() == 0
    assert not [name for name in file_names(base) if name.startswith((".staging", ".trash"))]


def test_concurrent_pushes_take_turns(model: Callable[[int], Path], base: Path) -> None:
    sources = [model(number) for number in range(6)]
    processes = [start_push(source, base) for source in sources]
    answers = [process.communicate(timeout=60)[0].split() for process in processes]

    assert {outcome for outcome, _ in answers} == {"PUSHED"}
    pushed = {int(version): source for (_, version), source in zip(answers, sources, strict=True)}
    assert len(pushed) == 6
    newest = sorted(pushed)[-3:]
    assert list(versions.served(base)) == newest
    for version in newest:
        assert content_digest(base / str(version)) == content_digest(pushed[version])


def test_an_undeletable_old_version_does_not_fail_the_push(
    model: Callable[[int], Path],
    base: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    push(model(1), base, keep_old=1, clock=fixed_clock(1))
    push(model(2), base, keep_old=1, clock=fixed_clock(2))

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", refuse)
        assert push(model(3), base, keep_old=1, clock=fixed_clock(3)) == PushResult(
            PushStatus.PUSHED, 3
        )
    assert list(versions.served(base)) == [2, 3]
    assert f"Cannot delete the old version {base / '1'}" in caplog.text

    push(model(3), base, keep_old=1)
    assert file_names(base) == [".lock", ".versions.json", "2", "3"]
