"""The table of means of a summary: one row a configuration, and what is missing in it."""

import polars as pl

from siamlab.study.summary import means_table

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
