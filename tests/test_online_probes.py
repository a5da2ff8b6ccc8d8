"""Probes while training are those of the finished encoder, and training does not notice them."""

import pytest
from PIL import Image
from test_train import equal, noise, tiny, weights

from siamlab.component import UserError
from siamlab.data import Folder, sample
from siamlab.evaluate.models import open_model
from siamlab.probe import probe_model
from siamlab.recipes import mae, siameseim
from siamlab.train import Metrics, steps, train

FEW = ("probe_every=4", "probe_images=40", "data.test_images=20")


def probes(line):
    return {key: value for key, value in line.items() if key.startswith("probe/")}


def test_the_last_probes_are_those_of_the_finished_encoder(tmp_path):
    run = tiny(siameseim, *FEW)
    folder = train(run, tmp_path / "run")
    train_images, test_images = run.data("train"), sample(run.data("test"), 20)
    found = probe_model(open_model(folder.path).model, train_images, test_images)
    expected = {f"probe/{m.probe.key}": m.score.value for m in found}
    assert {"probe/semantic", "probe/spatial", "probe/knn"} < expected.keys()
    assert probes(folder.lines()[-1]) == pytest.approx(expected, abs=1e-6)


def test_they_are_made_when_due_and_at_the_end_and_change_nothing(tmp_path):
    plain, watched = tiny(siameseim), tiny(siameseim, *FEW)
    one, other = train(plain, tmp_path / "plain"), train(watched, tmp_path / "watched")
    assert [line["step"] for line in other.lines() if probes(line)] == [4, 6]
    assert not any(probes(line) for line in one.lines())
    assert equal(weights(one), weights(other))


def test_a_step_that_is_probed_is_logged(tmp_path):
    folder = train(tiny(mae, *FEW, "log_every=100"), tmp_path / "run")
    assert [line["step"] for line in folder.lines()] == [1, 4, 6]


def test_images_without_labels_have_the_spatial_probes_alone(tmp_path):
    for i, pixels in enumerate(noise(6).pixels):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(tmp_path / f"{i}.png")
    data = Folder(path=str(tmp_path), side=16, test_fraction=0.5)
    run = tiny(mae, *FEW).replace(data=data, batch=2)
    found = probes(train(run, tmp_path / "run").lines()[-1])
    assert "probe/correspondence" in found and "probe/knn" not in found


def test_images_of_which_none_are_for_testing_are_refused(tmp_path):
    with pytest.raises(UserError, match="probe_every=4 needs test images too.*probe_every=0"):
        train(tiny(mae, *FEW), tmp_path / "run", noise())
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_other_values_of_what_changes_nothing(tmp_path):
    lines = steps(tiny(mae, "data.test_images=20"), tmp_path / "run")
    while next(lines).step < 4:
        pass
    lines.close()
    events = steps(tiny(mae, *FEW), tmp_path / "run", resume=True)
    more = [event for event in events if isinstance(event, Metrics)]
    assert more[0].step > 1 and probes(more[-1].values)
