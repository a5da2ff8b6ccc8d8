"""The report: one file, nothing loaded, everything escaped, and a browser that agrees."""

import html
import io
import re
from html.parser import HTMLParser

import plotly.graph_objects as go
import polars as pl
import pytest
from pages import comes_true, expect, patient
from PIL import Image
from plotly.offline import get_plotlyjs
from test_figure import FIGURES
from test_figure_plane import scores

from siamlab.figure.plane import plane_figure, plane_table
from siamlab.report.page import Section, report_html, write_report

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
        Section(f"All {EVIL}", f"Both:\n- one {EVIL}\n- two\n\nAfter.", rest, TABLE),
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
    assert "<p>First.</p>" in own and "<p>Second\nline.</p>" in own
    assert re.search(
        r"<p>Both:</p>\n<ul>\n<li>one .*</li>\n<li>two</li>\n</ul>\n<p>After.</p>", own
    )
    assert '<a href="#s1">Plane</a>' in own and '<section id="s1">' in own


def test_names_and_settings_in_a_text_are_shown_verbatim():
    text = "# __init__ *a* `b` ![c](d) <i> &amp; https://e.f\n\n    ratio_0.6_*_\n> g\n---"
    page = report_html("T", [Section("S", text)])
    (shown,) = re.findall(r"<h2>S</h2>\n(.*?)</section>", page, flags=re.DOTALL)
    assert re.sub(r"</?p>|\s", "", html.unescape(shown)) == re.sub(r"\s", "", text)


def test_a_title_that_asks_is_not_ended_twice():
    figure = go.Figure(layout_meta={"title": "Whose match is right?", "caption": "The nearer one."})
    page = report_html("Report", [Section("Matches", "", [figure])], "plotly.min.js")
    assert "<strong>Whose match is right?</strong> The nearer one." in page


def test_captions_are_text_below_their_figures(own):
    captions = re.findall(r"<figcaption>(.*)</figcaption>", own)
    assert len(captions) == len(FIGURES)
    assert captions[0].startswith("<strong>Semantic–spatial plane.</strong> Up and right is")


def test_numbers_align_and_text_does_not(own):
    row = own[own.index("<td>mae</td>") :].split("</tr>")[0]
    cells = re.findall(r'<td class="number">(.*?)</td>', row)
    assert cells == ["1,000", "1.25", "0.42 [0.39,\u00a00.45]"]
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


@pytest.mark.parametrize("width", [600, 1100])
def test_a_browser_draws_all_of_it(report, browser, width):
    noise, asked = [], []
    with patient(browser, width=width) as page:
        page.on("console", lambda message: noise.append(message.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(report.as_uri())
        expect(page.locator(".plotly-graph-div .main-svg")).to_have_count(3 * len(FIGURES))
        labels = page.locator("#f1-1 .annotation-text-g text").filter(has_text=re.compile("."))
        expect(labels).to_have_count(len(LONG))
        comes_true(page, lambda: apart([label.bounding_box() for label in labels.all()]))
        assert noise == []
        assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
        assert page.evaluate("window.evil") is None
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def apart(boxes):
    """No two of the boxes overlap by a pixel."""

    def inside(a, b, side, length):
        return a[side] < b[side] + b[length] - 1 and b[side] < a[side] + a[length] - 1

    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
    assert not any(inside(*pair, "x", "width") and inside(*pair, "y", "height") for pair in pairs)


def test_pages_that_share_the_library_are_small_and_drawn(tmp_path, browser):
    library = tmp_path / "a study" / "plotly.min.js"
    paths = [tmp_path / "a study" / "runs" / name / "r.html" for name in ("one", "two")]
    for path in paths:
        write_report(path, "T", sections()[:1], library)
        assert path.stat().st_size < 200_000
    assert library.read_text("utf-8") == get_plotlyjs()
    with patient(browser) as page:
        page.goto(paths[1].as_uri())
        page.wait_for_selector(".js-plotly-plot .main-svg")
        expect(page.locator("footer")).to_contain_text("keep it in its place")


def test_a_dark_page_has_light_text_and_images_as_they_are(report, browser):
    with patient(browser, color_scheme="dark") as page:
        page.goto(report.as_uri())
        page.wait_for_selector(".js-plotly-plot image", state="attached")
        is_dark(page)


def is_dark(page):
    style = """(where) => { const s = getComputedStyle(document.querySelector(where));
        return [s.color, s.backgroundColor, s.filter]; }"""
    light = lambda text: sum(map(int, re.findall(r"\d+", text)[:3])) / 3  # noqa: E731
    ink, paper, _ = page.evaluate(style, "body")
    assert light(paper) < 40 and light(ink) > 200
    turned, again = (
        page.evaluate(style, s)[2] for s in (".js-plotly-plot", ".js-plotly-plot image")
    )
    assert turned == again == "invert(1) hue-rotate(180deg)"
    plot = page.locator(".js-plotly-plot").first

    def no_white_slab():
        picture = Image.open(io.BytesIO(plot.screenshot()))
        assert light(str(picture.convert("RGB").getpixel((3, 3)))) < 40

    comes_true(page, no_white_slab)
