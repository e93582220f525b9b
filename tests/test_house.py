"""The files around the code agree with one another."""

import re
import tomllib

import jkeras
from tests.repository import OPTIONAL, ROOT


def project() -> dict:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def test_the_changelog_opens_with_this_version():
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == jkeras.__version__


def test_continuous_integration_runs_the_proving_command_and_nothing_else():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert lines[-1] == "exec make test"
    assert [line for line in lines if "make" in line] == ["exec make test"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_the_oldest_python_is_named_once_and_the_same():
    settings = project()
    oldest = settings["project"]["requires-python"].removeprefix(">=")
    assert settings["tool"]["mypy"]["python_version"] == oldest
    assert settings["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")
    assert f"Python {oldest}" in (ROOT / "README.md").read_text()


def test_no_optional_package_is_a_dependency():
    names = {re.split(r"[^\w-]", each)[0] for each in project()["project"]["dependencies"]}
    assert not names & OPTIONAL


def test_the_licence_is_apache_2():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
