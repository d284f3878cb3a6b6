# SPDX-License-Identifier: GPL-2.0-only
"""rogue_storm.py DOMID MS KIND...: in dom0. g4, domain DOMID, makes storms of events; how does g2
fare, and what does dom0 have to do? Prints test points, and a report as comments.

A storm's own guest uses a CPU too, and so does one that notifies nobody: "nothing" is what
the others are compared with."""
import glob
import subprocess
import sys
import time

from rogue import Points

GETRANDOM12 = "00c10000000e0000004600000008"
# Generous, because the machine is emulated and shared; what is aimed at is 2.
LATENCY_BOUND = 10
# Each event without a cause has its EOI put off for a tick of dom0's kernel at least, of which
# there are 250 in a second. What is sent is a thousand times as much.
SPURIOUS_PER_SECOND = 300


def counters(domid):
    """The xenbus device's counters of events without a cause, and of delays."""
    path = glob.glob("/sys/bus/xen-backend/devices/vtpm-%s-0" % domid)[0]
    return [int(open("%s/xenbus/%s" % (path, name)).read())
            for name in ("spurious_events", "jiffies_eoi_delayed")]


def busy():
    """(used, all) of dom0's CPU time so far, in ticks."""
    with open("/proc/stat") as stat:
        ticks = [int(word) for word in stat.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4] - ticks[7], sum(ticks)


class User:
    def __init__(self, name):
        self.process = subprocess.Popen(["guest", name, "python3 /push/tests/tpm_user.py"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def many(self, seconds):
        self.process.stdin.write("many %g %s\n" % (seconds, GETRANDOM12))
        self.process.stdin.flush()
        return [int(word) for word in self.process.stdout.readline().split()]


def storm(points, user, domid, kind, ms):
    """Returns (median latency of g2 in us, dom0's CPU share, spurious events per second)."""
    attacker = subprocess.Popen(
        ["guest", "g4", "python3", "/push/tests/rogue_front.py", "storm", kind, str(ms)],
        stdout=subprocess.PIPE, text=True)
    if attacker.stdout.readline() != "ready\n":
        points.result(False, "storm %s: it began" % kind)
        attacker.wait()
        return None
    before, used, start = counters(domid), busy(), time.monotonic()
    count, errors, median, p90, longest = user.many(ms / 1000 - 1)
    elapsed = time.monotonic() - start
    after, end = counters(domid), busy()
    share = (end[0] - used[0]) / (end[1] - used[1])
    spurious = (after[0] - before[0]) / elapsed
    for line in attacker.communicate(timeout=120)[0].splitlines():
        print(line)
    points.equal("storm %s: g2's commands were answered" % kind, errors, 0)
    points.note("report: storm %s: g2 %d commands, median %d us, p90 %d us, max %d us; "
                "dom0 CPU %.0f %%; %.0f spurious/s, EOI delayed %d ticks" % (
                    kind, count, median, p90, longest, 100 * share, spurious,
                    after[1] - before[1]))
    return median, share, spurious


def judge(points, kind, calm, measured):
    latency = measured[0] / calm[0]
    points.note("report: storm %s: g2's latency is %.2f of that beside a busy guest" % (
        kind, latency))
    points.result(latency < LATENCY_BOUND, "storm %s: g2 goes on" % kind,
                  "%.1f times its latency" % latency)
    if kind in ("without cause", "refused"):
        points.result(measured[2] < SPURIOUS_PER_SECOND,
                      "storm %s: the event code delays it" % kind,
                      "%.0f events per second" % measured[2])
        points.result(measured[1] < calm[1] + 0.5, "storm %s: dom0's CPU is bounded" % kind,
                      "%.2f, without it %.2f" % (measured[1], calm[1]))


def main(domid, ms, *kinds):
    points = Points()
    user = User("g2")
    alone = user.many(2)
    points.note("report: g2 alone: median %d us, p90 %d us, max %d us" % tuple(alone[2:]))
    calm = storm(points, user, domid, "nothing", int(ms))
    for kind in kinds:
        measured = storm(points, user, domid, kind, int(ms))
        if calm and measured:
            judge(points, kind, calm, measured)
    user.process.stdin.close()
    user.process.wait()
    return 0 if not points.failed else 1


sys.exit(main(*sys.argv[1:]))
