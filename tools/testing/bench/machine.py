#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The half of make bench that needs no Xen: engines with sockets in the place of their
connections. Measures, and judges nothing; report.py makes keys of it."""
import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

MEMORY = "/dev/shm"
KB_EACH = 4096          # for an engine, a swtpm, their stores and what the kernel has of them


class Machine:
    def __init__(self, options):
        self.options = options
        self.log = open(os.path.splitext(options.report)[0] + ".log", "w")

    def run(self, program, *words):
        """With directories of its own, on the disk and in memory; its JSON."""
        directory = tempfile.mkdtemp(dir=self.options.directory)
        memory = tempfile.mkdtemp(dir=MEMORY, prefix="xen-vtpm-bench.")
        places = [directory] if program == "bench-store" else [directory, memory]
        try:
            done = subprocess.run(
                [os.path.join(self.options.tools, program), *places, *map(str, words)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True,
                timeout=900, check=True)
        finally:
            shutil.rmtree(directory)
            shutil.rmtree(memory)
        return json.loads(done.stdout)

    def store(self):
        return self.run("bench-store")

    def keep(self):
        return self.run("bench-keep")

    def engines(self):
        """By how many there are; those for which there is no memory are left out, and named."""
        rounds = {1: 20, 32: 6, 256: 3, 1000: 3}
        if self.options.quick:
            rounds = {1: 10, 32: 3, 256: 2}
        result = {"left_out": []}
        for count, times in rounds.items():
            if available_kb() < count * KB_EACH:
                result["left_out"].append(count)
                continue
            result[str(count)] = self.run("bench-many", count, times, 10 if count == 256 else 0)
        return result


BLOCKS = ("store", "keep", "engines")


def available_kb():
    with open("/proc/meminfo") as file:
        return int(re.search(r"MemAvailable:\s+(\d+)", file.read()).group(1))


def facts():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    libraries = glob.glob("/usr/lib/*/libtpms.so.*")
    swtpm = subprocess.run(["swtpm", "--version"], capture_output=True, text=True, check=False)
    return {
        "cpu": model.group(1) if model else os.uname().machine, "cores": os.cpu_count(),
        "kernel": os.uname().release, "available_mb": available_kb() // 1024,
        "libtpms": max(libraries, key=len).split(".so.")[1] if libraries else None,
        "swtpm": swtpm.stdout.split(",")[0].replace("TPM emulator version ", ""),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--report", required=True)
    parser.add_argument("--directory", required=True, help="on the disk that is measured")
    parser.add_argument("--tools", required=True, help="what make -C tools/vtpm bench has built")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("block", nargs="+", choices=BLOCKS)
    options = parser.parse_args()
    machine = Machine(options)
    os.sync()       # pages of a program that was just linked would count as its private ones
    report = {"facts": facts(), "blocks": {}, "problems": {}, "seconds": {}}
    for name in options.block:
        print("bench: %s" % name, flush=True)
        begin = time.monotonic()
        try:
            report["blocks"][name] = getattr(machine, name)()
        except (OSError, subprocess.SubprocessError) as error:
            report["problems"][name] = "%s; see %s" % (error, machine.log.name)
        report["seconds"][name] = round(time.monotonic() - begin)
    with open(options.report, "w") as file:
        json.dump(report, file)
    sys.exit(bool(report["problems"]))


main()
