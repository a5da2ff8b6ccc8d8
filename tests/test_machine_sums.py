"""Checksums: whatever changes is seen, and what was written before them is still read."""

import json
from zlib import crc32

import numpy as np
import pytest
import torch

from siamlab.machine.sums import (
    BLOCK,
    Blocks,
    Sums,
    check_rows,
    check_when_read,
    signed,
    text_sum,
    unsigned,
)

FIELDS = {"step": 3, "loss": 0.1, "name": "é", "none": None, "inside": {"0": "x"}, "odd": [1, 2.5]}


def test_what_is_signed_comes_back():
    for fields in (FIELDS, {}, {"a": float("nan")}):
        again = unsigned(json.loads(json.dumps(signed(fields))))
        assert repr(again) == repr(fields)
    assert unsigned(FIELDS) == FIELDS  # from before there were checksums


def test_every_flipped_bit_is_seen():
    text = json.dumps(signed(FIELDS)).encode()
    for place in range(len(text)):
        for bit in range(8):
            damaged = bytearray(text)
            damaged[place] ^= 1 << bit
            try:
                assert unsigned(json.loads(damaged)) == FIELDS
            except (ValueError, UnicodeDecodeError):
                pass


@pytest.mark.parametrize("fields", [None, [1], "text", 3])
def test_what_is_no_table_is_refused(fields):
    with pytest.raises(ValueError, match="not a table"):
        unsigned(fields)


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_sums_of_pieces_are_those_of_blocks(size):
    data = np.random.default_rng(0).integers(0, 256, size, np.uint8).tobytes()
    sums = Sums()
    for start in range(0, size, 1000):
        sums.add(data[start : start + 1000])
    expected = [crc32(data[start : start + BLOCK]) for start in range(0, size, BLOCK)]
    assert sums.values().tolist() == expected
    Blocks(data, sums.values(), AssertionError).check_all()
    assert text_sum("siamlab") == f"{crc32(b'siamlab'):08x}"


def test_a_block_is_compared_once_and_only_where_it_is_asked_for():
    data, sums = bytearray(3 * BLOCK), Sums()
    sums.add(data)
    blocks = Blocks(data, sums.values(), lambda: KeyError("damaged"))
    data[BLOCK] = 1
    blocks.check(0, BLOCK), blocks.check(2 * BLOCK, 3 * BLOCK)
    with pytest.raises(KeyError, match="damaged"):
        blocks.check(BLOCK - 1, BLOCK + 1)
    data[0] = 1
    blocks.check(0, BLOCK)
    check_rows(torch.zeros(3, 2))  # of no file


def test_rows_of_a_part_of_an_array_are_compared_where_they_lie():
    """Images of which the middle is taken: a view, whose rows are as far apart as the whole's."""
    rows, sums = torch.zeros(3, BLOCK, dtype=torch.uint8), Sums()
    sums.add(rows.numpy().reshape(-1))
    check_when_read(rows, rows, Blocks(rows.numpy(), sums.values(), lambda: KeyError("damaged")))
    rows[2, 9] = 1
    part = rows.view(3, 256, 256)[:, 10:20, 10:20]
    check_rows(part, torch.tensor([0, 1]))
    with pytest.raises(KeyError, match="damaged"):
        check_rows(part, torch.tensor([2]))
