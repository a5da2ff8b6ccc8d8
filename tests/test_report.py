"""The report: one file, nothing loaded, everything escaped, and a browser that agrees."""

import re
import shutil
from html.parser import HTMLParser

import plotly.graph_objects as go
import polars as pl
import pytest
from plotly.offline import get_plotlyjs
from test_figure import FIGURES
from test_figure_plane import scores

from siamlab.figure.plane import plane_figure, plane_table
from siamlab.report import Section, write_report

EVIL = "</script><script>window.evil = 1</script><b>&"
LONG = {
    "siameseim lr=2e-3 masking=block ratio=0.6": (0.37, 0.35),
    "siameseim lr=2e-3 masking=random ratio=0.75": (0.40, 0.37),
    "timm:vit_base_patch16_224.mae": (0.31, 0.29),
    "timm:vit_small_patch14_reg4_dinov2.lvd142m": (0.39, 0.43),
    "moco_v3": (0.42, 0.32),
    "dense_byol positions=relative_scale": (0.23, 0.47),
    "ijepa": (0.415, 0.318),
    "untrained": (0.20, 0.25),
}
TABLE = pl.DataFrame(
    {
        "model": ["mae", EVIL],
        "images": [1_000, 1_234_567],
        "minutes": [1.25, 10.5],
        "kNN": ["0.42 [0.39, 0.45]", "–"],
    }
)


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def sections():
    plane = plane_figure(plane_table(scores(LONG)), arrows=[("moco_v3", "ijepa")])
    rest = [draw() for name, draw in FIGURES.items() if name != "plane"]
    return [
        Section("Plane", "First.\n\nSecond\nline.", [plane]),
        Section(f"All {EVIL}", f"Both:\n- one {EVIL}\n- two\nAfter.", rest, TABLE),
    ]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "deep" / "r.html"
    return write_report(path, f"T {EVIL}", sections())


@pytest.fixture(scope="module")
def own(report):
    """The page without the plotly library."""
    page = report.read_text("utf-8")
    assert page.count(get_plotlyjs()) == 1
    return page.replace(get_plotlyjs(), "")


def test_one_file_that_loads_nothing(report, own):
    assert [path.name for path in report.parent.iterdir()] == ["r.html"]
    tags = Tags(own).tags
    assert not [a for _, a in tags if "src" in a]
    assert all(a["href"].startswith("#") for _, a in tags if "href" in a)
    assert not re.findall(r"https?://|url\(|@import", own)
    policy = next(a["content"] for t, a in tags if a.get("http-equiv"))
    assert "default-src 'none'" in policy and "http" not in policy


def test_text_is_escaped_everywhere(own):
    assert "<script>window.evil" not in own and "<b>" not in own
    assert own.count("&lt;script&gt;window.evil") == 6  # title twice, link, heading, item, cell


def test_paragraphs_lists_and_navigation(own):
    assert "<p>First.</p>" in own and "<p>Second line.</p>" in own
    assert re.search(r"<p>Both:</p>\n<ul><li>one .*</li><li>two</li></ul>\n<p>After.</p>", own)
    assert '<a href="#s1">Plane</a>' in own and '<section id="s1">' in own


def test_captions_are_text_below_their_figures(own):
    captions = re.findall(r"<figcaption>(.*)</figcaption>", own)
    assert len(captions) == len(FIGURES)
    assert captions[0].startswith("<strong>Semantic–spatial plane</strong> Up and right is better.")


def test_numbers_align_and_text_does_not(own):
    row = own[own.index("<td>mae</td>") :].split("</tr>")[0]
    cells = re.findall(r'<td class="number">(.*?)</td>', row)
    assert cells == ["1,000", "1.25", "0.42 [0.39,&nbsp;0.45]"]
    assert '<td class="number">10.50</td>' in own and '<th class="number">kNN</th>' in own


def test_a_crash_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "r.html"
    path.write_text("old")
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_report(path, "T", [])
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_any_plotly_figure_will_do(tmp_path):
    path = write_report(str(tmp_path / "r.html"), "T", [Section("S", figures=[go.Figure()])])
    assert "<figcaption>" not in path.read_text("utf-8") and path.stat().st_size < 6e6


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.skip("no chromium on this machine: the report is not opened in a browser")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [600, 1100])
def test_a_browser_draws_all_of_it(report, browser, width):
    page, noise, asked = browser.new_page(viewport={"width": width, "height": 900}), [], []
    page.set_default_timeout(120_000)  # milliseconds; a busy machine is slow, not wrong
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_function(
        "n => document.querySelectorAll('.plotly-graph-div .main-svg').length == 3 * n",
        arg=len(FIGURES),
    )
    page.wait_for_timeout(200)
    assert noise == []
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert page.evaluate("window.evil") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    labels = page.locator("#f1-1 .annotation-text-g text").all()
    boxes = [label.bounding_box() for label in labels if label.text_content()]
    assert len(boxes) == len(LONG) and not overlapping(boxes)
    page.close()


def overlapping(boxes):
    def inside(a, b, side, length):
        return a[side] < b[side] + b[length] - 1 and b[side] < a[side] + a[length] - 1

    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
    return [(a, b) for a, b in pairs if inside(a, b, "x", "width") and inside(a, b, "y", "height")]
