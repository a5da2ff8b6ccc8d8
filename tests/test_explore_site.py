"""The static demo: graphs give torch's numbers, in a real browser too, and bad input a sentence."""

import pytest
import timm
import torch
import torch.nn.functional as F
from pages import at, becomes, comes_true, expect, heat, patient, watched
from PIL import Image
from test_view_browser import cosines, hover, layer, opened

from benchmarks.site import served
from siamlab import probe
from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.evaluate.course import at_step
from siamlab.evaluate.models import NamedModel, open_model
from siamlab.explore.site import graph, site
from siamlab.explore.site.graph import write_graph
from siamlab.explore.site.runtime import FILES, runtime_files
from siamlab.explore.site.site import write_site
from siamlab.explore.view.photos import shipped
from siamlab.recipes import demo_size, mae
from siamlab.train import train

SIDE = 48
CLOSE = 1e-4  # of attention in the browser to that of Python
NO_CLASS = {"class_token": False, "global_pool": "avg"}
FAKE = {name: b"" for name in FILES}


def model(patch, depth, name, **settings):
    """A ViT whose patches differ: its biases are drawn at random, too."""
    torch.manual_seed(patch)
    vit = timm.create_model(
        "vit_tiny_patch16_224", img_size=SIDE, patch_size=patch, depth=depth, embed_dim=24,
        num_heads=2, num_classes=0, **settings,
    ).eval()  # fmt: skip
    for parameter in vit.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return NamedModel(name, vit, None)


@pytest.fixture(scope="module")
def models():
    return [model(8, 2, "fine", reg_tokens=2), model(16, 3, "coarse", **NO_CLASS)]


@pytest.fixture(scope="module")
def kept_run(tmp_path_factory):
    """A run of three steps that kept its encoder after two of them."""
    few = ("data.images=16", "data.test_images=8", "steps=3", "batch=8", "model.depth=2")
    run = demo_size(mae()).change(*few, "keep_every=2")
    return open_model(train(run, tmp_path_factory.mktemp("run") / "mae").path)


@pytest.fixture(scope="module")
def photos():
    return shipped()[:3]


@pytest.fixture(scope="module")
def folder(models, photos, tmp_path_factory):
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    try:
        runtime_files()
    except UserError as why:
        pytest.skip(str(why))
    return write_site(models, photos, tmp_path_factory.mktemp("site") / "demo")


@pytest.fixture(scope="module")
def address(folder):
    with served(folder) as address:
        yield address


def is_a_row(page, panel, cosines, most=2e-4):
    """Wait until a panel shows the cosines of one of the patches, of which that to itself is 1."""

    def check():
        found = torch.tensor(heat(page, panel))
        assert len(found) == len(cosines)
        row = (found - cosines).abs().amax(dim=1).argmin()
        assert found[row] == pytest.approx(1.0, abs=most / 2)
        torch.testing.assert_close(found, cosines[row], atol=most, rtol=0)

    comes_true(page, check)


@pytest.mark.slow
def test_a_page_shows_the_cosines_of_python(address, models, photos, browser):
    """Features of models with other patches and depths after the first, middle and last layer."""
    with watched(browser, width=1000, height=800) as page:
        opened(page, address)
        shows = page.locator(".shows button")
        expect(shows).to_have_text(["similarity", "components", "segments", "attention"])
        expect(page.locator(".panels svg")).to_have_count(2)
        for depth in (3, 2, 1):
            page.locator("input[name=layer]").fill(str(depth))
            hover(page, "coarse", 9 + depth, columns=3)
            for named in models:
                own = -(-depth * len(named.model.blocks) // 3)
                wanted = cosines(x := layer(named, photos[0], own), x)
                is_a_row(page, named.name, wanted)


def attends(page, panel, wanted):
    """Wait until a panel shows this attention."""
    close = pytest.approx(wanted.tolist(), abs=CLOSE)
    comes_true(page, lambda: equal(heat(page, panel), close))


def equal(found, wanted):
    assert found == wanted


@pytest.mark.slow
def test_a_page_shows_the_attention_of_python(address, models, photos, browser):
    """Of the class token (or the mean patch), of a patch and by rollout; each head, two layers."""
    image = photos[0].pixels[None]
    with watched(browser, width=1000, height=800) as page:
        opened(page, address + "#show=attention")
        page.mouse.move(*at(page, "coarse", 0.51, 0.51))  # patch 4 of 3 × 3, and 21 of 6 × 6
        for depth in (3, 2):
            page.locator("input[name=layer]").fill(str(depth))
            for named, patch in zip(models, (21, 4), strict=True):
                own = -(-depth * len(named.model.blocks) // 3) - 1
                rows = probe.patch_attentions(named.model, image, patch, layers=[own])[0, 0]
                attends(page, named.name, rows.mean(dim=0))
        for head in (0, 1):
            attends(page, f"head {head + 1}", probe.patch_attentions(
                models[0].model, image, 21, layers=[1])[0, 0, head])  # fmt: skip
        chosen = page.locator("select[name=from]")
        for name, measure in (
            ("class token", lambda vit: probe.class_attention(vit, image, layer=1)[0].mean(dim=0)),
            ("class token, by rollout", lambda vit: probe.rollout(vit, image)[0]),
        ):
            chosen.select_option(name)
            for named in models:
                attends(page, named.name, measure(named.model))


@pytest.mark.slow
def test_a_run_that_kept_its_encoders_has_a_slider_over_its_steps(
    kept_run, photos, browser, tmp_path
):
    folder = write_site([kept_run], photos[:1], tmp_path / "demo")
    assert len(list(folder.glob("*.onnx"))) == 3
    with served(folder) as address, watched(browser, width=1000, height=800) as page:
        opened(page, address)
        for number, step in ((0, 0), (1, 2), (2, 3)):
            page.locator("input[name=step]").fill(str(number))
            named = kept_run._replace(model=at_step(kept_run, step))
            wanted = cosines(x := layer(named, photos[0], 2), x)
            is_a_row(page, kept_run.name, wanted)
            expect(page.locator(".panels figcaption")).to_contain_text(f"step {step}")
        page.locator("[data-show=attention]").click()
        page.locator("input[name=step]").fill("0")
        page.locator("select[name=from]").select_option("class token, by rollout")
        start = at_step(kept_run, 0)
        attends(page, kept_run.name, probe.rollout(start, photos[0].pixels[None])[0])


def test_a_demo_has_as_many_steps_as_its_bounds_hold(kept_run, monkeypatch):
    assert site.shown_steps(kept_run) == [0, 2, 3]
    size = sum(4 * parameter.numel() for parameter in kept_run.model.parameters())
    for most, steps in ((2 * size, [0, 3]), (2 * size - 1, []), (size - 1, [])):
        monkeypatch.setattr(site, "MOST_GRAPHS", most)
        assert site.shown_steps(kept_run) == steps
    monkeypatch.setattr(site, "MOST_GRAPHS", 9 * size)
    monkeypatch.setattr(site, "kept_steps", lambda named: list(range(0, 1100, 100)))
    assert site.shown_steps(kept_run) == [0, 200, 400, 600, 800, 1000]


@pytest.mark.slow
def test_a_graph_gives_the_attention_of_torch(models, photos, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    for named in models:
        facts = write_graph(named, tmp_path / "graph.onnx")
        assert (facts.heads, facts.prefix) == (2, named.model.num_prefix_tokens)
        session = onnxruntime.InferenceSession(tmp_path / "graph.onnx")
        names = [f"attention_{layer + 1}" for layer in range(facts.layers)]
        small = photos[0].pixels[None, :, :SIDE, :SIDE]
        found = session.run(names, {"image": (small / 255).numpy()})
        wanted = probe.attended(named.model, small, lambda _, matrix: matrix)
        for own, other in zip(wanted, found, strict=True):
            torch.testing.assert_close(torch.from_numpy(other), own, atol=CLOSE, rtol=0)


@pytest.mark.slow
def test_a_page_resizes_as_torch_does(folder, address, browser):
    """Smaller, larger, and to another shape."""
    side = 37
    pixels = torch.randint(0, 256, (3, side, side), generator=torch.Generator().manual_seed(0))
    rgba = F.pad(pixels.permute(1, 2, 0), (0, 1), value=255).flatten().tolist()
    script = """async ([side, bytes, height, width]) => {
      const { resized } = await import("./features.js");
      return [...resized({ side, data: Uint8ClampedArray.from(bytes) }, height, width)];
    }"""
    with watched(browser, width=1000, height=800) as page:
        opened(page, address)
        for size in ((8, 8), (37, 37), (50, 20)):
            found = torch.tensor(page.evaluate(script, [side, rgba, *size])).view(3, *size)
            image = pixels[None].float() / 255
            own = F.interpolate(image, size, mode="bilinear", antialias=True)[0]
            torch.testing.assert_close(found, own, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_a_visitor_brings_a_photograph(address, models, browser, tmp_path):
    """The networks see its centre square; a file that is not a photograph gets a sentence."""
    pixels = torch.randint(0, 256, (70, 110, 3), generator=torch.Generator().manual_seed(1)).byte()
    Image.fromarray(pixels.numpy()).save(tmp_path / "own.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "own.png").read_bytes()[:400])
    (tmp_path / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>")
    with (tmp_path / "big.png").open("wb") as big:
        big.truncate(40_000_000)
    with watched(browser, width=480, height=900, color_scheme="dark") as page:
        opened(page, address)
        chooser = page.locator("input[type=file]")
        chooser.set_input_files(tmp_path / "own.png")
        expect(page.locator(".strip button")).to_have_count(4)
        becomes(page, "window.shown.scene.panels[0].image", "own-3")
        square = pixels[:, 20:90].permute(2, 0, 1)[None]
        photo = shipped()[0]._replace(pixels=square[0])
        wanted = cosines(x := layer(models[0], photo, 2), x)
        is_a_row(page, "fine", wanted, most=2e-3)
        for name, sentence in (
            ("cut.png", "cut.png is not a photograph that this browser can read"),
            ("a.svg", "a.svg is not a photograph that this browser can read"),
            ("big.png", "big.png is larger than 32 MB"),
        ):
            chooser.set_input_files(tmp_path / name)
            expect(page.locator(".alert")).to_contain_text(sentence)


@pytest.mark.slow
def test_a_page_opened_from_a_folder_says_how_to_serve_it(folder, browser):
    with patient(browser) as page:  # its console reports that modules are refused, as it must
        page.goto((folder / "index.html").as_uri())
        expect(page.locator(".alert")).to_contain_text(f'python -m http.server -d "{folder}/"')


@pytest.mark.slow
def test_a_graph_that_computes_something_else_is_refused(models, tmp_path, monkeypatch):
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    with monkeypatch.context() as patched:
        patched.setattr(graph, "CLOSE", -1.0)
        with pytest.raises(UserError, match="the graph of fine differs from torch"):
            write_graph(models[0], tmp_path / "fine.onnx")


def test_a_failure_leaves_nothing_behind(models, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(site, "runtime_files", lambda archive: FAKE)

    def fails(named, path):
        raise UserError(f"{named.name}: its layers cannot be read")

    monkeypatch.setattr(site, "write_graph", fails)
    with pytest.raises(UserError, match="cannot be read"):
        write_site(models, photos, tmp_path / "demo")
    with pytest.raises(UserError, match="'fine' is named twice"):
        write_site([models[0], models[0]], photos, tmp_path / "demo")
    assert not list(tmp_path.iterdir())


def test_a_runtime_is_that_of_npm_to_the_byte(tmp_path, monkeypatch):
    archive = tmp_path / "onnxruntime-web-1.30.0.tgz"
    archive.write_bytes(b"anything else")
    with pytest.raises(UserError, match="is not the package onnxruntime-web 1.30.0 of npm"):
        runtime_files(archive)
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_registry", tmp_path.as_uri())
    with pytest.raises(UserError, match="cannot be downloaded .*npm pack.*--runtime"):
        runtime_files()
    place = tmp_path / "onnxruntime-web/-"
    place.mkdir(parents=True)
    (place / archive.name).write_bytes(b"a page of a proxy")
    with pytest.raises(UserError, match="the download of .* is not the package"):
        runtime_files()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["--to", "."], "--to . exists; choose another name"),
        (["--to", "none/demo"], "the folder none does not exist; create it first"),
        (["zoo:nosuch", "--to", "demo"], "there is no model 'nosuch'"),
        (["--to", "demo", "--data", "nosuch"], "no source 'nosuch'"),
        ([], "export-demo needs --to"),
    ],
)
def test_bad_input_is_one_sentence(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["export-demo", *words]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())
