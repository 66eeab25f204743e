"""Find a browser for the tests and the documents' screenshots, or download one.

A Chromium or Chrome that is installed is used as it is. Otherwise the headless shell of Playwright,
or, where Playwright's server does not answer, that of an npm package is downloaded. It is kept in
the environment and needs no administrator's rights.
"""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import shutil
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bootstrap import environment
from bootstrap.process import Log, SetupError, clean_environ

COMMANDS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
"""Commands of an installed browser, and the path of Chrome on a Mac."""

DIRECTORY = "browser"
"""Directory of the downloaded browser in the environment."""

NPM_PACKAGE = "@sparticuz/chromium"
NPM_VERSION = "153.0.0"
NPM_SHA512 = (
    "jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA=="
)
"""The package's `integrity` in npm's registry: SHA-512 in base64."""

_PLAYWRIGHT_URL = "https://cdn.playwright.dev"
_ANSWER_SECONDS = 10

_EXPAND = """
import shutil, sys
import pyarrow
with pyarrow.input_stream(sys.argv[1], compression="brotli") as source:
    with open(sys.argv[2], "wb") as target:
        shutil.copyfileobj(source, target)
"""
"""Program for the environment's Python: the standard library cannot expand Brotli."""

_CHECK_START = """
import sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=sys.argv[1], timeout=60_000)
    page = browser.new_page()
    page.set_content("<p>shown</p>")
    assert page.locator("p").bounding_box()["width"] > 0
"""
"""Program that fails if a browser cannot show a page, such as when a library is missing."""

_FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
"""

_START = """\
#!/bin/sh
# Start the headless shell of the npm package with its own libraries and fonts.
directory=$(cd "$(dirname "$0")" && pwd)
export LD_LIBRARY_PATH="$directory/lib"
export FONTCONFIG_PATH="$directory" XDG_CACHE_HOME="$directory/cache"
exec "$directory/chromium" --headless --no-zygote --use-gl=angle --use-angle=swiftshader "$@"
"""


def find(root: Path, environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the program of a browser: an installed one, else a downloaded one, else None.

    Args:
        root: Directory of the checkout.
        environ: Environment variables; by default those of this process.
    """
    variables = os.environ if environ is None else environ
    path = variables.get("PATH", os.defpath)
    installed = next(filter(None, (shutil.which(name, path=path) for name in COMMANDS)), None)
    if installed:
        return Path(installed)
    directory = root / environment.DIRECTORY / DIRECTORY
    downloaded = (_playwright_program(directory), _npm_directory(directory) / "start")
    return next((program for program in downloaded if program and program.is_file()), None)


def reason_for_none(environ: Mapping[str, str] | None = None) -> str:
    """Return why there is no browser, and what to do, for tests that need one.

    Args:
        environ: Environment variables; by default those of this process.
    """
    variables = os.environ if environ is None else environ
    if not _has_npm_build():
        download = "`make test` can download one only where Playwright's server answers"
    elif not shutil.which("npm", path=variables.get("PATH", os.defpath)):
        download = "`make test` cannot download one, since npm is not installed"
    else:
        download = "`make browser` downloads one"
    return f"there is no browser: {download}. Or install Chromium or Chrome."


def is_required(environ: Mapping[str, str] | None = None) -> bool:
    """Return whether a missing browser is an error, as in continuous integration (`CI=true`)."""
    variables = os.environ if environ is None else environ
    return variables.get("CI", "").lower() not in ("", "0", "false")


def provide(root: Path) -> None:
    """Download a browser for the tests unless there is one.

    If that is not possible, print why. The tests are then skipped.

    Args:
        root: Directory of the checkout, with its environment.

    Raises:
        SetupError: No browser could be downloaded, and it is required (`CI`).
    """
    with environment.setup_lock(root):
        if find(root):
            return
        try:
            _download(root)
        except SetupError as error:
            if is_required():
                raise
            print(f"Pages will not be tested in a browser: {error}", flush=True)


def _download(root: Path) -> None:
    """Download the first browser that starts on this machine."""
    venv = root / environment.DIRECTORY
    directory = venv / DIRECTORY
    log = Log(venv / "browser.log")
    shutil.rmtree(directory, ignore_errors=True)
    reasons = []
    for source in (_download_playwright, _download_npm):
        try:
            source(environment.python_path(venv), directory, log)
            program = find(root, {"PATH": ""})
            if program is None:
                raise SetupError("the download contains no browser")
            check: list[str | Path] = [
                environment.python_path(venv),
                "-I",
                "-c",
                _CHECK_START,
                program,
            ]
            log.run(check, "starting the downloaded browser", clean_environ())
        except SetupError as error:
            shutil.rmtree(directory, ignore_errors=True)
            reasons.append(str(error))
        else:
            log.progress(f"The browser for the tests is {program}")
            return
    raise SetupError("; ".join(reasons) + ". Install Chromium or Chrome.")


def _download_playwright(python: Path, directory: Path, log: Log) -> None:
    """Download Playwright's headless shell, in the version that the lock file's Playwright needs.

    Raises:
        SetupError: Playwright's server does not answer, or the download failed.
    """
    host = os.environ.get("PLAYWRIGHT_DOWNLOAD_HOST") or _PLAYWRIGHT_URL
    try:
        # Playwright itself waits for minutes. Any response, such as 404, shows that there is one.
        urllib.request.urlopen(host, timeout=_ANSWER_SECONDS).close()
    except urllib.error.HTTPError:
        pass
    except (OSError, ValueError) as error:
        raise SetupError(f"{host} does not answer ({error})") from error
    log.progress("Downloading Playwright's headless shell, a browser for the tests")
    log.run(
        [python, "-m", "playwright", "install", "--only-shell", "chromium"],
        "downloading Playwright's headless shell",
        {**clean_environ(), "PLAYWRIGHT_BROWSERS_PATH": str(directory / "playwright")},
    )


def _download_npm(python: Path, directory: Path, log: Log) -> None:
    """Download and expand the npm package.

    Raises:
        SetupError: There is no build for this machine, npm is missing, the download failed or has
            another content.
    """
    if not _has_npm_build():
        raise SetupError(f"{NPM_PACKAGE} has no build for {platform.system()} on this processor")
    if not shutil.which("npm"):
        raise SetupError(f"npm, which downloads {NPM_PACKAGE}, is not installed")
    partial = directory / "partial"
    partial.mkdir(parents=True)
    log.progress(f"Downloading {NPM_PACKAGE} with npm, a browser for the tests (70 MB)")
    name = f"{NPM_PACKAGE}@{NPM_VERSION}"
    pack: list[str | Path] = [
        "npm",
        "pack",
        "--silent",
        "--ignore-scripts",
        "--pack-destination",
        partial,
        name,
    ]
    # In the checkout, npm would read an .npmrc of the checkout.
    log.run(pack, f"downloading {name} with npm", clean_environ(), cwd=partial)
    [archive] = partial.glob("*.tgz")
    _check_content(archive)
    with _open_tar(archive) as package:
        for member in package.getmembers():
            if member.name.startswith("package/bin/"):
                member.name = Path(member.name).name
                package.extract(member, partial)
    archive.unlink()
    for compressed in sorted(partial.glob("*.br")):
        expanded = compressed.with_suffix("")
        log.run(
            [python, "-I", "-c", _EXPAND, compressed, expanded],
            f"expanding {compressed.name}",
            clean_environ(),
        )
        compressed.unlink()
        if expanded.suffix == ".tar":
            with _open_tar(expanded) as files:
                files.extractall(partial)
            expanded.unlink()
    (partial / "fonts.conf").write_text(_FONTS, encoding="utf-8")
    (partial / "start").write_text(_START, encoding="utf-8")
    for program in ("chromium", "start"):
        (partial / program).chmod(0o755)
    partial.replace(_npm_directory(directory))


@contextmanager
def _open_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar file whose members cannot leave the directory of the extraction.

    Python 3.11 before 3.11.4 has no such filter. The content of the archives is pinned there too.
    """
    with tarfile.open(path) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        yield archive


def _check_content(archive: Path) -> None:
    """Raise a `SetupError` if an archive is not the pinned one."""
    with archive.open("rb") as file:
        digest = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if digest != NPM_SHA512:
        raise SetupError(
            f"{NPM_PACKAGE} {NPM_VERSION} has another content than expected (SHA-512 {digest}): "
            "it was refused"
        )


def _has_npm_build() -> bool:
    return platform.system() == "Linux" and platform.machine() == "x86_64"


def _npm_directory(directory: Path) -> Path:
    return directory / f"npm-{NPM_VERSION}"


def _playwright_program(directory: Path) -> Path | None:
    programs = (
        path
        for name in ("chrome-headless-shell", "headless_shell")
        for path in directory.glob(f"playwright/chromium_headless_shell-*/*/{name}")
    )
    return next(programs, None)
