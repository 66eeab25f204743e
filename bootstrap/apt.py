"""Fetches Debian packages with an apt of the environment's own.

State, cache and source list are private, so no rights are needed and the machine's apt is never
changed. The machine's own sources, keys, proxies and certificates are used: only the release's code
name may be replaced.
"""

from __future__ import annotations

import email
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from bootstrap.shell import Log, SetupError, clean_environ

_ALIASES = ("stable", "oldstable", "oldoldstable")
_POCKETS = ("", "updates", "security")

_CONFIGURATION = """\
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "{folder}/sources.d";
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


def renamed_suite(suite: str, old: str, new: str) -> str:
    """Gives a suite of the release `old` as that of `new`; empty if it is none of `old`'s.

    Backports, proposed updates and other vendors' suites are left out: `trixie-security` for
    `bookworm-security`, but nothing for `bookworm-backports` or `cloud-sdk-bookworm`.
    """
    name, dash, pocket = suite.partition("-")
    fits = name in (old, *_ALIASES) and pocket in _POCKETS
    return new + dash + pocket if fits else ""


def renamed_line_source(text: str, old: str, new: str) -> str:
    """Gives the one-line entries (`sources.list`) of the release `old`, for the release `new`."""
    entry = re.compile(
        r"^\s*deb\s+(?P<options>\[[^]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<rest>[^#]+)"
    )
    kept = ""
    for match in filter(None, map(entry.match, text.splitlines())):
        suite = renamed_suite(match["suite"], old, new)
        if suite and not match["uri"].startswith("cdrom:"):
            options, parts = match["options"] or "", match["rest"].strip()
            kept += f"deb {options}{match['uri']} {suite} {parts}\n"
    return kept


def renamed_stanza_source(text: str, old: str, new: str) -> str:
    """Gives the stanzas (`*.sources`, deb822) of the release `old`, for the release `new`."""
    kept = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = _stanza_fields(stanza)
        suites = [renamed_suite(suite, old, new) for suite in fields.get("suites", "").split()]
        fields |= {"types": " deb", "suites": "".join(f" {suite}" for suite in suites if suite)}
        disabled = fields.get("enabled", "").strip().lower() in ("no", "false", "0")
        if fields["suites"] and not disabled:
            kept.append("".join(f"{name}:{value}\n" for name, value in fields.items()))
    return "\n".join(kept)


def _stanza_fields(stanza: str) -> dict[str, str]:
    """Reads a deb822 stanza: names in lower case, continuation lines kept as they are."""
    lines = [line for line in stanza.splitlines() if line.strip() and not line.startswith("#")]
    fields = email.message_from_string("\n".join(lines)).items()
    return {name.lower(): f" {value}".replace(" \n", "\n", 1) for name, value in fields}


def download(
    packages: Sequence[str],
    old: str,
    new: str,
    folder: Path,
    log: Log,
    etc: Path = Path("/etc/apt"),
) -> Path:
    """Downloads packages of a release with apt and unpacks them, without installing them.

    Args:
        packages: their names.
        old: code name of the machine's release.
        new: code name of the release that the packages come from; may be the same.
        folder: where apt's private state and the unpacked files go; made anew.
        log: takes apt's output.
        etc: apt's configuration on this machine.

    Raises:
        SetupError: apt is not there, has no source for the release, or failed.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise SetupError("apt-get and dpkg-deb are needed and one of them is not on the PATH")
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("state/lists/partial", "cache/archives/partial", "sources.d", "root"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()

    lists = [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]
    lines = "".join(renamed_line_source(_read(path), old, new) for path in lists)
    (folder / "sources.list").write_text(lines)
    stanzas = ""
    for path in etc.glob("sources.list.d/*.sources"):
        text = renamed_stanza_source(_read(path), old, new)
        (folder / "sources.d" / path.name).write_text(text)
        stanzas += text
    if not lines and not stanzas:
        raise SetupError(f"apt's sources in {etc} name no suite of this release ({old})")

    configuration = folder / "apt.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder))
    environ = {**clean_environ(), "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-q", f"--config-file={configuration}"]
    update = [*apt, "update", "-o", "APT::Update::Error-Mode=any"]
    log.run(update, f"reading the package list of {new} with apt", environ)
    what = f"downloading {' '.join(packages)} of {new} with apt"
    log.run([*apt, "download", *packages], what, environ, cwd=folder)
    for archive in sorted(folder.glob("*.deb")):
        log.run(["dpkg-deb", "-x", archive, folder / "root"], f"unpacking {archive.name}", environ)
    return folder / "root"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
