"""Names that others chose cannot command the terminal, and keep their brackets."""

import io
import os
from pathlib import Path

import polars as pl
import pytest
from test_train import tiny

import siamlab
from siamlab.cli.main import main
from siamlab.component import UserError, printable
from siamlab.data import Folder
from siamlab.figure import terminal_table
from siamlab.machine.console import Console
from siamlab.machine.streams import PLAIN
from siamlab.machine.terminal import caution, cell, say
from siamlab.train import Metrics, Notice
from siamlab.train import bar as progress

EVIL = "a\x1b[31mb\x07\x9b2J\r\nsiamlab: done\u202e[/x][red]\ud8ff"
SHOWN = r"a\x1b[31mb\x07\x9b2J\r\nsiamlab: done\u202e[/x][red]\ud8ff"


def test_all_that_a_terminal_obeys_is_written_out_and_letters_stay():
    assert printable(EVIL) == SHOWN
    assert printable("Größe 95\u00a0% – 日本語 🐈 ↑") == "Größe 95\u00a0% – 日本語 🐈 ↑"


@pytest.mark.parametrize(
    "show", [say, lambda name, console: console.print(cell(name), soft_wrap=True)]
)
def test_a_name_is_printed_with_its_brackets(show):
    out = io.StringIO()
    show(EVIL, Console(file=out, force_terminal=True, color_system="truecolor", highlight=False))
    assert out.getvalue() == SHOWN + "\n"


def test_sentences_and_warnings_show_names(capsys):
    assert str(UserError(f"no {EVIL}")) == f"no {SHOWN}"
    with pytest.warns(UserWarning) as said:
        caution(f"no {EVIL}")
    assert str(said[0].message) == f"no {SHOWN}"


def test_tables_and_bars_show_names():
    out = io.StringIO()
    console = Console(file=out, width=200)
    row = dict(probe="knn", title="k-NN", value=0.5, low=0.4, high=0.6, layer=None, head=None)
    row |= dict(property="", chance=0.0, ceiling=1.0, unit="", direction="higher", protocol="p")
    console.print(
        terminal_table(pl.DataFrame([row | {"model": "rep[/x]\x1b[2J", "settings": "{}"}]))
    )
    assert r"rep[/x]\x1b[2J" in out.getvalue()
    run = tiny().change(name="rep[red]")
    with progress.bars(console) as bars:
        bar = progress.add(bars, run)
        for event in (
            Notice("see a[/b]\x07"),
            Metrics(1, 8, 1.0, 1.0, 0.0, 1.0, {"probe/knn": 0.1}),
        ):
            progress.update(bars, bar, run.name, event)
    assert r"rep[red]: see a[/b]\x07" in out.getvalue() and "rep[red], step 1" in out.getvalue()
    assert "rep[red]    " in out.getvalue() and "\x07" not in out.getvalue()


def test_names_of_unreadable_images_are_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    for i in range(2):
        (tmp_path / f"{i}\x1b[2J.png").write_text("no image")
    with pytest.raises(UserError, match=r"none of its 1 could \(\d\\x1b\[2J.png\)"):
        Folder(path=str(tmp_path))("train")


def test_a_path_with_brackets_is_printed_whole(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("siamlab.cli.commands.chosen_run", lambda options: tiny())
    monkeypatch.setattr("siamlab.train.steps", lambda *_, **__: iter(()))
    assert main(["train", "mae", "--out", str(tmp_path / "rep[/x]")]) == 0
    assert "rep[/x]; `siamlab probe" in capsys.readouterr().out


@pytest.mark.parametrize(
    "encoding, text, shown",
    [
        ("ascii", "0.5 ± 0.1 – 2 × 3 ↑ (Σλ)² ≤ ½ é 10⁻⁶ δ₁ 11°\u00a0…",
         "0.5 +- 0.1 - 2 x 3 ^ (sum of lambda)2 <= 1/2 e 10-6 delta1 11 degrees ..."),
        ("latin-1", "± × ² – ✓ ▶ ✗ ⠋", "± × ² - + > x *"),
        ("utf-8", "± – 日本語 🐈", "± – 日本語 🐈"),
        ("ascii", "日.png", "?.png"),
    ],
)  # fmt: skip
def test_a_terminal_without_some_letters_shows_plain_ones(encoding, text, shown):
    out = io.BytesIO()
    with io.TextIOWrapper(out, encoding, errors=PLAIN) as stream:
        stream.write(text)
        stream.flush()
        assert out.getvalue().decode(encoding) == shown


def test_all_signs_of_messages_and_tables_have_a_plain_form():
    """Of every text in the package but those inside web pages, which are no terminals."""
    folder = Path(siamlab.__file__).parent
    texts = "".join(path.read_text("utf-8") for path in folder.rglob("*.py"))
    signs = {c for c in texts if not c.isascii()}
    assert len(signs) > 20 and not [c for c in signs if "?" in c.encode("ascii", PLAIN).decode()]


def test_a_reader_that_goes_early_does_not_end_what_prints_by_rich():
    reads, writes = os.pipe()
    os.close(reads)
    with open(writes, "w") as output:
        console = Console(file=output)
        for _ in range(3):
            console.print("a line")
        say("another", Console(file=output))
        output.flush()  # as Python does at its end
