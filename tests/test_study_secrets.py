"""No message of any study command shows the password of its database, however broken the URL is."""

import sys

import pytest
from test_study_report import FILE

from siamlab.cli.main import main
from siamlab.machine.redact import without_passwords
from siamlab.study import attach as attach_module
from siamlab.study import storage as storage_module
from siamlab.study.storage import open_storage

SECRET = "Xy7-qTz"
URLS = [
    "postgresql://me:{}@127.0.0.1:1/lab",
    "postgresql://me:{}@127.0.0.1:abc/lab",
    "postgresql://me:{}@127.0.0.1:99999999/lab",
    "postgresql://127.0.0.1:1/lab?user=me&password={}",
    "postgresql://127.0.0.1:abc/lab?password={}&user=me",
    "postgresql://127.0.0.1:1/lab?PASSWORD={}",
    "postgresql://me@127.0.0.1:1/lab?sslpassword={}&sslmode=none",
    "postgresql:/me:{}@127.0.0.1/lab",
    "postgresql:me:{}@127.0.0.1/lab",
    "postgresql//me:{}@127.0.0.1/lab",
    "postgres://me:{}@127.0.0.1/lab",
    "me:{}@127.0.0.1/lab",
    "//me:{}@127.0.0.1/lab",
    "mysql://me:{}@127.0.0.1/lab",
    "nothing+at+all://me:{}@127.0.0.1/lab",
    "sqlite://me:{}@/lab.db",
    "sqlite:///none/lab.db?password={}",
    "postgresql://me:{}",
    "postgresql://me:{}@",
    "postgresql://me:{}@[::1/lab",
    "host=127.0.0.1 port=1 user=me password={}",
    "host=127.0.0.1 password='{}'",
    " postgresql://me:{}@127.0.0.1:1/lab",
    "postgresql://me:{}@127.0.0.1:1/{{}}",
]
PASSWORDS = [SECRET, f"{SECRET}/a", f"{SECRET}@b", f"{SECRET}:c", f"{SECRET}%20d", f"{SECRET} e",
             f"{SECRET}#f?g", f"{SECRET}'h", f"{SECRET}\\i", f"ü{SECRET}", f"{{{SECRET}}}",
             f"%{SECRET}"]  # fmt: skip
COMMANDS = ["run FILE", "worker FILE", "worker", "report FILE", "list", "export FILE --to x.jsonl",
            "import FILE --from x.jsonl"]  # fmt: skip


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder and return what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(storage_module, "WAIT", 0)
    (tmp_path / "losses.py").write_text(FILE)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["siamlab", *words])
        try:
            assert main(list(words)) == 2
        except SystemExit as end:
            assert end.code == 2
        return "".join(capsys.readouterr())

    return run


@pytest.mark.parametrize("url", URLS)
def test_no_broken_url_shows_its_password(printed, url):
    for command in COMMANDS:
        words = command.replace("FILE", "losses.py").split()
        said = printed("study", *words, "--storage", url.format(SECRET))
        assert SECRET not in said and said.startswith("siamlab: ") and said.count("\n") <= 2, said


@pytest.mark.parametrize("password", PASSWORDS)
def test_no_odd_password_is_shown(printed, password):
    for url in URLS[1:4] + URLS[-8:-4]:
        said = printed("study", "list", "--storage", url.format(password))
        assert SECRET not in said, said


@pytest.mark.parametrize("url", URLS)
def test_a_url_in_the_wrong_place_does_not_show_its_password(printed, url):
    url = url.format(SECRET)
    for words in (
        ["list", url],
        ["run", url],
        ["worker", url, "--out", "x"],
        [url],
        ["export", url],
        ["run", "losses.py", f"--storag={url}"],
        ["report", "losses.py", url],
        ["run", "losses.py", "--workers", url],
        ["import", "losses.py", "--from", url],
    ):
        assert SECRET not in printed("study", *words), words  # fmt: skip


def test_a_worker_on_an_empty_storage_does_not_show_it(printed, tmp_path, monkeypatch):
    empty = open_storage(f"sqlite:///{tmp_path}/x.db", tmp_path)
    monkeypatch.setattr(attach_module, "open_existing", lambda url, out: empty)
    said = printed("study", "worker", "--storage", f"postgresql://me:{SECRET}@127.0.0.1/lab")
    assert "postgresql://me:***@127.0.0.1/lab has no study yet" in said


def test_what_is_no_password_stays():
    text = "--storage postgresql://me@host:5432/lab?sslmode=require and runs/a@b:c, user=me"
    assert without_passwords(text, text.split()[1]) == text
    url = "postgresql://me:a@host/lab"
    assert without_passwords(f"a bad {url}", url) == "a bad postgresql://me:***@host/lab"
