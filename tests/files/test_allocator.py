"""What is freed is used again: hardly a page is asked of the system twice."""

import os
import platform
import resource
import subprocess
import sys

import pytest

from tests.conftest import ROOT

CODE = """
import resource, sys
import torch
from ssml.files import allocator
kept = sys.argv[1] == "keep" and allocator.keep_freed()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def pass_by():
    for size in (3, 6, 9, 12):
        a = torch.ones(size << 18)
        b = a + 1
        del a
        b.mul_(2)
# until the heap has settled: something small between two arrays makes it grow once more
for _ in range(10):
    pass_by()
before = faults()
for _ in range(10):
    pass_by()
print(int(kept), faults() - before)
"""
# glibc's first thresholds in bytes, which otherwise move with what is freed
FIXED = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc's allocator")
def test_freed_arrays_are_used_again():
    def measured(how: str) -> list[int]:
        command = [sys.executable, "-c", CODE, how]
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | FIXED, capture_output=True, text=True, check=True
        )
        return [int(word) for word in done.stdout.split()]

    kept, again = measured("keep")
    _, otherwise = measured("leave")
    pages = 10 * (3 + 6 + 9 + 12) * 2**20 / resource.getpagesize()  # of one array of each size
    assert kept == 1 and again < 0.1 * pages < otherwise
