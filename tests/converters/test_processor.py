"""What the processor has, read from the texts that kernels print."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from converters.processor import UNKNOWN, Processor, from_cpuinfo, from_sysctl, here

EPYC = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 1
model name\t: AMD EPYC
flags\t\t: fpu sse4_2 avx f16c bmi1 avx2 bmi2 vaes

processor\t: 1
cpu family\t: 25
model\t\t: 1
model name\t: AMD EPYC
flags\t\t: fpu sse4_2 avx f16c bmi1 avx2 bmi2 vaes
"""
XEON = """\
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t\t: avx avx2 avx512f avx512dq avx512bw avx512vl avx_vnni avx512_vnni amx_bf16 amx_tile amx_int8
"""
PI_5 = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU part\t: 0xd0b

Revision\t: d04170
Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""
PIXEL_2 = """\
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32
CPU implementer\t: 0x51
CPU part\t: 0x801

Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32
CPU implementer\t: 0x51
CPU part\t: 0x800
"""
M2 = """\
machdep.cpu.cores_per_package: 8
machdep.cpu.brand_string: Apple M2
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_SME: 0
hw.optional.neon: 1
hw.optional.floatingpoint: 1
"""
INTEL_MAC = """\
machdep.cpu.brand_string: Intel(R) Core(TM) i7-8750H CPU @ 2.20GHz
machdep.cpu.features: FPU SSE4.2 AVX1.0 F16C
machdep.cpu.leaf7_features: RDWRFSGS BMI1 AVX2 SMEP
hw.optional.avx2_0: 1
hw.optional.avx512bw: 0
hw.optional.avx512vnni: 0
"""


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (EPYC, "AMD EPYC, family 25 model 1 (AVX2)"),
        (
            XEON,
            "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz (AVX2, AVX-512, AVX-VNNI, AVX-512 VNNI, AMX)",
        ),
        (PI_5, "Raspberry Pi 5 Model B Rev 1.0 (NEON, dot products)"),
        (PIXEL_2, "ARM 0x51/0x801 + 0x51/0x800 (NEON)"),
        ("", UNKNOWN),
    ],
)
def test_linux_tells_it_in_cpuinfo(text: str, label: str) -> None:
    assert from_cpuinfo(text).label == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (M2, "Apple M2 (NEON, dot products, i8mm)"),
        (INTEL_MAC, "Intel(R) Core(TM) i7-8750H CPU @ 2.20GHz (AVX2)"),
        ("", UNKNOWN),
    ],
)
def test_macos_tells_it_by_sysctl(text: str, label: str) -> None:
    assert from_sysctl(text).label == label


def test_an_extension_that_one_core_lacks_does_not_count() -> None:
    both = "Features\t: asimd asimddp\nCPU part\t: 0xd05\n\nFeatures\t: asimd\nCPU part\t: 0xd03\n"
    assert from_cpuinfo(both).extensions == ("NEON",)


@pytest.mark.skipif(sys.platform != "linux", reason="compares with /proc/cpuinfo")
def test_this_machine_is_read() -> None:
    assert here() == from_cpuinfo(Path("/proc/cpuinfo").read_text())
    assert here() != Processor(UNKNOWN)
