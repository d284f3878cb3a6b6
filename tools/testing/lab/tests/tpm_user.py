#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""tpm_user.py: a user of /dev/tpm0 in a guest, told by lines on its stdin what to do:

HEX         send this command; prints "US HEX" (the response), or "US" and an error's name
many S HEX  over and over for S seconds; prints "COUNT ERRORS MEDIAN_US P90_US MAX_US"
"""
import errno
import os
import sys
import time


def transfer(command):
    start = time.monotonic()
    try:
        fd = os.open("/dev/tpm0", os.O_RDWR)
        try:
            os.write(fd, command)
            answer = os.read(fd, 8192).hex()
        finally:
            os.close(fd)
    except OSError as error:
        answer = errno.errorcode[error.errno]
    return int((time.monotonic() - start) * 1e6), answer


def many(seconds, command):
    times, errors = [], 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        us, answer = transfer(command)
        times.append(us)
        errors += answer[12:20] != "00000000"
    times.sort()
    return "%d %d %d %d %d" % (len(times), errors, times[len(times) // 2],
                               times[len(times) * 9 // 10], times[-1])


for line in sys.stdin:
    words = line.split()
    if words[0] == "many":
        print(many(float(words[1]), bytes.fromhex(words[2])), flush=True)
    else:
        print("%d %s" % transfer(bytes.fromhex(words[0])), flush=True)
