"""Hands pip's settings for the package index on to uv, which does not read them."""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

_UV_INDEX_VARIABLES = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_NO_INDEX",
)
_SYSTEM_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def pip_files(environ: Mapping[str, str]) -> list[Path]:
    """Lists the places of pip's configuration files, in the order in which later ones win."""
    home = Path(environ.get("HOME") or "/nonexistent")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [
        Path("/etc/xdg/pip/pip.conf"),
        Path("/etc/pip.conf"),
        Path("/Library/Application Support/pip/pip.conf"),
        home / ".pip/pip.conf",
        config / "pip/pip.conf",
        home / "Library/Application Support/pip/pip.conf",
    ]
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    return [*files, Path(named)] if named else files


def pip_settings(environ: Mapping[str, str], files: Iterable[Path]) -> dict[str, str]:
    """Collects what pip is told of indexes and certificates by its files and by the environment.

    Returns:
        Values by option name, such as `index-url`; several values are parted by white space.
    """
    found: dict[str, str] = {}
    for path in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                found |= {name.replace("_", "-"): value for name, value in parser.items(section)}
    for name in ("index-url", "extra-index-url", "find-links", "cert", "trusted-host", "no-index"):
        if value := environ.get("PIP_" + name.upper().replace("-", "_")):
            found[name] = value
    return found


def uv_files(environ: Mapping[str, str]) -> list[Path]:
    """Lists the places of uv's own configuration."""
    home = Path(environ.get("HOME") or "/nonexistent")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    named = [Path(environ["UV_CONFIG_FILE"])] if environ.get("UV_CONFIG_FILE") else []
    return [*named, config / "uv/uv.toml", Path("/etc/uv/uv.toml"), Path("/etc/xdg/uv/uv.toml")]


def uv_variables(
    environ: Mapping[str, str],
    settings: Mapping[str, str],
    has_uv_files: bool,
    has_certificates: bool,
) -> dict[str, str]:
    """Gives the variables that make uv use the index and certificates that pip would use.

    Args:
        environ: the environment variables; what they already tell uv is left alone.
        settings: what `pip_settings` found.
        has_uv_files: whether uv has a configuration of its own, which then decides on the index.
        has_certificates: whether the system has a store of certificates.
    """
    added: dict[str, str] = {}
    if not has_uv_files and not any(environ.get(name) for name in _UV_INDEX_VARIABLES):
        if "index-url" in settings:
            added["UV_DEFAULT_INDEX"] = settings["index-url"]
        if "extra-index-url" in settings:
            added["UV_INDEX"] = " ".join(settings["extra-index-url"].split())
            # As pip does: all indexes are one. The lock file's hashes keep a stranger's package
            # out.
            added["UV_INDEX_STRATEGY"] = "unsafe-best-match"
        named = settings.get("find-links", "").split()
        links = [link for link in named if "://" in link or Path(link).is_dir()]
        if links and not environ.get("UV_FIND_LINKS"):
            added["UV_FIND_LINKS"] = ",".join(links)
        if "trusted-host" in settings and not environ.get("UV_INSECURE_HOST"):
            added["UV_INSECURE_HOST"] = " ".join(settings["trusted-host"].split())
    if "cert" in settings and not environ.get("SSL_CERT_FILE"):
        added["SSL_CERT_FILE"] = settings["cert"]
    if has_certificates and "UV_SYSTEM_CERTS" not in environ:
        added["UV_SYSTEM_CERTS"] = "true"
    return added


def with_uv_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Adds to the environment variables what `uv_variables` finds on this machine."""
    settings = pip_settings(environ, pip_files(environ))
    has_uv_files = any(path.is_file() for path in uv_files(environ))
    has_certificates = any(Path(path).is_file() for path in _SYSTEM_CERTIFICATES)
    return {**environ, **uv_variables(environ, settings, has_uv_files, has_certificates)}
