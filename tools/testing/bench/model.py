#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Past the machine that was measured: what a host with thousands of vTPMs needs, and a
fleet of such hosts. Prints Markdown; Documentation/scale.md explains it.

    model.py [--measured build/bench/machine.json] [--cores N] [--dom0-mb N]

What is measured comes from make bench, of engines with sockets in the place of guests. What is
assumed is in the tables at the top of this file, and is printed with the results."""
import argparse
import json
import os
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MEASURED = os.path.join(HERE, "../../../build/bench/machine.json")

HOSTS = (100, 1000, 10000)      # vTPMs
CALIBRATE = "32"                # engines: the model is made of these, and checked with more

# By counting the calls of one engine (strace), and by the format.
FLUSHES_TO_START = 4            # what was read settles, session, owner, Startup
FLUSHES_TO_SUSPEND = 2          # state and record, the mark
FLUSHES_TO_END = 2              # shutdown, owner
STORE_KB = 676                  # of a TPM 2.0: header and two slots, allocated when it is made
STATE_MEMORY_KB = 60            # on /run, of each vTPM

# Assumed: flushes a second that a disk makes for many writers.
DISKS = (("hard disk", 120), ("SATA SSD", 2000), ("NFS server, 1 ms", 1000),
         ("NVMe with power-loss protection", 20000))

# Assumed: commits that a guest causes in an hour. One for each command that changes permanent
# state, and one after each pause of half a second that follows a change of volatile state.
GUESTS = (("idle", 0.02), ("unlocks disks, renews certificates", 2),
          ("measures what it runs (IMA), every 10 s", 360), ("counts in an NV index, every second", 3600))

# Assumed: limits that are there before anybody tunes.
EVENT_CHANNELS_EACH = 7         # of a guest in dom0: xenstore, console, disk, net, ..., vTPM
CHANNELS_2L, CHANNELS_FIFO = 4096, 131072
RUN_SHARE = 0.10                # of dom0's memory that Debian gives to /run
HOST_TPM_INDEXES = 60           # NV indexes of 8 bytes that a discrete TPM has room for
HOST_TPM_UNSEAL_S = 0.3

# Assumed: the fleet.
FLEET_VTPMS, FLEET_HOST, FLEET_RACK = 1000000, 100, 4000
GUEST_GB, NETWORK_GB_S = 8, 1.25


def half(values):
    return statistics.median(values)


class Model:
    def __init__(self, blocks, cores, options):
        part = blocks["engines"][CALIBRATE]
        self.blocks = blocks
        self.measured_cores = cores
        self.cores = options.cores
        self.dom0_mb = options.dom0_mb
        self.private_kb = half(part["engine_private_kb"])
        self.start_ms = half(part["engine_ms"]) * cores / int(CALIBRATE)
        self.commit_bytes = blocks["store"]["bytes"]

    def memory_mb(self, count):
        return count * self.private_kb / 1024

    def start_s(self, count, cores, flushes_s=None):
        """Until all have answered Startup: processors and disk work side by side."""
        processors = count * self.start_ms / 1000 / cores
        disk = count * FLUSHES_TO_START / flushes_s if flushes_s else 0
        return max(processors, disk)

    def checks(self):
        """What the model says of more engines than it was made of, and what they did."""
        for count in sorted(map(int, filter(str.isdigit, self.blocks["engines"]))):
            part = self.blocks["engines"][str(count)]
            if count > int(CALIBRATE):
                yield ("%d: memory, MB" % count, self.memory_mb(count),
                       half(part["engine_private_kb"]) * count / 1024)
                yield ("%d: start, s" % count, self.start_s(count, self.measured_cores),
                       half(part["engine_ms"]) / 1000)


def table(head, rows):
    print("| %s |" % " | ".join(head))
    print("|%s" % ("---|" * len(head)))
    for row in rows:
        print("| %s |" % " | ".join(str(cell) for cell in row))
    print()


def number(value):
    """Two digits are more than a model knows."""
    if value >= 100:
        digits = len(str(int(value))) - 2
        return "{:,}".format(int(round(value, -digits)))
    return "%.2g" % value


def percent(value):
    return "%+.0f %%" % (100 * value)


def show_checks(model):
    print("### Checked\n")
    table(("engines", "model", "measured", "measured over model"),
          [(what, number(says), number(was), percent(was / says - 1))
           for what, says, was in model.checks()])


def show_host(model):
    print("### One host, %d processors\n" % model.cores)
    rows = [("memory of the engines, MB", *(number(model.memory_mb(n)) for n in HOSTS)),
            ("of that on /run, MB", *(number(n * STATE_MEMORY_KB / 1024) for n in HOSTS)),
            ("stores, GB", *(number(n * STORE_KB / 1024 / 1024) for n in HOSTS)),
            ("processes, threads", *("%s, %s" % (number(n), number(2 * n)) for n in HOSTS))]
    for name, flushes in DISKS:
        rows.append(("all start after a power cut, s: %s" % name,
                     *(number(model.start_s(n, model.cores, flushes)) for n in HOSTS)))
    for name, flushes in DISKS:
        rows.append(("all are suspended, s: %s" % name,
                     *(number(n * FLUSHES_TO_SUSPEND / flushes) for n in HOSTS)))
    table(("vTPMs", *("{:,}".format(n) for n in HOSTS)), rows)


def show_traffic(model):
    print("### What guests write\n")
    rows = []
    for name, commits in GUESTS:
        rows.append((name, number(commits),
                     *(number(n * commits / 3600) for n in HOSTS),
                     number(10000 * commits * 24 * model.commit_bytes / 1e9)))
    table(("guests that do", "commits an hour, each", *("flushes/s, %s" % "{:,}".format(n)
                                                        for n in HOSTS),
           "GB a day, 10,000"), rows)
    table(("disk", *("vTPMs, %s" % name for name, commits in GUESTS[1:])),
          [(name, *(number(flushes * 3600 / commits) for _, commits in GUESTS[1:]))
           for name, flushes in DISKS])


def show_limits(model):
    print("### What breaks first, dom0 with %d MB\n" % model.dom0_mb)
    limits = [
        ("host's TPM: generations (`freshness = tpm`)", HOST_TPM_INDEXES),
        ("event channels of dom0, two levels", CHANNELS_2L / EVENT_CHANNELS_EACH),
        ("event channels of dom0, FIFO", CHANNELS_FIFO / EVENT_CHANNELS_EACH),
        ("/run, a tenth of dom0's memory", RUN_SHARE * model.dom0_mb * 1024 / STATE_MEMORY_KB),
        ("half of dom0's memory", model.dom0_mb / 2 / model.memory_mb(1)),
        ("identifiers of processes, 4,194,304", 4194304 / 2),
        ("a hard disk, if they measure (IMA)", DISKS[0][1] * 3600 / GUESTS[2][1]),
        ("an NVMe disk, if they measure (IMA)", DISKS[3][1] * 3600 / GUESTS[2][1]),
    ]
    table(("limit", "vTPMs"),
          [(name, number(count)) for name, count in sorted(limits, key=lambda each: each[1])])


def show_fleet(model):
    print("### A fleet of {:,} vTPMs, {:,} on each host\n".format(FLEET_VTPMS, FLEET_HOST))
    copy_s = GUEST_GB / NETWORK_GB_S
    flushes_s = DISKS[1][1]
    vtpm_s = model.start_ms / 1000 + (FLUSHES_TO_SUSPEND + FLUSHES_TO_START) / flushes_s
    idle, ima = GUESTS[1][1], GUESTS[2][1]
    table(("", ""), [
        ("hosts", number(FLEET_VTPMS / FLEET_HOST)),
        ("stores, TB", number(FLEET_VTPMS * STORE_KB / 1024 ** 3)),
        ("what is live in them, GB", number(FLEET_VTPMS * model.commit_bytes / 1e9)),
        ("commits/s of all, unlocking and renewing", number(FLEET_VTPMS * idle / 3600)),
        ("commits/s of all, measuring", number(FLEET_VTPMS * ima / 3600)),
        ("a wave of migrations: a guest's memory, s", number(copy_s)),
        ("its vTPM, s (SATA SSD)", number(vtpm_s)),
        ("its vTPM's share of the wave", "%.1g %%" % (100 * vtpm_s / copy_s)),
        ("power comes back: one host's vTPMs, s (SATA SSD)",
         number(model.start_s(FLEET_HOST, model.cores, flushes_s))),
        ("likewise with keys in the host's TPM, s",
         number(FLEET_HOST * HOST_TPM_UNSEAL_S)),
        ("a rack of {:,} on one NFS server, s".format(FLEET_RACK),
         number(model.start_s(FLEET_RACK, model.cores * FLEET_RACK / FLEET_HOST, DISKS[2][1]))),
    ])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--measured", default=MEASURED, help="machine.json of make bench")
    parser.add_argument("--cores", type=int, default=16, help="processors of the host (16)")
    parser.add_argument("--dom0-mb", type=int, default=4096, help="memory of dom0 (4096)")
    options = parser.parse_args()
    try:
        with open(options.measured) as file:
            measured = json.load(file)
        model = Model(measured["blocks"], measured["facts"]["cores"], options)
    except FileNotFoundError:
        sys.exit("model.py: no %s: run make bench first, or name another with --measured" %
                 options.measured)
    except (KeyError, ValueError) as error:
        sys.exit("model.py: %s was not made by make bench with the keys engine_private_kb and "
                 "durable_commit_over_raw: %r" % (options.measured, error))
    show_checks(model)
    show_host(model)
    show_traffic(model)
    show_limits(model)
    show_fleet(model)


main()
