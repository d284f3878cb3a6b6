#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What make bench has measured, as keys with goals: report.json, report.md, and plots.

    report.py --parts machine|lab [KEY]...      which blocks these keys need
    report.py --directory DIR --reference FILE [--load N] [--quick] [KEY]..."""
import argparse
import json
import os
import statistics
import sys

import keys

# Worse than the reference by less than this is not said, whatever the spread.
NOISE = 0.10
# What is said of goals that are not met, beside the floors that are measured
WHY = "Documentation/benchmarks.md, \"Why some goals are not met\""
# Processes that ran before it began, on average over a minute.
BUSY = 0.7


def parts(place, wanted):
    index = {"machine": 1, "lab": 2}[place]
    blocks = [block for key in wanted for block in keys.KEYS[key][index]]
    print(" ".join(dict.fromkeys(blocks)))


def load(path):
    try:
        with open(path) as file:
            return json.load(file)
    except FileNotFoundError:
        return None


class Report:
    def __init__(self, options):
        self.options = options
        self.raw = {name: load(os.path.join(options.directory, path)) or {} for name, path in
                    (("machine", "machine.json"), ("lab", "lab/bench.json"))}
        self.blocks = {}
        self.problems = {}
        for name, raw in self.raw.items():
            self.blocks.update(raw.get("blocks", {}))
            self.problems.update({"%s (%s)" % (block, name): why
                                  for block, why in raw.get("problems", {}).items()})
        # Of the emulated machine; vTPMs cannot be busier than the processors.
        self.blocks["cores"] = int(self.raw["lab"].get("facts", {}).get("host_cpus") or 1)
        self.reference = load(options.reference) or {}

    def make(self):
        report = {}
        for key in self.options.key:
            how, here, there = keys.KEYS[key]
            missing = [block for block in here + there if block not in self.blocks]
            if missing:
                self.problems[key] = "was not measured: %s" % ", ".join(missing)
            if len(missing) == len(here + there):
                continue
            try:
                report[key] = how(self.blocks)
            except (KeyError, ValueError, ZeroDivisionError) as error:
                self.problems[key] = "cannot be computed: %r" % error
        report["latency_us"] = self.latencies()
        report["facts"] = {name: raw.get("facts") for name, raw in self.raw.items()}
        report["load_before"] = self.options.load
        report["seconds"] = {name: raw.get("seconds") for name, raw in self.raw.items()}
        report["quick"] = self.options.quick
        report["worse"] = self.worse(report)
        report["problems"] = self.problems
        return report

    def series(self):
        """(block, what, side, latencies in us) of all that was sampled."""
        for mode, part in self.blocks.get("relay", {}).items():
            if isinstance(part, dict):
                for side, rounds in part.items():
                    yield "relay", mode, side, sum(rounds, [])
        for block in ("commands", "stock"):
            for name, rounds in self.blocks.get(block, {}).items():
                side, what = name.split("/")
                yield block, what, side, sum(rounds, [])

    def latencies(self):
        return {"%s, %s" % (side, what): {
            "median": statistics.median(values), "p99": keys.quantile(values, .99),
            "count": len(values)} for _, what, side, values in self.series() if values}

    def worse(self, report):
        """Worse than the reference by more than both spreads and the noise."""
        known = {(key, name): value for key, name, value in keys.entries(self.reference)}
        result = []
        for key, name, value in keys.entries(report):
            old = known.get((key, name))
            if old and is_worse(value, old):
                result.append({"key": key, "name": name, "was": old["value"],
                               "is": value["value"]})
        return result

    def table(self, report):
        known = {(key, name): value for key, name, value in keys.entries(self.reference)}
        lines = ["| Key | | Value | Low to high | Goal | Met | Reference |",
                 "|---|---|---|---|---|---|---|"]
        for key, name, value in keys.entries(report):
            old = known.get((key, name))
            goal = "" if value["goal"] is None else "%s %g" % (
                "at most" if value["better"] == keys.LOWER else "at least", value["goal"])
            lines.append("| `%s` | %s | %.4g | %.4g to %.4g | %s | %s | %s |" % (
                key, name or "", value["value"], value["low"], value["high"], goal,
                {True: "yes", False: "**no**", None: ""}[keys.met(value)],
                "%.4g" % old["value"] if old else ""))
        return lines

    def markdown(self, report):
        lines = ["# make bench%s" % (" (QUICK=1: for a first look only)"
                                     if report["quick"] else ""), ""]
        if report["load_before"] > BUSY:
            lines += ["**Other processes ran on this machine before it began (load %.1f): "
                      "latencies are not to be trusted.**" % report["load_before"], ""]
        for place, facts in report["facts"].items():
            if facts:
                lines.append("- %s: %s" % (
                    {"machine": "This machine", "lab": "The emulated Xen host"}[place],
                    ", ".join("%s %s" % (name.replace("_", " "), value)
                              for name, value in facts.items())))
        lines += ["", *self.table(report)]
        if any(keys.met(value) is False for _, _, value in keys.entries(report)):
            lines += ["", "Why goals are not met, with profiles: %s." % WHY]
        if report["latency_us"]:
            lines += ["", "| Latency in µs | Median | p99 | Samples |", "|---|---|---|---|"]
        lines += ["| %s | %d | %d | %d |" % (name, each["median"], each["p99"], each["count"])
                  for name, each in report["latency_us"].items()]
        if report["worse"]:
            lines += ["", "Worse than the reference by more than the noise:", ""]
            lines += ["- `%s` %s: %.4g, was %.4g" % (
                each["key"], each["name"] or "", each["is"], each["was"])
                for each in report["worse"]]
        if report["problems"]:
            lines += ["", "Not measured:", ""]
            lines += ["- %s: %s" % each for each in report["problems"].items()]
        return "\n".join(lines) + "\n"

    def path(self, name):
        return os.path.join(self.options.directory, name)


def is_worse(value, old):
    if value["better"] == keys.LOWER:
        return value["low"] > old["high"] and value["value"] > old["value"] * (1 + NOISE)
    return value["high"] < old["low"] and value["value"] < old["value"] * (1 - NOISE)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--parts", choices=("machine", "lab"))
    parser.add_argument("--directory")
    parser.add_argument("--reference")
    parser.add_argument("--load", type=float, default=0, help="of the machine, before it began")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("key", nargs="*")
    options = parser.parse_args()
    for key in options.key:
        if key not in keys.KEYS:
            sys.exit("bench: there is no key %s; there are: %s" % (key, " ".join(keys.KEYS)))
    options.key = options.key or list(keys.KEYS)
    if options.parts:
        parts(options.parts, options.key)
        return
    work = Report(options)
    report = work.make()
    with open(work.path("report.json"), "w") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    text = work.markdown(report)
    with open(work.path("report.md"), "w") as file:
        file.write(text)
    import plots                # only here is there need of matplotlib
    plots.draw(options.directory, work.blocks, list(work.series()))
    print(text)
    print("bench: %s" % work.path("report.json"))
    sys.exit(bool(report["problems"]))


if __name__ == "__main__":
    main()
