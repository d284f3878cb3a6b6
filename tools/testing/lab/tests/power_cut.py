#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a real kernel makes of an engine's writes: power cuts by dm-log-writes.

Usage: power_cut.py count ENGINE STORE STEPS DEVICE
       power_cut.py replay ENGINE BEFORE LOG CUTS STORE

count makes a TPM in the empty file or block device STORE and counts up in it, with marks in
the log of the device-mapper device DEVICE. replay builds, from the image BEFORE and the log,
what the disk holds at points of the log, in a file named "cut"; STORE is "cut" if the store is
the disk itself, else the path of the store below the mount point "mnt" of its file system. It starts the
engine on it and reads the counter.

The log's format (little-endian): a first sector with u64 magic, u64 version, u64 entries, u32
size of a sector. Then each entry: a sector with u64 sector, u64 sectors, u64 flags, u64 bytes
of a mark's text, that text; then what was written there. The log has writes when they are
flushed, in the order in which they were completed, and after them the flush. So after each
entry there may be a cut."""
import collections
import os
import struct
import subprocess
import sys

import tpm
import tpm_process

MAGIC = 0x6A736677736872
SUPER = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8

Entry = collections.namedtuple("Entry", "offset data size flags mark")


def mark(device, acked, begun):
    subprocess.run(["dmsetup", "message", device, "0", "mark", "%d/%d" % (acked, begun)],
                   check=True)


def count(engine, store, steps, note):
    """NOTE is called with what is acknowledged and what is in flight."""
    running = tpm_process.Engine(engine, store, True)
    running.startup()
    running.define_counter()
    value = running.read_counter()
    for _ in range(steps):
        note(value, value + 1)
        running.increment()
        value += 1
        note(value, value)
    running.kill()


def read_log(path):
    with open(path, "rb") as file:
        magic, version, entries, sector = SUPER.unpack(file.read(SUPER.size))
        if magic != MAGIC or version != 1:
            sys.exit("%s: is not a log of dm-log-writes" % path)
        file.seek(sector)
        for _ in range(entries):
            head = file.read(sector)
            at, sectors, flags, length = ENTRY.unpack(head[:ENTRY.size])
            text = head[ENTRY.size:ENTRY.size + length].decode() if flags & MARK else ""
            data = b"" if flags & (DISCARD | MARK) else file.read(sectors * sector)
            yield Entry(at * sector, data, sectors * sector, flags, text)


def apply(image, entry):
    if entry.flags & MARK:
        return
    data = bytes(entry.size) if entry.flags & DISCARD else entry.data
    image[entry.offset:entry.offset + len(data)] = data


def points(entries, cuts):
    """After which entries to cut: from the first mark on, evenly, flushes preferred."""
    marks = [i for i, entry in enumerate(entries) if len(entry.mark.split("/")) == 2]
    later = [i for i in range(marks[0], len(entries))
             if entries[i].data or entries[i].flags & (FLUSH | FUA | DISCARD)]
    step = max(1, len(later) / cuts)
    return {later[int(i * step)] for i in range(min(cuts, len(later)))}, len(later)


def read_counter(engine, store):
    running = tpm_process.Engine(engine, store)
    try:
        running.startup()
        return running.read_counter()
    finally:
        running.kill()


def look(engine, store):
    """The counter after the cut; mounts what has to be mounted."""
    if store == "cut":
        return read_counter(engine, store)
    subprocess.run(["mount", "-o", "loop", "cut", "mnt"], check=True)
    try:
        return read_counter(engine, os.path.join("mnt", store))
    finally:
        subprocess.run(["umount", "mnt"], check=True)


def replay(engine, before, log, cuts, store):
    with open(before, "rb") as file:
        image = bytearray(file.read())
    entries = list(read_log(log))
    chosen, possible = points(entries, cuts)
    acked = begun = wrong = 0
    for number, entry in enumerate(entries):
        apply(image, entry)
        if len(entry.mark.split("/")) == 2:
            acked, begun = map(int, entry.mark.split("/"))
        if number not in chosen:
            continue
        with open("cut", "wb") as file:
            file.write(image)
        try:
            value = look(engine, store)
        except (tpm.TpmError, tpm_process.Ended, OSError) as error:
            value = error
        if value not in (acked, begun):
            wrong += 1
            print("cut after entry %d: %s instead of %d or %d" % (number, value, acked, begun))
    print("%d cuts of %d, %d wrong" % (len(chosen), possible, wrong))
    return wrong or len(chosen) < min(cuts, 10)


def main():
    job, engine, *rest = sys.argv[1:]
    if job == "count":
        store, steps, device = rest
        count(engine, store, int(steps), lambda *values: mark(device, *values))
        return 0
    before, log, cuts, store = rest
    return 1 if replay(engine, before, log, int(cuts), store) else 0


if __name__ == "__main__":
    sys.exit(main())
