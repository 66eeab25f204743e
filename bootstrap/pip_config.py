"""Pass pip's settings for the package index to uv, which does not read them."""

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


def pip_config_files(environ: Mapping[str, str]) -> list[Path]:
    """Return the paths of pip's configuration files; later files take precedence."""
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
    custom = environ.get("PIP_CONFIG_FILE", "")
    if custom == os.devnull:
        return []
    return [*files, Path(custom)] if custom else files


def pip_settings(environ: Mapping[str, str], files: Iterable[Path]) -> dict[str, str]:
    """Return pip's settings for indexes and certificates.

    Args:
        environ: Environment variables; they take precedence over files.
        files: Configuration files of pip; later files take precedence.

    Returns:
        Values by option name, such as `index-url`. Several values are separated by whitespace.
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


def uv_config_files(environ: Mapping[str, str]) -> list[Path]:
    """Return the paths of uv's configuration files."""
    home = Path(environ.get("HOME") or "/nonexistent")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    custom = [Path(environ["UV_CONFIG_FILE"])] if environ.get("UV_CONFIG_FILE") else []
    return [*custom, config / "uv/uv.toml", Path("/etc/uv/uv.toml"), Path("/etc/xdg/uv/uv.toml")]


def uv_variables(
    environ: Mapping[str, str],
    settings: Mapping[str, str],
    has_uv_config: bool,
    has_certificates: bool,
) -> dict[str, str]:
    """Return the variables that make uv use pip's indexes and certificates.

    Args:
        environ: Environment variables. Variables that already configure uv are not replaced.
        settings: Settings of pip (see `pip_settings`).
        has_uv_config: Whether uv has a configuration file, which then determines the index.
        has_certificates: Whether the system has a certificate store.
    """
    added: dict[str, str] = {}
    if not has_uv_config and not any(environ.get(name) for name in _UV_INDEX_VARIABLES):
        if "index-url" in settings:
            added["UV_DEFAULT_INDEX"] = settings["index-url"]
        if "extra-index-url" in settings:
            added["UV_INDEX"] = " ".join(settings["extra-index-url"].split())
            # pip also searches all indexes together. The hashes in the lock file prevent the
            # installation of other packages of the same name.
            added["UV_INDEX_STRATEGY"] = "unsafe-best-match"
        values = settings.get("find-links", "").split()
        links = [link for link in values if "://" in link or Path(link).is_dir()]
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
    """Return the environment variables with those of `uv_variables` for this machine."""
    settings = pip_settings(environ, pip_config_files(environ))
    has_uv_config = any(path.is_file() for path in uv_config_files(environ))
    has_certificates = any(Path(path).is_file() for path in _SYSTEM_CERTIFICATES)
    return {**environ, **uv_variables(environ, settings, has_uv_config, has_certificates)}
