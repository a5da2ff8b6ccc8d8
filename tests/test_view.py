"""The page of `siamlab view`: what its server answers, what it refuses, and the command."""

import asyncio
import io
import signal
import socket
import subprocess
import sys
import time
import webbrowser
import zipfile
import zlib
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from siamlab import open_models, probe
from siamlab.cli import view as command
from siamlab.cli.main import main
from siamlab.cli.words import view_words
from siamlab.component import UserError
from siamlab.data import Fashion, Scenes, sample, take
from siamlab.explore.view import collection as collection_module
from siamlab.explore.view import encoders, photos, responses, routes, server
from siamlab.explore.view.collection import Collection
from siamlab.explore.view.crops import Crops
from siamlab.explore.view.encoders import Encoders, Kept
from siamlab.explore.view.photos import Album, decoded, opened, shipped
from siamlab.figure import disagreement_table
from siamlab.machine.shelf import Shelf
from siamlab.probe import object_match
from siamlab.probe.suite import passes

MODELS = ["zoo:siameseim", "zoo:scenes_mae"]  # of 32 and 40 pixels
TOKEN = "secret"


@pytest.fixture(scope="module")
def models():
    return [open_models(name)[0] for name in MODELS]


@pytest.fixture(scope="module")
def ships():
    return shipped()


@pytest.fixture
def client(models, ships):
    app = server.application(Encoders(models), Album(ships), TOKEN)
    return TestClient(app, base_url=f"http://{server.HERE}/{TOKEN}/", raise_server_exceptions=False)


def file(image, kind="PNG", **options):
    image.save(data := io.BytesIO(), format=kind, **options)
    return data.getvalue()


def noise(width=60, height=40):
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8))


def numbers(answer, *shape):
    assert answer.status_code == 200
    return torch.from_numpy(np.frombuffer(answer.content, "<f2").astype("f4")).view(*shape)


def sentence(answer, status):
    assert answer.status_code == status
    said = answer.json()["error"]
    assert said and "\n" not in said and "Traceback" not in said
    return said


def test_the_page_asks_for_nothing_from_elsewhere(client):
    for address, kind in (("", "html"), ("view.js", "javascript"), ("view.css", "css")):
        answer = client.get(address)
        assert answer.status_code == 200 and kind in answer.headers["content-type"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("address", ["/", "/about", "/wrong/", "/wrong/about", "/secre/photos/x"])
def test_without_the_secret_nothing_is_answered(client, address):
    assert "secret of the page" in sentence(client.get(f"http://{server.HERE}{address}"), 403)
    assert client.post(f"http://{server.HERE}{address}", content=b"x").status_code == 403


def test_names_of_other_hosts_are_refused(client):
    assert client.get("about", headers={"host": "example.org"}).status_code == 400
    assert client.get("about", headers={"host": "localhost:1234"}).status_code == 200


def test_the_page_is_told_what_there_is(client, models, ships):
    told = client.get("about").json()
    assert [each["name"] for each in told["models"]] == MODELS
    assert [each["grid"] for each in told["models"]] == [[8, 8], [5, 5]]
    assert [each["id"] for each in told["photos"]] == [photo.id for photo in ships]
    assert told["photos"][1]["name"] == "raccoon" and len({p.id for p in ships}) == len(ships)
    shown = Image.open(io.BytesIO(client.get(f"photos/{ships[2].id}").content))
    assert torch.equal(torch.from_numpy(np.array(shown)).permute(2, 0, 1), ships[2].pixels)


def test_features_are_those_of_the_probes(client, models, ships):
    for i, named in enumerate(models):
        layers = probe.by_layer(named.model, ships[0].pixels[None], "patches")
        for number in (1, len(layers)):
            wanted = layers[number - 1][0]
            got = numbers(client.get(f"features/{i}/{ships[0].id}/{number}"), *wanted.shape)
            torch.testing.assert_close(got, wanted, atol=1e-3, rtol=1e-3)


def test_attention_is_that_of_the_probes(client, models, ships):
    pixels, (rows, columns) = ships[3].pixels[None], (5, 5)
    heads, count = models[1].model.blocks[-1].attn.num_heads, rows * columns
    got = numbers(client.get(f"attention/1/{ships[3].id}/2"), heads, count + 1, count)
    first = probe.class_attentions(models[1].model, pixels, layers=[1])[0, 0]
    other = probe.patch_attentions(models[1].model, pixels, query=7, layers=[1])[0, 0]
    torch.testing.assert_close(got[:, 0], first, atol=1e-3, rtol=2e-3)
    torch.testing.assert_close(got[:, 8], other, atol=1e-3, rtol=2e-3)
    flow = numbers(client.get(f"rollout/1/{ships[3].id}"), 1, count)
    wanted = probe.rollout(models[1].model, pixels)
    torch.testing.assert_close(flow, wanted, atol=1e-3, rtol=2e-3)


def test_a_model_sees_a_photograph_once(client, models, ships, monkeypatch):
    seen = []
    by_layer = probe.by_layer
    monkeypatch.setattr(probe, "by_layer", lambda *a: seen.append(a) or by_layer(*a))
    for layer in (1, 2, 1):
        assert client.get(f"features/0/{ships[0].id}/{layer}").status_code == 200
    assert len(seen) == 1


def test_the_oldest_results_are_dropped():
    kept = Kept(most=100)
    for i in range(3):
        kept.put((i,), [torch.zeros(40, dtype=torch.uint8)])
        kept.get((0,))  # so that 1 is the oldest
    assert kept.get((1,)) is None and kept.get((0,)) and kept.get((2,)) and kept.size() == 80
    kept.put((4,), [torch.zeros(200, dtype=torch.uint8)])  # the newest stays, however large
    assert kept.size() == 200


@pytest.mark.parametrize(
    "address, said",
    [
        ("features/9/{}/1", "no model 9"),
        ("features/0/{}/0", "from 1 to 6"),
        ("features/0/{}/99", "from 1 to 6"),
        ("attention/0/{}/99", "from 1 to 6"),
        ("features/0/nothing/1", "no photograph nothing"),
        ("photos/nothing", "no photograph nothing"),
        ("nothing", "Not Found"),
    ],
)
def test_what_is_not_there_is_one_sentence(client, ships, address, said):
    assert said in sentence(client.get(address.format(ships[0].id)), 404)


def test_attention_that_no_page_could_hold_is_one_sentence(client, ships, monkeypatch):
    monkeypatch.setattr(encoders, "MOST_ATTENTION", 1000)
    assert [each["heads"] for each in client.get("about").json()["models"]] == [0, 0]
    for address in (f"attention/0/{ships[0].id}/1", f"rollout/0/{ships[0].id}"):
        assert "cannot be shown" in sentence(client.get(address), 409)


def test_a_map_holds_all_images(models, ships):
    images = sample(Fashion()("test"), 30)
    app = server.application(Encoders(models), Album(ships), TOKEN, Collection(images, "fashion"))
    client = TestClient(app, base_url=f"http://{server.HERE}/{TOKEN}/")
    told = client.get("about").json()["map"]
    assert told["labels"] == images.labels.tolist() and told["across"] == 6
    wanted = probe.features(models[0].model, images.pixels).pooled
    got = numbers(client.get("map/0"), *wanted.shape)
    torch.testing.assert_close(got, wanted, atol=1e-3, rtol=1e-3)
    sheet = np.array(Image.open(io.BytesIO(client.get("map/sheet").content))).astype(float)
    assert sheet.shape == (5 * 48, 6 * 48, 3)
    tile = sheet[48:96, 48:96].mean(axis=(0, 1))  # image 7
    assert tile == pytest.approx(images.pixels[7].float().mean(dim=(1, 2)).tolist(), abs=4)
    looked = client.post("map/look/7").json()
    assert looked["name"] == "fashion 7"
    assert client.get(f"features/0/{looked['id']}/1").status_code == 200
    sentence(client.post("map/look/30"), 404)
    sentence(client.get("map/2"), 404)
    with pytest.raises(UserError, match="--images"):
        Collection(sample(images, 2), "fashion")


def test_neighbours_vote_on_the_images_of_a_map(models, ships, monkeypatch):
    images = sample(Fashion()("test"), 40)
    collection = Collection(images, "fashion")
    app = server.application(Encoders(models), Album(ships), TOKEN, collection)
    client = TestClient(app, base_url=f"http://{server.HERE}/{TOKEN}/")
    assert client.get("about").json()["map"]["k"] == 20
    pooled = numbers(client.get("map/0"), 40, -1)
    votes = client.get("map/0/votes").json()
    wanted = probe.knn_votes(pooled, images.labels, 20)
    assert votes["label"] == wanted.label.tolist()
    assert votes["share"] == pytest.approx(wanted.share.tolist(), abs=6e-4)
    places = numbers(client.get("map/0/tsne"), 40, 2)
    near = torch.cdist(places, places).fill_diagonal_(torch.inf).argmin(dim=1)
    unit = torch.nn.functional.normalize(pooled, dim=1)
    ranks = (unit @ unit.T).argsort(dim=1, descending=True).argsort(dim=1)
    assert ranks[torch.arange(40), near].float().mean() < 8  # of 39; 20 at random
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    said = sentence(client.get("map/1/tsne"), 409)
    assert "pip install 'siamlab[map]'" in said
    monkeypatch.setitem(sys.modules, "umap", None)
    assert "pip install 'siamlab[umap]'" in sentence(client.get("map/0/umap"), 409)
    one = Collection(images._replace(labels=torch.full((40,), -1)), "mine")
    app = server.application(Encoders(models), Album(ships), TOKEN, one)
    client = TestClient(app, base_url=f"http://{server.HERE}/{TOKEN}/")
    assert client.get("about").json()["map"]["k"] == 0
    assert "mine has no two classes" in sentence(client.get("map/0/votes"), 409)


def test_features_of_the_maps_images_are_kept_for_the_next_page(models, tmp_path, monkeypatch):
    images, model = sample(Fashion()("test"), 40), models[0].model
    pages = [Collection(images, "fashion", Shelf(tmp_path, 10**8)) for _ in range(2)]
    first = pages[0].pooled(model, "a")
    assert torch.equal(first, Collection(images, "fashion").pooled(model))
    monkeypatch.setattr(passes, "features_without_patches", None)  # no image may be passed again
    assert torch.equal(pages[1].pooled(model, "a"), first)


@pytest.mark.slow
def test_umap_is_offered_where_it_is_installed_and_keeps_what_is_alike_together(models, ships):
    pytest.importorskip("umap")
    collection = Collection(sample(Fashion()("test"), 40), "fashion")
    app = server.application(Encoders(models), Album(ships), TOKEN, collection)
    client = TestClient(app, base_url=f"http://{server.HERE}/{TOKEN}/")
    assert client.get("about").json()["map"]["layouts"] == ["components", "tsne", "umap"]
    pooled = numbers(client.get("map/0"), 40, -1)
    places = numbers(client.get("map/0/umap"), 40, 2)
    near = torch.cdist(places, places).fill_diagonal_(torch.inf).argmin(dim=1)
    unit = torch.nn.functional.normalize(pooled, dim=1)
    ranks = (unit @ unit.T).argsort(dim=1, descending=True).argsort(dim=1)
    assert ranks[torch.arange(40), near].float().mean() < 8  # of 39; 20 at random
    assert torch.equal(places.half(), collection_module.umap(pooled.half()))  # no chance in it
    few = collection_module.umap(pooled[:3].half())
    assert few.shape == (3, 2) and few.isfinite().all()


def test_umap_is_not_offered_where_it_is_not_installed(monkeypatch):
    def version(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(collection_module, "version", version)
    assert collection_module.layouts() == ["components", "tsne"]


def test_the_places_on_which_models_disagree_are_those_of_the_figure(models, ships):
    images = sample(Fashion()("test"), 3)
    album, own = Album(ships[:2]), Collection(images, "fashion")
    app = server.application(Encoders(models), album, TOKEN, own)
    client = TestClient(app, base_url=f"http://{server.HERE}/{TOKEN}/")
    assert client.get("about").json()["pairs"] == 2 * 2 + 3
    crops = Crops(ships[:2], images, 32)
    views = crops.views
    found = {m.name: tuple(probe.features(m.model, v.image) for v in views) for m in models}
    table = disagreement_table(found, *views, each=None)
    told = client.get("matches/0/1").json()
    assert told["places"] == table["rank"].max() and len(told["entries"]) == 7
    for i, model in enumerate(told["models"]):
        rows = table.filter(model=MODELS[i])
        assert model["mean"] == pytest.approx(rows["patches"].mean(), rel=1e-4)
        top = rows.row(0, named=True)
        entry = told["entries"][0]
        assert entry["found"][i]["error"] == pytest.approx(top["error"], rel=1e-4)
        assert (entry["y"], entry["true_x"]) == pytest.approx((top["y"], top["true_x"]))
    a = entry["a"]
    shown = np.array(Image.open(io.BytesIO(client.get(f"crops/{a}").content)))
    wanted = views[0].image[top["pair"]].permute(1, 2, 0) * 255
    assert abs(shown - wanted.numpy()).max() <= 1
    sentence(client.get(f"features/0/{a}/1"), 404)  # until it is opened
    opened_crop = client.post(f"crops/{a}").json()
    assert opened_crop["crop"]["box"] == pytest.approx(views[0].box[top["pair"]].tolist())
    assert client.get(f"features/0/{a}/1").status_code == 200
    assert "does not disagree with itself" in sentence(client.get("matches/1/1"), 400)
    sentence(client.get("matches/0/2"), 404)
    sentence(client.post("crops/none"), 404)


def test_scenes_are_matched_on_the_object_that_both_show(models):
    """Against the definition of the probe; and a patch that knows its place on the object wins."""
    images = Scenes(images=8, test_images=8, side=48)("test")
    crops = Crops([], images, 32)
    assert len(crops) == 4 and crops.source(3) == "images 6 and 7"
    a, b = (take(images, torch.arange(side, 8, 2)) for side in (0, 1))
    wanted = object_match(a.masks, a.objects, b.objects, (8, 8))
    match = crops.match((8, 8))
    assert torch.equal(match.inside, wanted.inside) and wanted.inside.any(dim=1).all()
    assert (match.points - wanted.points)[wanted.inside].abs().max() < 1e-5
    assert (a.objects.flip != b.objects.flip).any()  # one of them mirrored
    app = server.application(Encoders(models), Album(), TOKEN, Collection(images, "scenes"))
    client = TestClient(app, base_url=f"http://{server.HERE}/{TOKEN}/")
    told = client.get("matches/0/1").json()
    assert told["scenes"] == len(told["entries"]) == 4
    assert told["places"] == int(wanted.inside.sum())  # the first model has 8 × 8 patches
    entry = told["entries"][0]
    first, second = (client.post(f"crops/{entry[side]}").json() for side in "ab")
    pair = first["crop"]["pair"]
    assert first["name"] == f"images {2 * pair} and {2 * pair + 1}, scene {pair + 1}a"
    assert second["crop"]["pair"] == pair and second["side"] == 224
    on = torch.tensor([[int(v) for v in row] for row in first["crop"]["on"]]).bool()
    assert on.any() and not on[a.masks[pair] == 0].any()


@pytest.mark.parametrize(
    "address, status",
    [
        ("features/0/{}/0", 404),
        ("features/0/{}/99", 404),
        ("features/9/{}/1", 404),
        ("features/-1/{}/1", 404),
        ("features/nan/{}/1", 404),
        ("features/0/{}/1.5", 404),
        ("features/0/{}/" + "9" * 5000, 404),
        ("features/" + "9" * 5000 + "/{}/1", 404),
        ("features/0/{}/1?step=" + "9" * 5000, 404),
        ("features/%D9%A3/{}/1", 404),
        ("matches/0/" + "9" * 5000, 404),
        ("features/0/nope/1", 404),
        ("attention/0/{}/99", 404),
        ("attention/9/{}/1", 404),
        ("rollout/9/{}", 404),
        ("rollout/0/nope", 404),
        ("photos/%00", 404),
        ("photos/../../../etc/passwd", 403),
        ("../about", 403),
        ("photos", 405),
        ("map/0", 404),
        ("nothing", 404),
    ],
)
def test_addresses_of_what_is_not_there_are_refused(client, ships, address, status):
    sentence(client.get(address.format(ships[0].id)), status)
    assert client.put(address.format(ships[0].id)).status_code in (403, 404, 405)


@pytest.mark.parametrize(
    "name", ["", " ", "\x1b[31m\n", "x" * 5000, "<script>", "../../etc/passwd"]
)
def test_names_of_uploads_do_no_harm(client, name):
    answer = client.post("photos", params={"name": name}, content=b'{"not": "a photograph"}')
    assert "\x1b" not in sentence(answer, 415) and len(answer.json()["error"]) < 300


def test_a_length_that_is_told_is_believed(client):
    told = {"content-length": "9" * 11}
    said = sentence(client.post("photos", content=b"x", headers=told), 413)
    assert said.startswith("photograph is larger than 32 MB")


def test_an_upload_that_is_broken_off_is_no_fault_of_the_server(models):
    application = server.application(Encoders(models), Album(()), "secret")
    scope = {"type": "http", "method": "POST", "path": "/secret/photos", "query_string": b"",
             "headers": [(b"host", b"localhost")]}  # fmt: skip
    sent, parts = [], [{"type": "http.request", "body": b"a part", "more_body": True}]

    async def receive():
        return parts.pop() if parts else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    assert sent[0]["status"] == 400 and b"was not sent to its end" in sent[1]["body"]


def test_a_page_without_images_has_no_map(client):
    assert client.get("about").json()["map"] is None
    sentence(client.get("map/0"), 404)


def test_a_fault_of_the_server_is_told(client, ships, monkeypatch):
    monkeypatch.setattr(routes, "encoded", lambda photo: 1 / 0)
    assert "terminal" in sentence(client.get(f"photos/{ships[0].id}"), 500)


def test_a_photograph_is_added_as_training_images_are_read(client, tmp_path):
    turned = noise(60, 40)
    exif = turned.getexif()
    exif[0x0112] = 6  # a quarter turn
    data = file(turned, "PNG", exif=exif)
    answer = client.post("photos", params={"name": "mine.png"}, content=data)
    assert answer.status_code == 201 and answer.json()["name"] == "mine.png"
    (tmp_path / "mine.png").write_bytes(data)
    wanted = photos.opened([tmp_path])[0]
    assert answer.json()["id"] == wanted.id and wanted.pixels.shape == (3, 40, 40)
    upright = np.rot90(np.array(turned), -1)[10:50]  # [40, 40]: the centre square
    assert np.array_equal(wanted.pixels.permute(1, 2, 0).numpy(), upright)
    assert client.get(f"features/0/{wanted.id}/6").status_code == 200
    again = client.post("photos", params={"name": "again.png"}, content=data)
    assert again.json()["id"] == wanted.id
    assert len(client.get("about").json()["photos"]) == 12


def bomb():
    """A PNG of 30,000 × 30,000 black pixels in about 110 kB."""

    def chunk(kind, data):
        sum_ = zlib.crc32(kind + data).to_bytes(4)
        return len(data).to_bytes(4) + kind + data + sum_

    head = (30_000).to_bytes(4) * 2 + bytes([1, 0, 0, 0, 0])
    rows = zlib.compress(bytes(30_000 * (30_000 // 8 + 1)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def resized(width, height, **options):
    """A small JPEG whose header says other sides."""
    data = file(Image.new("RGB", (321, 123)), "JPEG", **options)
    return data.replace(bytes([0, 123, 1, 65]), height.to_bytes(2) + width.to_bytes(2), 1)


def archive():
    with zipfile.ZipFile(data := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("cat.png", bytes(10_000_000))
    return data.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
UPLOADS = {
    "vast.jpg": (lambda: resized(12_000, 16_000), 413, "40 megapixels"),
    "wide.jpg": (lambda: resized(12_000, 14_200), 413, "170 megapixels"),
    "slow.jpg": (lambda: resized(8192, 6200, progressive=True), 413, "40 megapixels"),
    "large.png": (lambda: file(Image.new("1", (8192, 6200))), 413, "40 megapixels"),
    "phone.heic": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", 415, "HEIC photograph"),
    "cut.png": (lambda: file(noise())[:-300], 415, "cut short"),
    "page.svg": (lambda: SVG, 415, "JPEG or PNG"),
    "bomb.png": (bomb, 413, "40 megapixels"),
    "bomb.zip": (archive, 415, "JPEG or PNG"),
    "nothing.jpg": (lambda: b"", 415, "JPEG or PNG"),
    "words.jpg": (lambda: b"\xff\xd8\xff not a photograph", 415, "JPEG or PNG"),
}


@pytest.mark.parametrize("name", UPLOADS)
def test_what_is_no_photograph_is_one_sentence(client, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    make, status, words = UPLOADS[name]
    said = sentence(client.post("photos", params={"name": name}, content=make()), status)
    assert said.startswith(name) and words in said
    assert len(client.get("about").json()["photos"]) == 11
    assert list(tmp_path.iterdir()) == []


def test_a_photograph_of_48_megapixels_is_read_at_a_reduced_size(client):
    halves = Image.new("L", (8064, 6048))
    halves.paste(255, (4032, 0, 8064, 6048))
    answer = client.post("photos?name=phone.jpg", content=file(halves, "JPEG"))
    assert answer.status_code == 201 and answer.json()["side"] == 448
    seen = np.array(Image.open(io.BytesIO(client.get(f"photos/{answer.json()['id']}").content)))
    assert seen[:, :200].max() < 10 and seen[:, 248:].min() > 245


def test_bytes_and_photographs_are_bounded(client, monkeypatch):
    data = file(noise())
    monkeypatch.setattr(responses, "MOST_BYTES", len(data) - 1)
    assert "larger than" in sentence(client.post("photos?name=a.png", content=data), 413)
    monkeypatch.setattr(responses, "MOST_BYTES", len(data))
    monkeypatch.setattr(photos, "MOST_PHOTOS", 11)
    assert "11 photographs at most" in sentence(client.post("photos?name=a.png", content=data), 409)
    monkeypatch.setattr(photos, "MOST_PHOTOS", 12)
    assert client.post("photos?name=a.png", content=data).status_code == 201


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "I;16", "CMYK", "1"])
def test_every_mode_of_a_photograph_is_read(mode):
    image = Image.new(mode, (9, 7)) if mode == "I;16" else noise().convert(mode)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    assert decoded("x", file(image, kind)).pixels.shape[0] == 3


def test_words_are_models_and_photographs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noise().save("cat.png")
    (tmp_path / "album").mkdir()
    noise().save("album/dog.jpg")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.toml").touch()
    noise().save("run/film.png")
    words = ["zoo:mae", "data=scenes", "cat.png", "album", "run", "data.images=60"]
    own = ["data=scenes", "data.images=60"]
    assert view_words(words) == (["zoo:mae", "run"], ["cat.png", "album"], own)
    assert [photo.name for photo in opened(["cat.png", "album"])] == ["cat.png", "dog.jpg"]
    with pytest.raises(UserError, match="needs a model before"):
        view_words(["cat.png"])


@pytest.fixture
def served(monkeypatch):
    """The application that the command would serve, and the address that it opens."""
    said = {}
    monkeypatch.setattr(command, "serve", lambda app, taken: said.update(app=app))
    monkeypatch.setattr(command, "open_browser", lambda url: said.update(opened=url))
    return said


def test_the_command_says_where_the_page_is(served, capsys, tmp_path):
    noise().save(tmp_path / "cat.png")
    assert main(["view", "zoo:mae", str(tmp_path / "cat.png")]) == 0
    url, *rest = capsys.readouterr().out.splitlines()
    assert rest == [] and url.startswith("http://127.0.0.1:")
    assert served["opened"] == url.split()[0]
    told = TestClient(served["app"], base_url=served["opened"]).get("about").json()
    assert [each["name"] for each in told["models"]] == ["zoo:mae"]
    assert [each["name"] for each in told["photos"]] == ["cat.png"]
    words = "data=scenes data.test_images=40 --images 20 --no-browser".split()
    assert main(["view", "zoo:mae", *words]) == 0
    other = capsys.readouterr().out.split()[0]
    assert other.split("/")[3] != served["opened"].split("/")[3] and len(other.split("/")[3]) > 20
    told = TestClient(served["app"], base_url=other).get("about").json()
    assert told["map"]["name"] == "scenes" and len(told["map"]["labels"]) == 20
    assert len(told["photos"]) == 11 and served["opened"] != other


def test_mistakes_of_the_command_are_one_sentence(served, capsys, tmp_path):
    (tmp_path / "cut.png").write_bytes(file(noise())[:-300])
    with socket.socket() as busy:
        busy.bind((server.HERE, 0))
        busy.listen()
        port = str(busy.getsockname()[1])
        for words, said in (
            (["zoo:mae", "--port", port], f"--port {port} cannot be used"),
            (["zoo:mae", "--port", "70000"], "0 (a free one) to 65535"),
            (["zoo:nothing"], "there is no model"),
            (["nowhere"], "there is no run's folder"),
            ([], "needs a model"),
            (["zoo:mae", str(tmp_path / "cut.png")], "cut short"),
            (["zoo:mae", str(tmp_path / "none.png")], "cannot be read (No such file"),
            (["zoo:mae", "zoo:mae"], "named twice"),
            (["zoo:mae", "--device", "tpu"], "there is no device"),
            (["zoo:mae", "--size", "33"], "multiple of"),
        ):
            assert main(["view", *words]) == 2, words
            told = capsys.readouterr().err
            assert said in told and "Traceback" not in told and told.count("\n") == 1, told
    assert not served


@pytest.mark.parametrize("name, opens", [("firefox", True), ("w3m", False)])
def test_a_browser_of_the_terminal_is_left_alone(monkeypatch, name, opens):
    asked = []
    browser = webbrowser.GenericBrowser(name)
    monkeypatch.setattr(browser, "open", lambda url: asked.append(url))
    monkeypatch.setattr(webbrowser, "get", lambda: browser)
    command.open_browser("http://127.0.0.1:1/")
    assert bool(asked) == opens


def test_an_interrupt_ends_it(monkeypatch):
    def interrupted(self, sockets):
        raise KeyboardInterrupt

    monkeypatch.setattr("uvicorn.Server.run", interrupted)
    with server.bound(0) as taken:
        server.serve(Starlette(), taken)


@pytest.mark.slow
def test_ctrl_c_ends_the_command_cleanly():
    words = [sys.executable, "-m", "siamlab.cli.main", "view", "zoo:mae", "--no-browser"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        url = run.stdout.readline().split()[0]
        host = url.split("/")[2].split(":")
        for _ in range(100):
            try:
                socket.create_connection((host[0], int(host[1])), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        time.sleep(1)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    assert (run.returncode, out, err) == (0, "", "")
