"""Tests of how the browser for the tests is found and downloaded."""

import os
import platform
import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from bootstrap import browser, environment
from bootstrap.process import SetupError


def _program(path: Path, content: str = "exit 1") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{content}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose environment has this Python."""
    python = environment.python_path(tmp_path / environment.DIRECTORY)
    _program(python, f'exec {sys.executable} "$@"')
    return tmp_path


@pytest.fixture
def downloads(checkout: Path) -> Path:
    return checkout / environment.DIRECTORY / browser.DIRECTORY


def test_an_installed_browser_is_preferred_to_a_downloaded_one(
    checkout: Path, downloads: Path
) -> None:
    assert browser.find(checkout, {"PATH": ""}) is None
    npm = _program(downloads / f"npm-{browser.NPM_VERSION}" / "start")
    assert browser.find(checkout, {"PATH": ""}) == npm
    shell = "playwright/chromium_headless_shell-1255/chrome-headless-shell-linux64"
    playwright = _program(downloads / shell / "chrome-headless-shell")
    assert browser.find(checkout, {"PATH": ""}) == playwright
    installed = _program(checkout / "bin" / "google-chrome")
    assert browser.find(checkout, {"PATH": str(installed.parent)}) == installed


def test_nothing_is_downloaded_if_a_browser_is_installed(
    checkout: Path, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(_program(checkout / "bin" / "chromium").parent))
    browser.provide(checkout)
    assert not downloads.exists()


@pytest.mark.parametrize(("value", "required"), [("", False), ("false", False), ("true", True)])
def test_without_npm_a_missing_browser_is_an_error_only_in_ci(
    checkout: Path,
    downloads: Path,
    value: str,
    required: bool,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", value)
    # Nothing listens on this port.
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:9")
    words = "npm, which downloads|has no build for"
    if required:
        with pytest.raises(SetupError, match=words):
            browser.provide(checkout)
    else:
        browser.provide(checkout)
        assert "not be tested in a browser: http://127.0.0.1:9 does not answer" in (
            capfd.readouterr().out
        )
    assert not downloads.exists()


def test_the_reason_of_a_skip_names_npm() -> None:
    if platform.system() == "Linux" and platform.machine() == "x86_64":
        assert "since npm is not installed" in browser.reason_for_none({"PATH": ""})
    else:
        assert "only where Playwright's server answers" in browser.reason_for_none({"PATH": ""})


def test_a_package_with_another_content_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "package.tgz"
    archive.write_bytes(b"other content")
    with pytest.raises(SetupError, match="has another content than expected"):
        browser._check_content(archive)


def test_archives_are_extracted_by_pythons_with_and_without_the_filter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "font").write_text("content")
    for name, member in (("good.tar", "font"), ("bad.tar", "../outside")):
        with tarfile.open(tmp_path / name, "w") as archive:
            archive.add(tmp_path / "font", member)
    target = tmp_path / "a" / "b"
    with browser._open_tar(tmp_path / "bad.tar") as archive, pytest.raises(tarfile.FilterError):
        archive.extractall(target)
    # Python 3.11.3 has neither this function nor the argument `filter`.
    monkeypatch.delattr(tarfile, "data_filter")
    with browser._open_tar(tmp_path / "good.tar") as archive:
        archive.extractall(target)
    assert (target / "font").read_text() == "content"


@pytest.mark.slow
@pytest.mark.skipif(
    not (platform.system() == "Linux" and platform.machine() == "x86_64" and shutil.which("npm")),
    reason="the npm package needs Linux on x86_64, and npm",
)
def test_the_npm_package_shows_a_page(
    checkout: Path, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    required = browser.is_required()
    programs = checkout / "bin"
    programs.mkdir()
    for name in ("npm", "node", "sh", "dirname"):
        (programs / name).symlink_to(Path(str(shutil.which(name))).resolve())
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("CI", "true")
    try:
        browser.provide(checkout)  # This starts the browser, or raises an error.
    except SetupError as error:
        if "downloading" in str(error) and not required:
            pytest.skip(f"npm's registry does not answer: {error}")
        raise
    program = downloads / f"npm-{browser.NPM_VERSION}" / "start"
    assert browser.find(checkout) == program
    assert os.access(program, os.X_OK)
    assert [path.name for path in downloads.iterdir()] == [program.parent.name]
