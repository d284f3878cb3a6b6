# SPDX-License-Identifier: GPL-2.0-only
"""Plots of what make bench has measured, each as SVG and PNG."""
import os
import statistics

import matplotlib
matplotlib.use("Agg")
from matplotlib import pyplot       # noqa: E402 (the backend comes first)

import keys                         # noqa: E402


def save(directory, name):
    for kind in ("svg", "png"):
        pyplot.savefig(os.path.join(directory, "%s.%s" % (name, kind)), bbox_inches="tight",
                       dpi=120)
    pyplot.close()


def curve(values, **how):
    """The share of all that took at most as long."""
    values = sorted(values)
    pyplot.plot(values, [(i + 1) / len(values) for i in range(len(values))], **how)


def latencies(directory, series):
    """One picture for each block; a colour is what is done, a style is the side."""
    blocks = list(dict.fromkeys(block for block, _, _, _ in series))
    figure, axes = pyplot.subplots(len(blocks), 1, figsize=(9, 4 * len(blocks)), squeeze=False)
    for axis, block in zip(axes[:, 0], blocks):
        pyplot.sca(axis)
        whats, sides = {}, {}
        for _, what, side, values in filter(lambda each: each[0] == block, series):
            curve(values, color="C%d" % whats.setdefault(what, len(whats)), label="%s, %s" % (
                side, what), linestyle=("-", "--", ":")[sides.setdefault(side, len(sides))])
        axis.set_xscale("log")
        axis.set_xlabel("latency in µs")
        axis.set_ylabel("share of all")
        axis.grid(True, which="both", alpha=.3)
        axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    figure.tight_layout()
    save(directory, "latency")


def spread(counts, rounds, label):
    middle = [statistics.median(values) for values in rounds]
    pyplot.errorbar(counts, middle, yerr=[
        [m - keys.quantile(values, .1) for m, values in zip(middle, rounds)],
        [keys.quantile(values, .9) - m for m, values in zip(middle, rounds)]],
        marker="o", capsize=3, label=label)


def throughput(directory, scaling):
    counts = sorted(map(int, scaling))
    pyplot.figure()
    spread(counts, [scaling[str(n)] for n in counts], "PCR_Read")
    pyplot.xlabel("busy vTPMs")
    pyplot.ylabel("commands per second, all together")
    pyplot.ylim(bottom=0)
    pyplot.grid(alpha=.3)
    save(directory, "throughput")


def engines(directory, blocks):
    parts = keys.by_count(blocks)
    counts = sorted(map(int, parts))
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4))
    for axis, what, unit in ((axes[0], "private_kb", "private memory of each in KB"),
                             (axes[1], "ms", "ms until all have answered, for each")):
        pyplot.sca(axis)
        for side, label in (("engine", "vtpm-engine"), ("swtpm", "swtpm")):
            spread(counts, [[value / (n if what == "ms" else 1)
                             for value in parts[str(n)]["%s_%s" % (side, what)]]
                            for n in counts], label)
        axis.set_xscale("log")
        axis.set_ylim(bottom=0)
        axis.set_xlabel("vTPMs")
        axis.set_ylabel(unit)
        axis.grid(alpha=.3)
        axis.legend()
    figure.tight_layout()
    save(directory, "engines")


# From, to, what happens in between; for suspends that were cancelled, and for restores.
PHASES = {
    "cancelled": (("suspend", "suspended", "drain and quiesce"),
                  ("suspended", "complete", "suspend of the domain, cancelled"),
                  ("complete", "first_response", "until the next response")),
    "restored": (("suspend", "suspended", "drain and quiesce"),
                 ("resume", "connected", "new grants, backend connects"),
                 ("connected", "first_response", "until the next response")),
}


def timeline(directory, resume):
    """By the guest's clock, which stands still while it is saved."""
    _, axes = pyplot.subplots(2, 1, figsize=(9, 5))
    for axis, (kind, phases) in zip(axes, PHASES.items()):
        seen = set()
        for row, events in enumerate(resume[kind]):
            for colour, (begin, end, label) in enumerate(phases):
                if begin in events and end in events:
                    axis.barh(row, events[end] - events[begin],
                              left=events[begin] - events["suspend"], color="C%d" % colour,
                              label=None if label in seen else label)
                    seen.add(label)
        axis.set_title("suspend, %s" % kind, fontsize=9)
        axis.set_xlabel("ms of the guest's clock since the hook was called", fontsize=8)
        axis.set_yticks([])
        axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    pyplot.tight_layout()
    save(directory, "suspend")


def draw(directory, blocks, series):
    if series:
        latencies(directory, series)
    if "scaling" in blocks.get("many", {}):
        throughput(directory, blocks["many"]["scaling"])
    if "engines" in blocks:
        engines(directory, blocks)
    if "resume" in blocks:
        timeline(directory, blocks["resume"])
