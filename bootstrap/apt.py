"""Download Debian packages with apt, in a private directory.

State, cache and source list of this apt are private, so it needs no root privileges and does not
change the machine's apt. It uses the machine's sources, keys, proxies and certificates, but may
replace the code name of the release.
"""

from __future__ import annotations

import email
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from bootstrap.process import Log, SetupError, clean_environ

_ALIASES = ("stable", "oldstable", "oldoldstable")
_POCKETS = ("", "updates", "security")

_CONFIGURATION = """\
Dir::State "{directory}/state";
Dir::State::status "{directory}/status";
Dir::Cache "{directory}/cache";
Dir::Etc::SourceList "{directory}/sources.list";
Dir::Etc::SourceParts "{directory}/sources.d";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
APT::Sandbox::User "root";
APT::Architecture "amd64";
#clear APT::Architectures;
APT::Architectures {{ "amd64"; }};
Acquire::Languages "none";
#clear APT::Default-Release;
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::DEP-11-icons;
#clear Acquire::IndexTargets::deb::DEP-11-icons-small;
#clear Acquire::IndexTargets::deb::DEP-11-icons-large;
#clear Acquire::IndexTargets::deb::DEP-11-icons-hidpi;
#clear Acquire::IndexTargets::deb::DEP-11-icons-large-hidpi;
#clear Acquire::IndexTargets::deb::CNF;
"""


def rename_suite(suite: str, old: str, new: str) -> str:
    """Return the name of a suite of the release `old` in the release `new`.

    The result is empty for suites that are not needed (backports, proposed updates, other vendors):
    `bookworm-security` becomes `trixie-security`, `bookworm-backports` and `cloud-sdk-bookworm`
    become "".
    """
    name, dash, pocket = suite.partition("-")
    is_needed = name in (old, *_ALIASES) and pocket in _POCKETS
    return new + dash + pocket if is_needed else ""


def rename_line_source(text: str, old: str, new: str) -> str:
    """Convert one-line entries (`sources.list`) of the release `old` to the release `new`."""
    entry = re.compile(
        r"^\s*deb\s+(?P<options>\[[^]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<rest>[^#]+)"
    )
    renamed = ""
    for match in filter(None, map(entry.match, text.splitlines())):
        suite = rename_suite(match["suite"], old, new)
        if suite and not match["uri"].startswith("cdrom:"):
            options, parts = match["options"] or "", match["rest"].strip()
            renamed += f"deb {options}{match['uri']} {suite} {parts}\n"
    return renamed


def rename_stanza_source(text: str, old: str, new: str) -> str:
    """Convert stanzas (`*.sources`, deb822) of the release `old` to the release `new`."""
    renamed = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = _stanza_fields(stanza)
        suites = [rename_suite(suite, old, new) for suite in fields.get("suites", "").split()]
        fields |= {"types": " deb", "suites": "".join(f" {suite}" for suite in suites if suite)}
        disabled = fields.get("enabled", "").strip().lower() in ("no", "false", "0")
        if fields["suites"] and not disabled:
            renamed.append("".join(f"{name}:{value}\n" for name, value in fields.items()))
    return "\n".join(renamed)


def _stanza_fields(stanza: str) -> dict[str, str]:
    """Parse a deb822 stanza; field names are lower case, continuation lines are unchanged."""
    lines = [line for line in stanza.splitlines() if line.strip() and not line.startswith("#")]
    fields = email.message_from_string("\n".join(lines)).items()
    return {name.lower(): f" {value}".replace(" \n", "\n", 1) for name, value in fields}


def download(
    packages: Sequence[str],
    old: str,
    new: str,
    directory: Path,
    log: Log,
    etc: Path = Path("/etc/apt"),
) -> Path:
    """Download packages of a release with apt and unpack them without installing them.

    Args:
        packages: Names of the packages.
        old: Code name of the machine's release.
        new: Code name of the release of the packages; may be the same.
        directory: Directory for apt's private state and the unpacked files; deleted first.
        log: Log for apt's output.
        etc: Directory with the machine's configuration of apt.

    Returns:
        Directory with the unpacked files.

    Raises:
        SetupError: apt is missing, has no source for the release, or failed.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise SetupError("apt-get and dpkg-deb are required, but are not both on the PATH")
    shutil.rmtree(directory, ignore_errors=True)
    for name in ("state/lists/partial", "cache/archives/partial", "sources.d", "root"):
        (directory / name).mkdir(parents=True)
    (directory / "status").touch()

    lists = [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]
    lines = "".join(rename_line_source(_read(path), old, new) for path in lists)
    (directory / "sources.list").write_text(lines)
    stanzas = ""
    for path in etc.glob("sources.list.d/*.sources"):
        text = rename_stanza_source(_read(path), old, new)
        (directory / "sources.d" / path.name).write_text(text)
        stanzas += text
    if not lines and not stanzas:
        raise SetupError(f"{etc}: apt's sources have no suite of this release ({old}). Add one.")

    configuration = directory / "apt.conf"
    configuration.write_text(_CONFIGURATION.format(directory=directory))
    environ = {**clean_environ(), "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-q", f"--config-file={configuration}"]
    update = [*apt, "update", "-o", "APT::Update::Error-Mode=any"]
    log.run(update, f"reading the package list of {new} with apt", environ)
    description = f"downloading {' '.join(packages)} of {new} with apt"
    log.run([*apt, "download", *packages], description, environ, cwd=directory)
    for archive in sorted(directory.glob("*.deb")):
        log.run(
            ["dpkg-deb", "-x", archive, directory / "root"], f"unpacking {archive.name}", environ
        )
    return directory / "root"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
