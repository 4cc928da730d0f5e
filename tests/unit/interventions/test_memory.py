import platform
import sys

import pytest

from pipeline_lib.interventions import memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_glibc_keeps_freed_memory():
    assert memory.keep_freed_memory.__wrapped__()


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not memory.keep_freed_memory.__wrapped__()
