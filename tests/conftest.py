"""One thread (faster for tiny models on two cores) and a cache of the tests' own."""

import os
import tempfile

os.environ["SIAMLAB_CACHE"] = tempfile.mkdtemp(prefix="siamlab-tests-")

import torch  # noqa: E402

torch.set_num_threads(1)
