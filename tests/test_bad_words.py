"""A list of bad command lines: each ends with one sentence and 2, at once, and leaves no file.

The list covers every command. Next to each command stand the words that its sentence must have.
"""

import os
import shlex
import signal
from pathlib import Path

import pytest
from PIL import Image

from siamlab.cli.main import main
from siamlab.recipes import demo_size, mae
from siamlab.train import train

TINY = (
    "batch=8 steps=1 size=8 model.patch=4 model.width=8 model.depth=1 model.heads=2 "
    "prediction.width=8 prediction.heads=2 data.side=8 data.images=30 data.test_images=24"
)
STUDY = f"""from siamlab.recipes import demo_size, mae
from siamlab.study import Ablation, Axis, Choice
base = demo_size(mae()).change(*{TINY.split()})
ratios = Axis("ratio", Choice("low", "masking.ratio=0.5"), Choice("high", "masking.ratio=0.75"))
study = Ablation(question="?", base=base, axes=(ratios,), seeds=1)
"""
TRAIN = "train mae --small --out new "
OWN = TRAIN + TINY.replace(" data.images=30 data.test_images=24", "") + " "  # of any source
PROBE = "probe run --images 20 --test-images 10 "
EMBED = "embed run "
VIEW = "view run --no-browser "
SITE = "export-demo run --to site "
STUDIES = "study run study.py --out new "
# words: a part of the sentence
BAD = {
    # the whole command line
    "help": "has no command 'help'; allowed: axes",
    "'' mae": "has no command ''",
    "train --small": "train needs a recipe",
    "train ''": "there is no recipe ''",
    "show MAE": "did you mean 'mae'",
    "show mae simmim": "'simmim' is not key=value",
    "show runs/new": "or a .toml file",
    "lab x": "x is not an option",
    "lab --folder notes.txt": "there is no folder notes.txt",
    "lab --folder ''": "--folder: the path is empty",
    "schema x": "x is not an option",
    "completion fish": "there is no shell 'fish'",
    "axes masking.nope": "no axis or key 'masking.nope'",
    "axes ''": "no axis or key ''",
    "axes optimiser.lr=3": "did you mean 'optimiser.lr'",
    # words of a run
    "show mae =3": "'=3' is not key=value",
    "show mae batch=": "batch='' must be a whole number",
    "show mae batch==4": "batch==4 must be",
    "show mae batch.x=4": "batch.x goes too deep",
    "show mae optimiser..lr=4": "optimiser has no key ''",
    "show mae size=[12,0]": "size=[12, 0] must be one or two",
    "show mae size={a=1}": "must be one or two whole numbers",
    "show mae batch=1e400": "batch=inf must be",
    "show mae batch=１２": "batch=１２ must be",
    "show mae masking=1": "masking=1 must be one of none, random",
    "show mae masking={}": "masking needs a `kind`",
    "show mae masking={kind=1}": "masking has no choice '1'",
    "show mae masking.ratio=0.9999999": "hides all 196 patches",
    "show mae data=/none": "; a path is given as data=folder data.path=/none",
    "show mae data=/none data.side=8": "; a path is given as data=folder data.path=/none",
    "show mae data=text": "; a path is given as data=folder data.path=text",
    "show mae 'data=./my photos'": "; a path is given as data=folder data.path='./my photos'",
    "show mae name=a/b": "name=a/b must be text that can name a folder",
    "show mae 'name=a\nb'": "must be text that can name a folder: at most 200 letters",
    f"show mae name={'x' * 201}": "at most 200 letters",
    f"train mae --small name={'🎉' * 51}": "at most 200 letters (bytes in UTF-8, where",
    "show mae optimiser.lr=-0.0": "optimiser.lr=-0 must be a number above 0",
    "show mae target=frozen target.name=": "timm has no vision transformer ''",
    "show mae data=imagenet data.severity=6": "data.severity=6 must be a whole number from 1 to 5",
    "show mae data=segmentation data.mask_side=1e9": "from 0 to 4,096",
    # run files
    "show none.toml": "there is no run file none.toml",
    "show photos.toml": "there is no run file photos.toml",
    "show deep.toml": "deep.toml nests tables or lists hundreds of levels deep",
    "show lists.toml": "lists.toml nests tables or lists hundreds of levels deep",
    "show date.toml": "steps=1979-05-27 must be a whole number",
    "show loop.toml": "loop.toml cannot be read (Too many levels of symbolic links)",
    "show pipe.toml": "pipe.toml cannot be read (it is a pipe or a device, not a file)",
    "train zero.toml": "zero.toml cannot be read (it is a pipe or a device, not a file)",
    "show twice.toml": ". Also: steps=many must be",
    # training
    TRAIN + TINY.replace("=30", "=4"): "batch=8 is more than the 4 training images",
    OWN
    + "data=folder": "data.path='' must be a folder of images, or of one folder for each class, "
    "but it is empty",
    OWN + "data=folder data.path=~nouser9/x": "~nouser9/x is not a folder",
    OWN + "data=folder data.path=photos": "set data.path=photos/train and data.test_path=photos/",
    OWN + "data=folder data.path=text": "must hold images",
    OWN
    + "data=imagenet": "data.path='' must be the folder of ImageNet with train/ in it, but it is",
    OWN + "data=imagenet data.path=text": "text/train is not a folder; set data.path to where",
    OWN + "data=imagenet data.path=photos": "by its WordNet id",
    OWN + "data=segmentation": "data.path='' must be a folder of images and their masks, but it is",
    OWN + "data=segmentation data.path=none": "none is not a folder; set data.path to",
    OWN + "data=segmentation data.path=photos": "must hold images/ and masks/",
    OWN + "data=segmentation data.path=voc": "train.txt, which lists images or regions, cannot be",
    OWN
    + "data=segmentation data.path=own": "regions.txt, which lists images or regions, cannot be",
    OWN + "data=cifar10 data.path=text": "the files of CIFAR10 are not in",
    TRAIN.replace("new", "notes.txt") + TINY: "the folder notes.txt cannot be written",
    TRAIN.replace("new", "photos") + TINY: "photos exists and is not empty",
    TRAIN.replace("new", "loop.toml") + TINY: "symbolic links); move away what is there",
    TRAIN.replace("new", "y" * 300) + TINY: "(File name too long); choose a shorter name",
    "train mae --small --resume --out run batch=4 " + TINY.replace("batch=8 ", ""): "not 4",
    # probes
    PROBE + "--images ²": "'²' is not a whole number, 1 or more",
    PROBE + "--size ٣": "'٣' is not a whole number, 1 or more",
    PROBE + "--size 13": "must be a multiple of run's patch of 4",
    PROBE + "--size 4096": "makes 1,048,576 patches of run's 4 pixels; at most 65,536 are allowed, "
    "--size 1024",
    PROBE + "--out notes.txt": "must be a folder, or a file that ends in .parquet",
    PROBE + "--out table.csv": "--out table.csv is a folder",
    PROBE + "--out none/a.csv": "the folder none does not exist",
    PROBE + "--data nowhere": "data: there is no folder 'nowhere' in ",
    PROBE + "run": "run is named twice",
    PROBE + "run/": "run is named twice",
    PROBE + "text/../run": "run is named twice",
    PROBE + "fine_tune.epochs=1e99": "from 1 to 100,000",
    PROBE + "batch=3": "'batch=3', which is also not a file or folder",
    PROBE + "--suite ''": "there is no suite ''",
    PROBE + "--suite imagenet-c": "needs data=imagenet data.test=c",
    PROBE + "--suite imagenet-c data=imagenet data.test=c": "data.test_path='' must hold 15",
    PROBE + "data=imagenet data.path=. data.test=r": "data.path='.' must be the folder of ImageNet",
    "probe notes.txt": "notes.txt is a text file",
    "probe empty.pth": "empty.pth is empty",
    "probe zip.pth": "cut short or damaged (PytorchStreamReader failed reading zip archive: not a "
    "ZIP archive); expected",
    "probe pipe.toml": "neither a run's folder nor a file of weights",
    "probe /dev/zero": "neither a run's folder nor a file of weights",
    "probe zoo:../mae": "there is no model '../mae'",
    "probe hf:": "hf: must be hf:OWNER/NAME",
    "probe timm:nope": "no vision transformer 'nope'; `timm.list_models()` lists the names",
    "probe ~nouser9/x": "no run's folder or encoder file ~nouser9/x",
    "probe model": "model/config.json is incomplete",
    # embed, export, import
    "embed": "embed needs model, --out",
    EMBED: "embed needs --out",
    EMBED + "--out ''": "--out: the path is empty; name a file",
    EMBED + "--out x.parquet --data ''": "--data: the name is empty; name images: a folder, or a",
    PROBE + "--data ' '": "--data: the name is empty; name images",
    VIEW + "--data ''": "--data: the name is empty; name images",
    EMBED + "--out .parquet": "--out .parquet is an ending without a name; try features.parquet",
    PROBE + "--out photos/.csv": "photos/.csv is an ending without a name; try scores.csv",
    PROBE + "--out ' '": "--out: the path is empty; name a file or folder",
    "export run --to .onnx": "--to .onnx is an ending without a name; try model.onnx",
    "leaderboard page --to .html": "--to .html is an ending without a name; try leaderboard.html",
    "leaderboard add run --to .parquet": "an ending without a name; try leaderboard.parquet",
    "leaderboard add probes.json --to b.parquet": "probes.json is not in the folder of a model, /",
    EMBED + "--out x.csv": "must end in .parquet",
    EMBED + "--out x.parquet/": "--out: x.parquet/ names a folder; name a file",
    EMBED + "--out x.parquet.gz": "must end in .parquet; try x.parquet\n",
    "export run --to x.onnx.gz": "or be a new folder; try x.onnx\n",
    "leaderboard page --to x.html.gz": "must end in .html; try x.html\n",
    EMBED + f"--out {'y' * 300}.parquet": "(File name too long); choose a shorter name",
    EMBED + "--out table.parquet": "--out table.parquet is a folder",
    EMBED + "--out /proc/x.parquet": "--out /proc/x.parquet cannot be written (No such file or "
    "directory); name another place",
    EMBED + "--out x.parquet --device gpu": "there is no device 'gpu'; did you mean 'cpu'",
    EMBED + "--out x.parquet --data /nonexist": "data: there is no folder /nonexist, as seen",
    PROBE + "--data /nonexist": "data: there is no folder /nonexist, as seen from",
    PROBE + "--data ./photos": "set data.path=./photos/train and data.test_path=./photos/test",
    PROBE + "data=./photos": "the images of a folder are data=folder data.path=./photos",
    "train mae --small model.init=ck/nope.pth": "model.init: there is no run's folder or encoder",
    EMBED + "--out x.parquet --data ~nouser9/x": "data: there is no folder ~nouser9/x",
    EMBED + "--out x.parquet batch=3": "takes one model",
    "export run": "export needs --to",
    "export run --to ''": "--to: the path is empty",
    "export run --to x.bin": "must end in .onnx",
    "export run --to photos": "--to photos exists",
    "export run --to table.safetensors": "--to table.safetensors is a folder",
    "export run --to /proc/x.safetensors": "/proc/x.safetensors could not be written (No such file "
    "or directory); free some space, or name another place",
    "export run --to run/encoder.safetensors": "is a file of the model itself",
    "export run/encoder.safetensors --to ./run/encoder.safetensors": (
        "is a file of the model itself"
    ),
    "export run --to x.onnx --size 7": "must be a multiple of",
    "import none.pth": "none.pth cannot be read",
    "import notes.txt --out new": "notes.txt is a text file",
    "import run --out new": "run cannot be read (Is a directory)",
    "import run": "run cannot be read (Is a directory)",
    "import pipe.toml": "pipe.toml cannot be read (it is a pipe or a device, not a file)",
    "import ~nouser9/x.pth": "~nouser9/x.pth cannot be read",
    # cache, view, pages, data
    "cache remove ../photos": "has no entry '../photos'",
    "cache remove --unused -1": "'-1' is not a whole number",
    "cache list --all": "cache takes nothing, or `remove`",
    VIEW + "--port ²": "'²' is not a port",
    VIEW + "batch=3": "view takes data=... and data.key=value, not 'batch=3'",
    VIEW + "~nouser9/x.jpg": "~nouser9/x.jpg cannot be read",
    VIEW + "pipe.png": "pipe.png cannot be read (it is a pipe or a device, not a file)",
    VIEW + "none.png": "none.png cannot be read (No such file or directory)",
    VIEW + "phone.heic": "phone.heic",
    VIEW + "run/": "run is named twice",
    VIEW + "data=scenes --images 2": "a map takes 3 to 4,000",
    SITE + "--runtime none.tgz": "--runtime none.tgz cannot be read",
    SITE + "--runtime pipe.toml": "--runtime pipe.toml cannot be read (it is a pipe or a device",
    SITE + "--size 7": "must be a multiple of",
    "export-demo run --to photos": "--to photos exists",
    "data info folder": "data.path='' must be a folder of images",
    "data info photos": "did you mean 'photographs'",
    "data info scenes batch=3": "takes data.key=value only",
    # studies
    "study run none.py": "there is no study file none.py",
    "study run notes.txt": "is not a Python file",
    STUDIES + "seeds=0": "seeds=0 must be a whole number from 1 to 1,000",
    STUDIES + "--workers ²": "'²' is not a whole number from 0 (one per GPU or core) to 1024",
    STUDIES + "--budget nanm": "must be more than zero",
    STUDIES + "--storage nope://x/y": "--storage nope://x/y cannot be opened",
    STUDIES
    + "--storage postgresql://u:pw@h.invalid/d": "u:***@h.invalid/d cannot be opened (failed "
    "to resolve host 'h.invalid': ",
    STUDIES + "--out ''": "--out: the path is empty",
    STUDIES + "data=folder data.path=none": "data.path='none' must be a folder of images",
    "study worker study.py --out new data=folder data.path=none": "data.path='none' must be a",
    "study worker study.py --threads 99999999": "is not a whole number from 0 (torch's choice) to",
    "study report study.py --margin nan": "'nan' is not a difference of scores, 0 or more",
    "study report study.py --margin x": "'x' is not a difference of scores, 0 or more",
    "study export study.py": "study export needs --to",
    "study export none --to x.jsonl": "there is no study in runs/studies/none yet",
    "study import study.py --from notes.txt": "was not written by `siamlab study export`",
    VIEW + "--study notes.jsonl": "siamlab: notes.jsonl, line 1, was not written by `siamlab stud",
    "study import study.py --from pipe.toml": "pipe.toml cannot be read (it is a pipe or a device",
    "study list --storage sqlite:///notes.txt": "file is not a database",
}
VARIABLES = {
    "SIAMLAB_CACHE=notes.txt": "SIAMLAB_CACHE=notes.txt must be a folder",
    "SIAMLAB_CACHE=~nouser9/x/y": "there is no home ~nouser9 on this machine",
    "SIAMLAB_FEATURE_CACHE=lots": "SIAMLAB_FEATURE_CACHE=lots must be a size such as 5GB",
    "SIAMLAB_FEATURE_CACHE=-5GB": "must be a size",
    "SIAMLAB_FEATURE_CACHE=٣GB": "must be a size",
    f"SIAMLAB_FEATURE_CACHE={'9' * 400}GB": "must be a size",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a run, photographs, a study, and files of many wrong kinds."""
    place = tmp_path_factory.mktemp("place")
    for path in ("train/cat", "train/dog", "test/cat", "test/dog"):
        (place / "photos" / path).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(place / "photos" / path / "a.png")
    for path in ("photos.toml", "table.csv", "table.parquet", "table.safetensors", "text", "model"):
        (place / path).mkdir()
    for path in ("voc/JPEGImages", "voc/SegmentationClass", "voc/ImageSets/Segmentation"):
        (place / path).mkdir(parents=True)
    for path in ("own/images", "own/masks"):
        (place / path).mkdir(parents=True)
        Image.new("L", (8, 8)).save(place / path / "a.png")
        Image.new("L", (8, 8)).save(place / path / "b.png")
    texts = {
        "notes.txt": "hello\n",
        "text/a.txt": "hello\n",
        "notes.jsonl": "hello\n",
        "study.py": STUDY,
        "probes.json": "[]",
        "deep.toml": "a." * 2000 + "b = 1",
        "lists.toml": "a = " + "[" * 3000,
        "date.toml": "steps = 1979-05-27",
        "twice.toml": "steps = 'many'\nbatch = 'none'",
        "model/config.json": "{",
        "empty.pth": "",
        "zip.pth": "PK\x03\x04 and no archive",
        "phone.heic": "\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    }
    for name, text in texts.items():
        (place / name).write_text(text)
    for name in ("voc/ImageSets/Segmentation/train.txt", "own/regions.txt"):
        (place / name).write_bytes(b"\xff\xfe\xff")
    for name in ("pipe.toml", "pipe.png"):
        os.mkfifo(place / name)
    (place / "zero.toml").symlink_to("/dev/zero")
    (place / "loop.toml").symlink_to("loop.toml")
    train(demo_size(mae()).change(*TINY.split()), place / "run")
    return place


@pytest.fixture
def here(place, monkeypatch):
    """The folder, in which a test ends after 20 seconds and must leave all as it is."""
    monkeypatch.chdir(place)
    before = files(place)
    signal.signal(signal.SIGALRM, hangs)
    signal.alarm(20)
    yield place
    signal.alarm(0)
    assert files(place) == before


def hangs(*_):
    pytest.fail("it does not end")


def files(folder):
    """Every file below a folder with its size and time of change."""
    found = [Path(at, name) for at, folders, names in os.walk(folder) for name in folders + names]
    return {path: path.lstat()[6:9:2] if path.is_file() else None for path in found}


def refused(capsys, *words):
    assert main(list(words)) == 2, words
    said = capsys.readouterr().err
    assert said.startswith("siamlab: ") and said.count("\n") == 1, said
    for foreign in ("Errno", "os error", "pydantic", "object at 0x", "NoneType", "invalid _"):
        assert foreign not in said
    return said


@pytest.mark.parametrize("words", BAD)
def test_bad_words_are_one_sentence(words, here, capsys):
    assert BAD[words] in refused(capsys, *shlex.split(words))


@pytest.mark.parametrize("setting", VARIABLES)
def test_bad_variables_are_one_sentence(setting, here, capsys, monkeypatch):
    name, _, value = setting.partition("=")
    monkeypatch.setenv(name, value)
    assert VARIABLES[setting] in refused(capsys, *PROBE.split())
