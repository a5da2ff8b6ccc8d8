"""The table of means of a summary: one row a configuration, and what is missing in it."""

import polars as pl

from siamlab.study.summary import machine, means_table

NUMBERS = [  # point, probe, seeds
    ("full", "knn", 3),
    ("full", "linear", 3),
    ("probe lacks one", "knn", 3),
    ("probe lacks one", "linear", 2),
    ("short", "knn", 2),
    ("short", "linear", 2),
]


def test_a_configuration_is_one_row_that_says_what_is_missing():
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


def test_machines_are_told_once_with_what_they_computed_in():
    about = {"processor": "Xeon", "cores": 2, "gpu": "none"}
    kept = [
        {},  # before it was kept
        {"precision": {"0": "float32"}},
        {"precision": {"0": "float32"}},
        {"precision": {"0": "bfloat16", "8": "float32", "9": "bfloat16"}},
    ]
    here = "Xeon, 2 cores, no GPU"
    assert (
        machine([about | one for one in kept])
        == f"{here}; {here}, float32; {here}, bfloat16 and float32"
    )
