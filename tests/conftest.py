"""One thread (faster for tiny models on two cores) and a cache of the tests' own."""

import os
import tempfile

os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that tests start
os.environ["SIAMLAB_CACHE"] = tempfile.mkdtemp(prefix="siamlab-tests-")

import torch  # noqa: E402

torch.set_num_threads(1)
