"""Expectations of internals of torch and timm, which fail when a release changes one."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from timm.layers import Attention
from torch import nn

from siamlab.machine import internals

PACKAGE = Path(internals.__file__).parent.parent
PRIVATE = re.compile(
    r"\b(torch|timm)(\.\w+)*\._[a-z]\w*|\bfused_attn\b(?!`)|\battn_drop\b(?!`)|"
    r"\b_(forward|backward|state_dict|load_state_dict)_(pre_|post_)?hooks\b"
)
OWN = {
    "model/attention.py",  # reads `self.fused_attn`: it is a timm module itself
    "interop/torchscript.py",  # compares names that are written in files
}


def test_no_other_file_has_internals_of_torch_or_timm():
    files = {str(path.relative_to(PACKAGE)): path.read_text() for path in PACKAGE.rglob("*.py")}
    found = {name for name, text in files.items() if PRIVATE.search(text)}
    assert found - OWN == {"machine/internals.py"}


def test_the_gradient_of_a_softmax():
    x = torch.randn(2, 3, 5, dtype=torch.double, requires_grad=True)
    grad = torch.randn(2, 3, 5, dtype=torch.double)
    share = x.softmax(dim=-1)
    share.backward(grad)
    torch.testing.assert_close(internals.softmax_backward(grad, share.detach()), x.grad)


def test_all_tensors_move_in_place():
    a, b = torch.tensor([0.0, 2.0]), torch.tensor([8.0])
    internals.lerp_all_([a, b], [torch.tensor([4.0, 2.0]), torch.tensor([0.0])], 0.25)
    assert a.tolist() == [1.0, 2.0] and b.tolist() == [6.0]


def test_tensors_in_tuples_lists_and_dictionaries_move_to_a_device():
    class Pair(NamedTuple):
        x: torch.Tensor
        name: str

    found = internals.tensors_to(torch.device("meta"), {"a": [Pair(torch.ones(2), "n"), None]})
    pair, nothing = found["a"]
    assert isinstance(pair, Pair) and pair.x.device.type == "meta" and pair.name == "n"
    assert nothing is None


def test_the_processor_is_known():
    flags = Path("/proc/cpuinfo")
    if not flags.exists():
        pytest.skip("no /proc/cpuinfo to compare with")
    words = set(flags.read_text().split())
    assert internals.has_amx() == ("amx_tile" in words)
    assert internals.has_avx512_bf16() == ("avx512_bf16" in words)


def test_torch_compile_has_a_kind_of_error():
    assert issubclass(internals.compile_error(), Exception)
    assert internals.compile_error().__name__ == "TorchDynamoException"


def test_the_matrix_passes_dropout_where_attention_is_not_fused():
    module, seen = Attention(12, num_heads=3).eval(), []
    drop = internals.attention_dropout(module)
    drop.register_forward_hook(lambda _, args, out: seen.append(args[0]))
    x = torch.randn(2, 5, 12)
    module.fused_attn = True
    fused = module(x)
    assert not seen
    with internals.unfused(module):
        torch.testing.assert_close(module(x), fused)
    [matrix] = seen
    assert matrix.shape == (2, 3, 5, 5) and module.fused_attn
    torch.testing.assert_close(matrix.sum(dim=-1), torch.ones(2, 3, 5))


def test_hooks_of_a_module_are_known():
    module = nn.Linear(1, 1)
    assert not internals.has_hooks(module)
    for register in (module.register_forward_hook, module.register_forward_pre_hook):
        hook = register(lambda *_: None)
        assert internals.has_hooks(module)
        hook.remove()
    assert not internals.has_hooks(module)


def test_modules_that_do_not_attend_have_no_matrix():
    assert internals.attention_dropout(nn.Identity()) is None
    assert internals.attention_dropout(None) is None
    assert not internals.is_fusable(nn.Linear(1, 1))
