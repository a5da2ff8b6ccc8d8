"""Write the table of the paper's claims into README.md and docs/results.md; `make docs` runs it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import NamedTuple

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from build_results import (  # noqa: E402
    HARD,
    RESULTS,
    between,
    difference,
    extra_gains,
    markdown,
    pairs,
    scores,
)

from siamlab.figure.scores import SUMMARY  # noqa: E402
from siamlab.study.statistics import effects  # noqa: E402
from siamlab.study.trials_file import read_trials  # noqa: E402

# each page with the address of the studies' folder, and whether it has the studies' sections
PAGES = {HERE.parent / "README.md": ("studies", False), HERE / "results.md": ("../studies", True)}
CORES = 2  # each runs one trial at a time
HEAD = ["", "the paper's claim", *(f"{name} score" for name in SUMMARY), "verdict", "study"]


class Claim(NamedTuple):
    """One claim: the comparison that tests it, and which score it says to rise or fall."""

    number: int  # of the paper's five claims, some of which have several parts
    text: str
    study: str
    base: str
    point: str
    score: str
    verdict: str


MIM, ID, PLACES = "mim_to_siameseim", "id_to_siameseim", "positional_embedding"
SECTIONS = {
    MIM: "from-mae-to-siameseim",
    ID: "from-moco-v3-to-siameseim",
    PLACES: "places-of-queries",
    "headline": "whole-methods",
}
CLAIMS = (
    Claim(1, "MAE: a feature target raises semantic alignment",
          MIM, "MAE", "feature target", "semantic", "raises"),
    Claim(1, "MAE: another view raises semantic alignment",
          MIM, "feature target", "another view", "semantic", "raises"),
    Claim(1, "MAE: colour changes raise semantic alignment",
          MIM, "another view", "colour", "semantic", "raises"),
    Claim(2, "MoCo-v3: a dense loss raises spatial sensitivity",
          ID, "UniGrad", "dense", "spatial", "raises"),
    Claim(2, "MoCo-v3: masking raises spatial sensitivity",
          ID, "dense", "masked", "spatial", "raises"),
    Claim(3, "Queries without a place lower spatial sensitivity",
          PLACES, "offset and scale", "none", "spatial", "lowers"),
    Claim(3, "So do places in the query's own frame",
          PLACES, "offset and scale", "own frame", "spatial", "lowers"),
    Claim(3, "So do places without their scale",
          PLACES, "offset and scale", "offset", "spatial", "lowers"),
    Claim(4, "UniGrad, without negatives, is as good as InfoNCE",
          ID, "MoCo-v3", "UniGrad", "semantic", "no difference"),
    Claim(4, "Blockwise masks beat random ones at the same ratio",
          ID, "masked", "blockwise masks", "semantic", "raises"),
)  # fmt: skip


def claims_table(folder: str, sections: bool) -> str:
    """Return the claims as Markdown; rows link to the study's file, with `sections` to its too."""
    return markdown(HEAD, [*score_rows(folder, sections), *gain_rows(folder, sections)])


def score_rows(folder: str, sections: bool) -> Iterator[list[str]]:
    found = {study: effects(scores(study), pairs(study)) for study in (MIM, ID, PLACES)}
    for claim in CLAIMS:
        rows = {
            row["probe"]: row
            for row in found[claim.study].iter_rows(named=True)
            if (row["base"], row["point"]) == (claim.base, claim.point)
        }
        yield [
            str(claim.number),
            claim.text,
            *(difference(rows[name]) for name in SUMMARY),
            judged(rows[claim.score]["verdict"], claim.verdict),
            study_cell(claim.study, folder, sections),
        ]


def gain_rows(folder: str, sections: bool) -> Iterator[list[str]]:
    """Yield what SiameseIM gains on each hard task beyond its gain on all labels."""
    extra = extra_gains()
    for task, condition in zip(
        HARD, ("with few labels", "on long tails", "under corruption"), strict=True
    ):
        rows = extra.filter(extra["point"] == task).sort("probe").to_dicts()  # MAE, MoCo-v3
        verdicts = {judged(row["verdict"], "raises") for row in rows}
        yield [
            "5",
            f"SiameseIM gains most {condition}",
            *(f"{difference(row, 100)} points over {row['probe']}" for row in rows),
            verdicts.pop() if len(verdicts) == 1 else "cannot tell",
            study_cell("headline", folder, sections),
        ]


def judged(verdict: str, claimed: str) -> str:
    """Return what a study's verdict says about a claim."""
    if verdict == claimed:
        return "**holds**"
    return "**the reverse**" if verdict in ("raises", "lowers") else verdict


def study_cell(study: str, folder: str, sections: bool) -> str:
    """Return a study with its link or links, and the minutes of its runs on two cores."""
    header, records = read_trials(RESULTS / f"{study}.jsonl")
    runs = len(header.about["points"]) * header.about["seeds"]
    minutes = mean(record.seconds for record in records) * runs / CORES / 60
    file = f"{folder}/{study}.py"
    links = (
        f"[`{study}`](#{SECTIONS[study]}) ([file]({file}))" if sections else f"[`{study}`]({file})"
    )
    return f"{links}, {round(minutes, -1):.0f} min"


def with_claims(text: str, folder: str, sections: bool) -> str:
    """Return a page's text with the table between its marks."""
    return between(text, "claims: {} docs/build_claims.py", claims_table(folder, sections))


if __name__ == "__main__":
    for path, addresses in PAGES.items():
        path.write_text(with_claims(path.read_text("utf-8"), *addresses), "utf-8")
