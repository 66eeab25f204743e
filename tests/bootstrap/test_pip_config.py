"""Tests of passing pip's index settings to uv."""

from pathlib import Path

from bootstrap import pip_config


def test_variables_take_precedence_over_later_and_earlier_files(tmp_path: Path) -> None:
    first, second, broken = (tmp_path / name for name in ("first", "second", "broken"))
    first.write_text("[global]\nindex-url = https://a.example/simple\ncert = /a.pem\n")
    second.write_text("[install]\nindex_url = https://b.example/simple?x=%(y)s\n")
    broken.write_text("index-url = without a section\n")
    files = [first, second, broken, tmp_path / "missing"]
    assert pip_config.pip_settings({}, files) == {
        "index-url": "https://b.example/simple?x=%(y)s",
        "cert": "/a.pem",
    }
    environ = {"PIP_INDEX_URL": "https://c.example/simple", "PIP_EXTRA_INDEX_URL": ""}
    assert pip_config.pip_settings(environ, files)["index-url"] == "https://c.example/simple"
    assert "extra-index-url" not in pip_config.pip_settings(environ, files)


def test_pip_config_file_variable() -> None:
    assert pip_config.pip_config_files({"HOME": "/home/u", "PIP_CONFIG_FILE": "/dev/null"}) == []
    assert pip_config.pip_config_files({"HOME": "/home/u", "PIP_CONFIG_FILE": "/x.conf"})[
        -1
    ] == Path("/x.conf")
    assert Path("/home/u/.config/pip/pip.conf") in pip_config.pip_config_files({"HOME": "/home/u"})


def test_uv_variables(tmp_path: Path) -> None:
    settings = {
        "index-url": "https://a.example/simple",
        "extra-index-url": "https://b.example/simple\nhttps://c.example/simple",
        "find-links": f"{tmp_path} /nowhere",
        "trusted-host": "a.example b.example",
        "cert": "/a.pem",
    }
    assert pip_config.uv_variables({}, settings, has_uv_config=False, has_certificates=True) == {
        "UV_DEFAULT_INDEX": "https://a.example/simple",
        "UV_INDEX": "https://b.example/simple https://c.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": str(tmp_path),
        "UV_INSECURE_HOST": "a.example b.example",
        "SSL_CERT_FILE": "/a.pem",
        "UV_SYSTEM_CERTS": "true",
    }


def test_uv_settings_of_the_user_are_kept() -> None:
    settings = {"index-url": "https://a.example/simple", "cert": "/a.pem"}
    environ = {"UV_INDEX_URL": "https://u.example/simple", "SSL_CERT_FILE": "/u.pem"}
    assert (
        pip_config.uv_variables(environ, settings, has_uv_config=False, has_certificates=False)
        == {}
    )
    assert pip_config.uv_variables({}, settings, has_uv_config=True, has_certificates=False) == {
        "SSL_CERT_FILE": "/a.pem"
    }
