#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Usage: kcov.py FILE: how many different places of the kernel opening and closing FILE passes.

Only our modules are instrumented."""

import ctypes
import fcntl
import mmap
import os
import sys

WORDS = 65536
KCOV_INIT_TRACE = 0x80086301
KCOV_ENABLE = 0x6364
KCOV_DISABLE = 0x6365
KCOV_TRACE_PC = 0


def main():
    kcov = os.open("/sys/kernel/debug/kcov", os.O_RDWR)
    fcntl.ioctl(kcov, KCOV_INIT_TRACE, WORDS)
    # Python's own mmap() believes the file's size, which is 0.
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    area = libc.mmap(None, ctypes.c_size_t(WORDS * 8), mmap.PROT_READ | mmap.PROT_WRITE,
                     mmap.MAP_SHARED, kcov, ctypes.c_long(0))
    if area in (None, ctypes.c_void_p(-1).value):
        sys.exit("kcov: mmap: %s" % os.strerror(ctypes.get_errno()))
    words = (ctypes.c_uint64 * WORDS).from_address(area)
    fcntl.ioctl(kcov, KCOV_ENABLE, KCOV_TRACE_PC)
    words[0] = 0
    os.close(os.open(sys.argv[1], os.O_RDWR))
    count = words[0]
    fcntl.ioctl(kcov, KCOV_DISABLE, 0)
    print(len(set(words[1:count + 1])))


main()
