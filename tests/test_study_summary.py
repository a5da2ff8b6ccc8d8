"""The table of means of a summary: one row per configuration, with missing seeds."""

import polars as pl
import pytest
from markdown_it import MarkdownIt

from siamlab.study.summary import machines, markdown, means_table, verbatim

NUMBERS = [  # point, probe, seeds
    ("full", "knn", 3),
    ("full", "linear", 3),
    ("probe lacks one", "knn", 3),
    ("probe lacks one", "linear", 2),
    ("short", "knn", 2),
    ("short", "linear", 2),
]


def test_each_configuration_is_one_row_that_mentions_missing_seeds():
    about = dict(unit="", direction="higher")
    rows = [
        dict(point=point, probe=probe, title=f"{probe}: x", seed=seed, value=0.1 * seed) | about
        for point, probe, seeds in NUMBERS
        for seed in range(seeds)
    ]
    table = means_table(pl.DataFrame(rows), 3)
    two, three = "0.050 [-0.585, 0.685]", "0.100 [-0.148, 0.348]"  # t is 12.706 and 4.303
    assert table.columns == ["point", "seeds", "knn", "linear"]
    assert table.rows() == [
        ("full", "3", three, three),
        ("probe lacks one", "3", three, f"{two} (2 seeds)"),
        ("short", "2 of 3", two, two),
    ]


def test_machines_are_listed_once_with_their_precisions():
    about = {"processor": "Xeon", "cores": 2, "gpu": "none"}
    kept = [
        {},  # before it was recorded
        {"precision": {"0": "float32"}},
        {"precision": {"0": "float32"}},
        {"precision": {"0": "bfloat16", "8": "float32", "9": "bfloat16"}},
    ]
    here = "Xeon, 2 cores, no GPU"
    assert (
        machines([about | one for one in kept])
        == f"{here}; {here}, float32; {here}, bfloat16 and float32"
    )


LABELS = [
    "a | b", "<b>bold</b>", "*em* **strong**", "_em_ __strong__", "`code`", "[x](http://y)", "|",
    "![x](http://y)", "[x][y]", "~~gone~~", "&lt;i&gt; &amp; &#42;", "# head", "- item", "1. x",
    "12) x", "> quote", "+ x", "a\\|b", "\\*", "<script>alert(1)</script>", "two\nlines", "$x$",
    "http://a_b_c", "snake_case_2", "0.102 [0.098, 0.106]", "a & b", "=", "[x]: http://y", "x]",
    "<!-- gone", "<http://y>", "C:\\new",
]  # fmt: skip


def shown(tokens):
    """The text of a rendered page, with the names of all that is not text."""
    for token in tokens:
        yield from shown(token.children) if token.children else [token.content]


@pytest.mark.parametrize("label", LABELS)
def test_labels_are_shown_as_they_are(label):
    page = MarkdownIt("gfm-like", {"linkify": False}).enable("table")
    wanted = " ".join(label.split())
    table = page.parse(markdown(pl.DataFrame({"point": [label], "seeds": ["3"]})))
    assert [text for text in shown(table) if text] == ["point", "seeds", wanted, "3"]
    plain = page.parse(verbatim(label))
    assert "".join(shown(plain)) == wanted
    assert [token.type for token in plain] == ["paragraph_open", "inline", "paragraph_close"]
    kinds = {token.type for token in plain[1].children}
    assert kinds <= {"text", "text_special"}, kinds
    (item,) = [t for t in page.parse(f"- {verbatim(label)} raises it") if t.type == "inline"]
    assert "".join(shown([item])) == f"{wanted} raises it"


def test_plain_labels_and_intervals_stay_readable():
    for text in ("cosine raises it by 0.102 [0.098, 0.106] (4 seeds).", "snake_case", "lr 1e-3"):
        assert verbatim(text) == text
