"""One thread (faster for tiny models on two cores), a cache of the tests' own, long files first."""

import os
import shutil
import tempfile

os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that tests start
os.environ["SIAMLAB_CACHE"] = tempfile.mkdtemp(prefix="siamlab-tests-")

import jaxtyping  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)

# the longest first: files go to two processes, and a long one must not be left for the end
LONGEST = (
    "test_notebooks",
    "test_explore_browser",
    "test_study",
    "test_explore",
    "test_explore_plane",
    "test_study_postgres",
    "test_train",
    "test_demo",
    "test_probe_suite",
    "test_study_transfer",
)


def pytest_collection_modifyitems(items):
    """Files in the order of `LONGEST`, the others after them as they were."""
    order = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture
def untyped():
    """Calls as users make them, whose types and shapes nothing checks but siamlab itself."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module")
def browser():
    """Chromium, for all tests of a file; they are skipped where there is none."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        pytest.skip("no chromium on this machine: nothing is opened in a browser")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()
