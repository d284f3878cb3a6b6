#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The half of make bench that needs Xen: runs in dom0, measures, and judges nothing.

    in_dom0.py --report FILE [--quick] BLOCK...

Writes what was measured, by block; report.py makes keys of it. What a block is, and which key
comes from it, is in Documentation/benchmarks.md. A block that fails is written down as
such, and the next one begins with guests of its own."""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import time
import traceback

import commands
import hosts
from crowd import Crowd
from tool import Device, Failed, Tool, by_turns

TOOL = "/push/bin/bench-tool"


class Bench:
    def __init__(self, quick, crowd):
        self.quick, self.others = quick, crowd
        self.lab = hosts.Lab(TOOL)

    def amount(self, rounds, seconds):
        """How many rounds, and how long at most."""
        return (max(4, rounds // 5), seconds // 4) if self.quick else (rounds, seconds)

    # --- the way there and back

    def relay(self):
        """An engine without a TPM, against events alone between the same two domains."""
        self.lab.create("g1")
        result = {"smallest_request_bytes": len(commands.SMALLEST) // 2}
        # What g1's TPMs are served by from now on has to be taken for a running engine.
        for mode, vtpm in (("native, exactly once", hosts.MAIN), ("native", hosts.PLAIN),
                           ("raw", hosts.PLAIN)):
            result[mode] = self.relay_in(mode, vtpm)
        self.lab.destroy("g1")
        return result

    def relay_in(self, mode, vtpm):
        guest = self.lab.client("g1")
        device = Device(guest, "tpm", self.lab.device("g1", vtpm))
        engine = device.time(commands.GET_RANDOM, 50)
        self.lab.stop_daemon()
        null = Tool(TOOL, "null", mode.split(",")[0], vtpm.uuid)
        echo = Tool(TOOL, "echo", str(self.lab.domid("g1")))
        try:
            if null.hear("null") != "ready":
                raise Failed("the null engine does not start")
            guest.ask("bind 0 %s" % echo.hear("echo"))
            rounds, seconds = self.amount(60, 60)
            return by_turns({
                "relay": lambda: device.time(commands.SMALLEST, 40),
                "pingpong": lambda: self.ping(guest, 40)}, rounds, seconds) | {
                    "GetRandom with an engine": [engine]}
        finally:
            echo.end()
            null.end()
            guest.end()
            self.lab.start_daemon()

    @staticmethod
    def ping(guest, count):
        return [round(int(word) / 1000) for word in guest.ask("ping %d" % count)]

    # --- the guest's TPM against dom0's own

    def commands(self):
        self.lab.create("g1")
        guest, here = self.lab.client("g1"), Tool(TOOL, "client")
        with self.lab.local_swtpm() as path:
            pair = {"guest": Device(guest, "tpm", self.lab.device("g1", hosts.MAIN)),
                    "swtpm": Device(here, "swtpm", path)}
            series = {}
            for side, device in pair.items():
                for name, (command, count) in self.prepared(device).items():
                    series[side, name] = \
                        lambda device=device, command=command, count=count: \
                        device.time(command, count)
            rounds, seconds = self.amount(60, 180)
            measured = by_turns(series, rounds, seconds)
            here.end()
            guest.end()
        return {"%s/%s" % key: value for key, value in measured.items()}

    @staticmethod
    def prepared(device):
        """What is measured, with its count in a round; the index and the key are made here."""
        device.do(commands.NV_DEFINE, (0, 0x14C))
        key = device.do(commands.CREATE_SIGNING_KEY)[20:28]
        device.do(commands.NV_WRITE.replace(commands.NUMBERED, "00000000"))
        return {
            "PCR_Read": (commands.PCR_READ, 20), "GetRandom": (commands.GET_RANDOM, 20),
            "PCR_Extend": (commands.PCR_EXTEND, 20), "NV_Write": (commands.NV_WRITE, 10),
            "Sign P-256": (commands.sign(key), 5),
        }

    # --- mainline's frontend

    def stock(self):
        """Both frontends with a TPM 1.2, which is what mainline's takes every TPM for."""
        self.lab.create("g1", [hosts.OLD])
        self.lab.create("g2")
        ours, stock = self.lab.client("g1"), self.lab.client("g2")
        first = Device(ours, "ours", self.lab.device("g1", hosts.OLD))
        second = Device(stock, "stock", "/dev/tpm0")
        rounds, seconds = self.amount(30, 90)
        series = {}
        for name, command in (("TPM_PCRRead", commands.PCR_READ_12),
                              ("TPM_GetRandom", commands.GET_RANDOM_12)):
            for side, device in (("ours", first), ("stock", second)):
                series["%s/%s" % (side, name)] = \
                    lambda device=device, command=command: device.time(command, 20)
        measured = by_turns(series, rounds, seconds)
        ours.end()
        stock.end()
        self.lab.destroy("g2")
        return measured

    # --- many vTPMs

    def many(self):
        """One guest's latency alone, beside idle vTPMs and beside busy ones; and what n busy
        ones get done together."""
        self.lab.create("g1")
        guest = self.lab.client("g1")
        device = Device(guest, "tpm", self.lab.device("g1", hosts.MAIN))
        rounds, seconds = self.amount(15, 60)

        def sample():
            return device.time(commands.PCR_READ, 100)

        result = {"before": by_turns({"alone": sample}, rounds, seconds / 2)["alone"]}
        self.lab.create("g3")
        # One after the other: the guest's ssh server lets in only a few at a time.
        loads = [Device(self.lab.client("g3"), "load", self.lab.device("g3", vtpm))
                 for vtpm in hosts.LOADS]
        result.update(by_turns({
            "idle": sample, "busy": lambda: self.beside(loads, sample)}, rounds, 2 * seconds))
        rounds, seconds = self.amount(10, 120)
        scaling = by_turns({
            str(n): lambda n=n: self.throughput(loads[:n]) for n in (1, 2, 4, 8)},
            rounds, seconds)
        result["scaling"] = {n: [rate for rate, _ in each] for n, each in scaling.items()}
        result["scaling_busy"] = {n: [busy for _, busy in each] for n, each in scaling.items()}
        for load in loads:
            load.tool.end()
        result["idle_wakeups"] = [self.idle_wakeups()]
        result["crowd"] = self.crowd(sample)
        result["idle_wakeups"].append(self.idle_wakeups())
        self.lab.destroy("g3")
        rounds, seconds = self.amount(15, 60)
        result["after"] = by_turns({"alone": sample}, rounds, seconds / 2)["alone"]
        guest.end()
        result["others"] = len(loads)
        return result

    def crowd(self, sample):
        """g3 gets so many more that all the others are there, idle."""
        count = (32 if self.quick else self.others) - len(hosts.LOADS)
        crowd = Crowd(self.lab, "g3", count)
        begin = time.monotonic()
        crowd.attach(60 + 4 * count)
        seconds = time.monotonic() - begin
        rounds, limit = self.amount(15, 60)
        return {"others": count + len(hosts.LOADS), "attached": count,
                "attach_s": round(seconds, 1),
                "idle": by_turns({"idle": sample}, rounds, limit / 2)["idle"]}

    @staticmethod
    def beside(loads, sample):
        for load in loads:
            load.busy(commands.PCR_READ)
        values = sample()
        for load in loads:
            load.rest()
        return values

    def throughput(self, loads):
        """(commands per second, of all together; processors that all domains had meanwhile)"""
        for load in loads:
            load.busy(commands.PCR_READ)
        begin, before = time.monotonic(), self.lab.processor_seconds()
        time.sleep(2)                   # what is measured
        busy = (self.lab.processor_seconds() - before) / (time.monotonic() - begin)
        for load in loads:
            load.tool.tell("")
        ends = [load.tool.reply("rest") for load in loads]
        return (round(sum(int(end[0]) * 1e9 / int(end[1]) for end in ends), 1), round(busy, 2))

    # --- wake-ups

    def idle_wakeups(self):
        """Of vtpmd, all engines and the backend's interrupts, while nobody asks for anything. A
        guest's kernel takes random numbers once a minute: then another ten seconds are taken."""
        seconds = 10
        daemon, engines = self.lab.pids()
        for _ in range(6):
            commands_before = self.lab.commands_done()
            time.sleep(2)               # engines bring everything into their store meanwhile
            before = self.wakeups(daemon, engines)
            time.sleep(seconds)         # what is measured
            after = self.wakeups(daemon, engines)
            if self.lab.commands_done() == commands_before:
                return {"vtpms": len(engines), "seconds": seconds,
                        "by": {name: after[name] - before[name] for name in before}}
        raise Failed("the guests are never idle for %d s" % seconds)

    @staticmethod
    def switches(pids):
        """How often all their threads have got or lost a processor."""
        total = 0
        for pid in pids:
            for path in glob.glob("/proc/%d/task/*/status" % pid):
                with open(path) as file:
                    total += sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)",
                                                            file.read()))
        return total

    def wakeups(self, daemon, engines):
        with open("/proc/interrupts") as file:
            interrupts = sum(int(n) for line in file if "tpmback" in line
                             for n in re.findall(r"(?<= )\d+(?= )", line.split(":", 1)[1]))
        return {"vtpmd": self.switches([daemon]), "engines": self.switches(engines),
                "interrupts": interrupts}

    # --- coming and going

    def attach(self):
        """From the start of xl vtpm-attach to the first response in the guest."""
        self.lab.create("g1")
        guest = self.lab.client("g1")
        uuid = hosts.EXTRA.uuid
        result = {"attach_ms": [], "xl_ms": []}
        with open("/sys/module/xen_tpmback/parameters/initwait_ms") as file:
            result["initwait_ms"] = int(file.read())
        path = "/dev/tpm%d" % len(hosts.GUESTS["g1"])
        for _ in range(3 if self.quick else 8):
            begin = time.monotonic()
            guest.tell("await %s %s" % (path, commands.GET_RANDOM))
            self.lab.run("xl", "vtpm-attach", "g1", "backend=0", "uuid=" + uuid)
            result["xl_ms"].append(round(1000 * (time.monotonic() - begin), 1))
            guest.reply("await")
            result["attach_ms"].append(round(1000 * (time.monotonic() - begin), 1))
            self.lab.run("xl", "vtpm-detach", "g1", uuid)
            self.lab.await_true("%s goes" % path, lambda: not self.lab.has("g1", path))
        guest.end()
        return result

    def resume(self):
        """From the driver's resume to the first response, by the guest's clock; xl save -c for
        the timeline of what is cancelled."""
        self.lab.create("g1", [hosts.MAIN])
        self.lab.trace("g1")
        result = {"restored": [], "cancelled": []}
        for kind in ("restored", "cancelled") * (2 if self.quick else 6):
            guest = self.lab.client("g1")
            device = Device(guest, "tpm", self.lab.device("g1", hosts.MAIN))
            device.busy(commands.PCR_READ)
            time.sleep(0.3)             # commands are under way when the suspend comes
            events = self.lab.suspend("g1", kind)
            device.rest()
            guest.end()
            result[kind].append({name: round(ms, 3) for name, ms in events.items()})
        return result

    def suspend(self):
        """What the soak measures, without its deaths."""
        plan = ["save-cancelled"] * (4 if self.quick else 12)
        self.lab.create("g1", [hosts.MAIN])
        self.lab.create("g2", [])
        try:
            report = self.lab.soak(",".join(plan))
        finally:
            self.lab.destroy("g1")
            self.lab.destroy("g2")
        return report


BLOCKS = ("relay", "commands", "stock", "many", "attach", "resume", "suspend")


def facts():
    def output(*words):
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout

    xen = dict(line.split(":", 1) for line in output("xl", "info").splitlines() if ":" in line)
    xen = {name.strip(): value.strip() for name, value in xen.items()}
    return {
        "dom0_kernel": os.uname().release, "xen": xen.get("xen_version"),
        "dom0_cpus": os.cpu_count(), "host_cpus": xen.get("nr_cpus"),
        "memory_mb": xen.get("total_memory"),
        "libtpms": max((re.sub(r".*\.so\.", "", path) for path in
                        glob.glob("/usr/lib/*/libtpms.so.*")), key=len, default=None),
        "swtpm": output("swtpm", "--version").split(",")[0].replace("TPM emulator version ", ""),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--report", default="/out/bench.json")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--crowd", type=int, default=64, help="vTPMs beside the one that is "
                        "measured")
    parser.add_argument("block", nargs="+", choices=BLOCKS)
    options = parser.parse_args()
    bench = Bench(options.quick, options.crowd)
    report = {"facts": facts(), "blocks": {}, "problems": {}, "seconds": {}}
    for name in options.block:
        print("bench: %s" % name, flush=True)
        begin = time.monotonic()
        try:
            report["blocks"][name] = getattr(bench, name)()
        except (Failed, OSError, subprocess.SubprocessError) as error:
            traceback.print_exc()
            report["problems"][name] = str(error)
            bench.lab.afresh()
        report["seconds"][name] = round(time.monotonic() - begin)
        with open(options.report, "w") as file:
            json.dump(report, file)
    sys.exit(bool(report["problems"]))


main()
