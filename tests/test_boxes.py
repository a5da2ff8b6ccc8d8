"""PASCAL VOC and COCO, read from small files in their formats, and boxes found in them."""

import json
import os
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from shown_at import shown_at
from test_spair import colours
from unprivileged import unprivileged

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.data.coco import COCO_CLASSES, read_coco
from siamlab.data.voc import LARGEST, VOC_CLASSES, parsed, read_voc
from siamlab.evaluate.standard import CocoBoxes, VocBoxes, boxes, measure_standard
from siamlab.probe.detector import fit_detector
from siamlab.probe.suite.standard import STANDARD

CALM = pytest.mark.filterwarnings("ignore:.*scores are not comparable")
SIZE = (64, 48)  # width, height
# class of VOC, class of COCO, colour, box (x, y, width, height), difficult or crowd
PLACES = [
    ("dog", "dog", (250, 20, 20), (4, 8, 28, 32), 0),
    ("aeroplane", "airplane", (20, 20, 250), (24, 4, 36, 24), 0),
    ("dog", "dog", (250, 20, 20), (30, 16, 30, 30), 0),
    ("aeroplane", "airplane", (20, 20, 250), (0, 20, 40, 28), 0),
]


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    """A cache of each test's own, and protocols at 48 pixels."""
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    shown_at(monkeypatch, VocBoxes, side=48)
    shown_at(monkeypatch, CocoBoxes, side=48)


def write_image(file, number):
    _, _, colour, (x, y, width, height), _ = PLACES[number % len(PLACES)]
    pixels = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    pixels[y : y + height, x : x + width] = colour
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file, quality=95)


def annotation(number, difficult=0):
    name, _, _, (x, y, width, height), _ = PLACES[number % len(PLACES)]
    corners = dict(xmin=x + 1, ymin=y + 1, xmax=x + width, ymax=y + height)
    inside = "".join(f"<{key}>{value}</{key}>" for key, value in corners.items())
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    return (
        f"<annotation><size><width>{SIZE[0]}</width><height>{SIZE[1]}</height></size>"
        f"<object><name>{name}</name><difficult>{difficult}</difficult>"
        f"<bndbox>{inside}</bndbox>{part}</object></annotation>"
    )


def write_voc(root, images=8):
    """The first half to train on, of which a quarter is `train`; the second half is `test`."""
    lists = root / "ImageSets/Main"
    lists.mkdir(parents=True, exist_ok=True)
    (root / "Annotations").mkdir(exist_ok=True)
    names = [f"{number:06}" for number in range(images)]
    for number, name in enumerate(names):
        write_image(root / f"JPEGImages/{name}.jpg", number)
        (root / f"Annotations/{name}.xml").write_text(annotation(number))
    half = images // 2
    splits = dict(train=names[:2], val=names[2:half], trainval=names[:half], test=names[half:])
    for split, some in splits.items():
        (lists / f"{split}.txt").write_text("".join(f"{name}\n" for name in some))
    return root


def write_coco(root, images=4):
    """As many images to train on as to test on; the last training image has no box."""
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    for split in ("train", "val"):
        content = dict(info={}, images=[], annotations=[], categories=[
            dict(id=18, name="dog", supercategory="animal"), dict(id=5, name="airplane")
        ])  # fmt: skip
        for number in range(images + (split == "train")):
            name = f"{number:012}.jpg"
            write_image(root / f"{split}2017" / name, number)
            content["images"].append(
                dict(id=100 + number, file_name=name, width=SIZE[0], height=SIZE[1])
            )
        for number in range(images):
            _, kind, _, box, _ = PLACES[number % len(PLACES)]
            content["annotations"].append(
                dict(
                    id=number, image_id=100 + number, category_id={"dog": 18}.get(kind, 5),
                    bbox=list(box), iscrowd=0, segmentation=[[0.5] * 8], area=1.0,
                )
            )  # fmt: skip
        (root / f"annotations/instances_{split}2017.json").write_text(json.dumps(content))
    return root


def changed(root, change, split="val"):
    """Change what COCO's file of a split holds."""
    file = root / f"annotations/instances_{split}2017.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


# the readers


@CALM
def test_voc_counts_pixels_from_1_with_both_ends_inside(tmp_path):
    root = write_voc(tmp_path)
    (root / "Annotations/000005.xml").write_text(annotation(5, difficult=1))
    found = read_voc(str(root), "test")
    assert [file.name for file in found.images] == [f"{n:06}.jpg" for n in range(4, 8)]
    assert found.sizes.tolist() == [[48, 64]] * 4 and found.image.tolist() == [0, 1, 2, 3]
    assert [VOC_CLASSES[n] for n in found.label] == ["dog", "aeroplane"] * 2
    assert found.box[0].tolist() == [8, 4, 40, 32]  # top, left, bottom, right
    assert found.skipped.tolist() == [False, True, False, False] and not found.crowd.any()


@CALM
def test_coco_counts_from_the_corner_and_crowds_are_skipped(tmp_path):
    root = write_coco(tmp_path)

    def change(content):
        content["annotations"][1]["iscrowd"] = 1
        content["annotations"][2]["bbox"][2] = 0  # without area
        content["annotations"][3]["bbox"][2:] = [64.5, 28.4]  # rounding beyond the border

    changed(root, change)
    found = read_coco(str(root), "val")
    assert len(found.images) == 4 and found.image.tolist() == [0, 1, 3]
    assert [COCO_CLASSES[n] for n in found.label] == ["dog", "airplane", "airplane"]
    assert found.box[0].tolist() == [8, 4, 40, 32] and found.box[2].tolist() == [20, 0, 48, 64]
    assert found.crowd.tolist() == found.skipped.tolist() == [False, True, False]


@CALM
def test_training_images_without_a_box_are_left_out_and_the_seed_draws_the_rest(tmp_path):
    root = str(write_coco(tmp_path))
    assert len(read_coco(root, "train").images) == 5
    assert len(read_coco(root, "train", boxes=True).images) == 4
    one, two = (read_coco(root, "train", 2, boxes=True).images for _ in range(2))
    assert len(one) == 2 and one == two and one == tuple(sorted(one))


def test_lists_of_classes_are_those_of_the_sets():
    assert (len(VOC_CLASSES), len(COCO_CLASSES), len(set(COCO_CLASSES))) == (20, 80, 80)
    keys = {probe.key for probe in STANDARD}
    named = {f"coco_boxes_{name.replace(' ', '_')}" for name in COCO_CLASSES}
    assert {f"voc_boxes_{name}" for name in VOC_CLASSES} | named <= keys


def test_few_images_are_said_and_read(tmp_path):
    with pytest.warns(UserWarning, match="has 4 images in test, but VOC has 4,952 or more"):
        read_voc(str(write_voc(tmp_path / "voc")), "test")
    with pytest.warns(UserWarning, match="has 4 images, but COCO has 5,000"):
        read_coco(str(write_coco(tmp_path / "coco")), "val")


def replaced(name, old, new):
    def spoil(root):
        file = root / name
        file.write_text(file.read_text().replace(old, new))

    return spoil


def in_unknown_letters(root):
    (root / XML).write_text('<?xml version="1.0" encoding="x-none"?>' + annotation(4))


BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaa">]><annotation>&a;</annotation>'
XML = "Annotations/000004.xml"


@CALM
@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda r: (r / "ImageSets/Main/test.txt").unlink(), "test.txt must list .*split=val"),
        (lambda r: (r / "ImageSets/Main/test.txt").write_text("\n"), "test.txt must list images"),
        (lambda r: (r / "ImageSets/Main/test.txt").write_text("../x\n"), "must list images"),
        (lambda r: (r / "ImageSets/Main/test.txt").write_text("000004\n" * 2),
         "test.txt lists '000004' more than once"),
        (lambda r: ((r / XML).unlink(), os.mkfifo(r / XML)), "000004.xml is not there, or"),
        (lambda r: (r / XML).unlink(), "annotation .*000004.xml is not there, or is damaged"),
        (lambda r: (r / XML).write_text(annotation(4)[:90]), "000004.xml is not there, or is dam"),
        (in_unknown_letters, "000004.xml is not there, or is damaged"),
        (lambda r: (r / XML).write_text(BOMB), "000004.xml is not there, or is damaged"),
        (lambda r: (r / XML).write_text(annotation(4) + " " * LARGEST), "000004.xml is not there"),
        (replaced(XML, "<xmin>5</xmin>", ""), "000004.xml is not there, or is damaged, or lacks"),
        (replaced(XML, "<xmin>5<", "<xmin>50<"), "000004.xml is not there, or is damaged"),
        (replaced(XML, "<xmax>32<", "<xmax>nan<"), "000004.xml is not there, or is damaged"),
        (replaced(XML, ">dog<", ">fox<"), "000004.xml has an object of class 'fox', which is none"),
        (replaced(XML, "<xmax>32<", "<xmax>99<"), "has a box from 4, 8 to 99, 40 in 000004.jpg"),
        (replaced(XML, "<width>64<", "<width>99<"), "has 64 × 48 pixels and 99 × 48 in .*000004.x"),
        (lambda r: (r / "JPEGImages/000004.jpg").unlink(), "000004.jpg is not there or cannot be"),
    ],
)  # fmt: skip
def test_mistakes_in_voc_are_one_sentence_each(spoil, message, tmp_path):
    spoil(write_voc(tmp_path))
    with pytest.raises(UserError, match=f"^data.path: .*{message}"):
        read_voc(str(tmp_path), "test")


JSON, IMAGE = "annotations/instances_val2017.json", "val2017/000000000001.jpg"
DAMAGED = "instances_val2017.json is damaged, or lacks images, annotations"


def with_entry(kind, **fields):
    """The second image, annotation or category has other fields."""
    return lambda root: changed(root, lambda content: content[kind][1].update(fields))


def has_an_image_twice(root):
    content = json.loads((root / JSON).read_text())
    content["images"].append(content["images"][0])
    (root / JSON).write_text(json.dumps(content))


@CALM
@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda r: (r / JSON).unlink(), r"val2017.json cannot be read \(No such file"),
        (lambda r: ((r / JSON).unlink(), (r / JSON).mkdir()), r"cannot be read \(Is a directory"),
        (lambda r: ((r / JSON).unlink(), os.mkfifo(r / JSON)), r"cannot be read \(it is a pipe"),
        (lambda r: (r / JSON).write_text(""), DAMAGED),
        (lambda r: changed(r, lambda content: content.update(annotations={})), DAMAGED),
        (with_entry("annotations", bbox="1234"), DAMAGED),
        (with_entry("annotations", bbox=["1", "2", "3", "4"]), DAMAGED),
        (with_entry("annotations", bbox=[10**400, 1, 2, 3]), DAMAGED),
        (with_entry("annotations", bbox=[30, 4, -5, 24]), DAMAGED),
        (with_entry("annotations", bbox=[1, 2, 3]), DAMAGED),
        (with_entry("annotations", id=0), "has the annotation 0 more than once; unpack"),
        (with_entry("annotations", category_id=99), "an annotation of the category 99, which it"),
        (with_entry("images", file_name="000000000000.jpg"),
         "has the image '000000000000.jpg' more than once"),
        (with_entry("images", file_name=".."), DAMAGED),
        (with_entry("images", file_name=""), DAMAGED),
        (with_entry("images", height="48"), DAMAGED),
        (with_entry("images", height=10**400), DAMAGED),
        (with_entry("categories", id=18), "has the category 18 more than once"),
        (with_entry("categories", name="dog"), "has the category 'dog' more than once"),
        (lambda r: (r / IMAGE).write_bytes(b""), "001.jpg is not there or cannot be read"),
        (lambda r: ((r / IMAGE).unlink(), (r / IMAGE).mkdir()), "001.jpg is not there or cannot"),
        (lambda r: (r / JSON).write_text((r / JSON).read_text()[:-9]), DAMAGED),
        (lambda r: (r / JSON).write_text("[" * 100_000), DAMAGED),
        (lambda r: (r / JSON).write_text("[]"), DAMAGED),
        (replaced(JSON, '"bbox"', '"box"'), DAMAGED),
        (replaced(JSON, "[4, 8,", "[NaN, 8,"), DAMAGED),
        (replaced(JSON, '"image_id": 100', '"image_id": 7'), "annotation of the image 7, which it"),
        (replaced(JSON, '"iscrowd": 0', '"iscrowd": "no"'), DAMAGED),
        (has_an_image_twice, "has the image 100 more than once"),
        (replaced(JSON, '"000000000000.jpg', '"../000000000000.jpg'), DAMAGED),
        (replaced(JSON, '"name": "dog"', '"name": "fox"'), "has the category 'fox', which is none"),
        (replaced(JSON, "[4, 8, 28", "[4, 8, 99"), "has a box from 4, 8 to 103, 40 in 00000000000"),
        (replaced(JSON, '"width": 64', '"width": 99'), "has 64 × 48 pixels and 99 × 48 in"),
        (lambda r: (r / "val2017/000000000001.jpg").unlink(), "001.jpg is not there or cannot be"),
    ],
)  # fmt: skip
def test_mistakes_in_coco_are_one_sentence_each(spoil, message, tmp_path):
    spoil(write_coco(tmp_path))
    with pytest.raises(UserError, match=f"^data.path: .*{message}"):
        read_coco(str(tmp_path), "val")


@CALM
def test_a_copy_that_may_not_be_read_and_an_image_that_was_cut_off_are_one_sentence(tmp_path):
    file = write_coco(tmp_path) / JSON
    file.chmod(0)
    with unprivileged(), pytest.raises(UserError, match=r"cannot be read \(Permission denied\)"):
        read_coco(str(tmp_path), "val")
    file.chmod(0o644)
    (tmp_path / "annotations").chmod(0)
    with (
        unprivileged(),
        pytest.raises(UserError, match=r"annotations.* cannot be read \(Perm"),
    ):
        measure_standard([colours()], CocoBoxes(path=str(tmp_path)), "cpu")
    (tmp_path / "annotations").chmod(0o755)
    tmp_path.chmod(0)
    with (
        unprivileged(),
        pytest.raises(UserError, match=r"be read \(Permission denied\); mak"),
    ):
        measure_standard([colours()], CocoBoxes(path=str(tmp_path)), "cpu")
    tmp_path.chmod(0o755)
    os.truncate(tmp_path / IMAGE, (tmp_path / IMAGE).stat().st_size - 300)
    data = CocoBoxes(path=str(tmp_path))
    with pytest.raises(UserError, match=r"001.jpg cannot be read \(1 of 4 images cannot\); unpack"):
        measure_standard([colours()], data, "cpu")


@CALM
def test_a_file_that_an_editor_marked_or_ended_otherwise_is_the_same(tmp_path):
    before = read_coco(str(write_coco(tmp_path)), "val")
    text = json.dumps(json.loads((tmp_path / JSON).read_text()), indent=1)
    (tmp_path / JSON).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    for one, other in zip(read_coco(str(tmp_path), "val"), before, strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_no_entity_is_expanded(tmp_path):
    bomb = tmp_path / "bomb.xml"
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 20))
    bomb.write_text(f'<!DOCTYPE a [<!ENTITY e0 "ha">{levels}]><a>&e19;</a>')
    with pytest.raises(ValueError, match="a document type 'a' is declared"):
        parsed(bomb)


@CALM
def test_a_set_without_an_object_that_counts_is_refused(tmp_path):
    root = write_voc(tmp_path)
    for number in range(4, 8):
        (root / f"Annotations/{number:06}.xml").write_text(annotation(number, difficult=1))
    with pytest.raises(UserError, match="has no test image with an object that counts"):
        VocBoxes(path=str(root))()


# measured


@CALM
def test_boxes_lie_in_the_frame_as_the_photograph_does(tmp_path):
    found = read_voc(str(write_voc(tmp_path)), "test")
    framed = boxes._in_frame(found, 96)  # 64 × 48 becomes 96 × 72, below 12 black rows
    assert framed.box[0].tolist() == pytest.approx([24 / 96, 6 / 96, 72 / 96, 48 / 96])
    assert boxes._shown(found, 96)[0].tolist() == pytest.approx([12 / 96, 0, 84 / 96, 1])


@CALM
@pytest.mark.parametrize("chosen, write", [(VocBoxes, write_voc), (CocoBoxes, write_coco)])
def test_a_head_learns_the_boxes_of_colours(chosen, write, tmp_path, monkeypatch):
    monkeypatch.setattr(boxes, "fit_detector", partial(fit_detector, epochs=150))
    kind = chosen.model_fields["kind"].default
    scores = measure_standard([colours()], chosen(path=str(write(tmp_path))), "cpu")
    rows = {row["probe"]: row for row in scores.to_dicts()}
    plane = {"voc_boxes": "aeroplane", "coco_boxes": "airplane"}[kind]
    assert sorted(rows) == sorted([kind, f"{kind}_50", f"{kind}_dog", f"{kind}_{plane}"])
    assert rows[f"{kind}_50"]["value"] > 0.5 and rows[kind]["ceiling"] == 1
    assert rows[kind]["chance"] < 0.2 < rows[kind]["value"]
    settings = json.loads(rows[kind]["settings"])
    assert (settings["train_images"], settings["test_images"]) == (4, 4)
    assert "FCOS" in settings["detector"] and settings["side"] == 48


@CALM
def test_the_command_prints_average_precision(tmp_path, capsys):
    words = "--suite", "voc_boxes", f"data.path={write_voc(tmp_path)}", "data.split=val"
    assert main(["probe", "zoo:scenes_mae", *words]) == 0
    shown = capsys.readouterr().out
    assert "probed on PASCAL VOC, protocol fcos-448" in shown and "published" not in shown
    assert torch.is_grad_enabled()


def test_a_similar_head_is_told_beside_boxes_of_voc_at_its_size():
    found = VocBoxes(protocol="fcos-224").published()
    values = {each.probe: each.value for each in found if each.model.startswith("DINOv2")}
    assert values == {"voc_boxes": 0.0978, "voc_boxes_50": 0.2895}
    assert all("another head, 600 images" in each.model for each in found)
    assert not VocBoxes().published() and not CocoBoxes(protocol="fcos-224").published()
