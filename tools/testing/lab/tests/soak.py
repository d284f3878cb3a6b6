#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The soak's half in dom0: guests use their TPMs by one descriptor each (soak_guest.py),
while events fall upon them in an order that the seed decides. In the end everything
acknowledged must be there, once. Those that no event falls upon rest between their
commands meanwhile: processors are few.

    soak.py --seed N --count N --guest g1=2.0 --guest g2=1.2 [--plain g3] [--report FILE]
    soak.py --plan save-restored,paused --guest g1=2.0

--plan has events instead of drawing them; each falls upon each guest. --plain names
a guest without a vTPM, with which pauses are compared. Nothing waits without a bound."""
import argparse
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

from soak_verify import verify

PORT = 7000
PROGRESS_S = 150            # vtpmd waits a minute after too many deaths of an engine
PLAIN_SAMPLES = 15
IDLE_SAMPLES = 5
IDLE_S = 1.5                # an engine has everything in its store by then
SUSPEND = re.compile(r"suspend: drained in \d+ us, quiesced in \d+ us, hook (\d+) us")

# How often each event is in a deck. Decks are shuffled, so that none is left out.
DECK = {
    "save-cancelled": 3, "save-restored": 2, "migrated": 2, "paused": 1,
    "engine-killed": 2, "daemon-killed": 1, "both-killed": 1, "engine-stopped": 1,
    "rsa-save-cancelled": 1, "rsa-save-restored": 1, "late-response": 1,
}
KILLS = ("engine-killed", "both-killed")


class Failed(Exception):
    """An event could not be carried out, or the guest does not go on after it."""


def run(*command, seconds=120):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise Failed("'%s' has not ended after %d s" % (" ".join(command), seconds)) from error
    if done.returncode:
        raise Failed("'%s' ended with status %d: %s" % (
            " ".join(command), done.returncode, (done.stderr or done.stdout).strip()[-300:]))
    return done.stdout


def await_true(seconds, what, test):
    end = time.monotonic() + seconds
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed("after %d s still not: %s" % (seconds, what))
        time.sleep(0.05)


class Gap:
    """The longest time between two datagrams of a kind, by dom0's clock."""

    def __init__(self):
        self.last = None
        self.longest = 0
        self.count = 0

    def restart(self):
        self.longest = 0

    def mark(self, now):
        if self.last is not None:
            self.longest = max(self.longest, now - self.last)
        self.last = now
        self.count += 1


class Guest:
    def __init__(self, name, kind, directory="/run/soak"):
        self.name, self.kind, self.directory = name, kind, directory
        self.address = "10.77.0.%s" % name[1:]
        self.uuid = "00000000-0000-4000-8000-%012d" % int(name[1:])
        self.acks, self.ticks = Gap(), Gap()
        self.loop = self.rsa = self.wanted_rsa = 0
        self.stopped = False
        self.pauses_ms = {}
        self.report = {}

    def heard(self, word, number, now):
        if word == "ack":
            self.loop = number
            self.acks.mark(now)
        elif word == "tick":
            self.ticks.mark(now)
        elif word == "rsa":
            self.rsa = max(self.rsa, number)
        elif word == "stopped":
            self.stopped = True

    def ssh(self, command, seconds=120):
        return run("guest", self.name, command, seconds=seconds)


class Link:
    """The datagrams."""

    def __init__(self, guests):
        self.guests = {guest.address: guest for guest in guests}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("0.0.0.0", PORT))
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            data, (address, _) = self.socket.recvfrom(100)
            now = time.monotonic()
            try:
                word, number = data.decode().split()
                self.guests[address].heard(word, int(number), now)
            except (ValueError, KeyError):
                pass

    def tell(self, guest, word, number):
        """Say it once, and do not mind whether it is heard."""
        try:
            self.socket.sendto(b"%s %d" % (word.encode(), number), (guest.address, PORT))
        except OSError:
            pass

    def ask(self, guest, word, number, seconds, answered):
        """Say it until it has been heard."""
        def once():
            self.tell(guest, word, number)
            return answered()
        await_true(seconds, "%s answers to '%s'" % (guest.name, word), once)


def engine_pid(guest):
    for vtpm in json.loads(run("vtpmctl", "list", "--json"))["vtpms"]:
        if vtpm["uuid"] == guest.uuid:
            return vtpm.get("pid")
    return None


class Events:
    """What befalls a guest. Each method is an event, with '_' for '-'."""

    def __init__(self, link, guests):
        self.link, self.guests = link, guests

    def save_cancelled(self, guest, _):
        run("xl", "save", "-c", guest.name, "/dev/null")

    def save_restored(self, guest, wait):
        image = "/run/soak-%s.img" % guest.name
        try:
            run("xl", "save", guest.name, image)
            time.sleep(wait)
            run("xl", "restore", image)
        finally:
            if os.path.exists(image):
                os.unlink(image)

    def migrated(self, guest, _):
        run("xl", "migrate", "-s", "", guest.name, "xl migrate-receive")

    def paused(self, guest, wait):
        run("xl", "pause", guest.name)
        time.sleep(wait)
        run("xl", "unpause", guest.name)

    def pid(self, guest):
        return await_true(60, "the engine of %s runs" % guest.name, lambda: engine_pid(guest))

    def engine_killed(self, guest, _):
        pid = self.pid(guest)
        os.kill(pid, signal.SIGKILL)
        await_true(90, "there is another engine for %s" % guest.name,
                   lambda: engine_pid(guest) not in (None, pid))

    def daemon_killed(self, _, wait):
        run("lab-vtpmd", "kill")
        time.sleep(wait)
        run("lab-vtpmd", "start")

    def both_killed(self, guest, wait):
        pid = self.pid(guest)
        run("lab-vtpmd", "kill")
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass                    # it ended with its daemon
        time.sleep(wait)
        run("lab-vtpmd", "start")

    def engine_stopped(self, guest, wait):
        pid = self.pid(guest)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(1 + 3 * wait)
        os.kill(pid, signal.SIGCONT)

    def start_rsa(self, guest):
        guest.wanted_rsa += 1
        self.link.ask(guest, "rsa", guest.wanted_rsa, 60,
                      lambda: guest.rsa >= guest.wanted_rsa)

    def rsa_save_cancelled(self, guest, wait):
        self.start_rsa(guest)
        self.save_cancelled(guest, wait)

    def rsa_save_restored(self, guest, wait):
        self.start_rsa(guest)
        self.save_restored(guest, wait)

    def late_response(self, guest, wait):
        """The engine is held in the middle of its work, until the domain has gone."""
        pid = self.pid(guest)
        image = "/run/soak-%s.img" % guest.name
        self.start_rsa(guest)
        before = cpu_ticks(pid)
        # It has been taken from the guest when it has cost 50 ms.
        await_true(30, "the engine of %s works" % guest.name,
                   lambda: cpu_ticks(pid) >= before + 5)
        os.kill(pid, signal.SIGSTOP)
        try:
            run("xl", "save", guest.name, image)
        finally:
            os.kill(pid, signal.SIGCONT)
        time.sleep(wait)
        run("xl", "restore", image)
        os.unlink(image)


def cpu_ticks(pid):
    """Processor time that a process has used, in hundredths of a second."""
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def draw(chance, count, guests):
    """The sequence of (event, guest, wait, delay): a function of the seed alone."""
    hands = {guest.name: [] for guest in guests}
    past = {guest.name: [] for guest in guests}
    plan = []
    while len(plan) < count:
        guest = guests[len(plan) % len(guests)]
        if not hands[guest.name]:
            hands[guest.name] = deal(chance, past[guest.name])
        kind = hands[guest.name].pop(0)
        past[guest.name].append(kind)
        plan.append((kind, guest, round(chance.random(), 3), round(chance.random() / 2, 3)))
    return plan


def deal(chance, past):
    """A deck in which an engine does not die so often that vtpmd gives up for a minute."""
    deck = [kind for kind, times in DECK.items() for _ in range(times)]
    while True:
        chance.shuffle(deck)
        row = past[-6:] + deck
        if all(sum(kind in KILLS for kind in row[i:i + 6]) < 3 for i in range(len(row))):
            return list(deck)


def summary(values, unit=1):
    if not values:
        return None
    return {"median": round(statistics.median(values) / unit, 3),
            "max": round(max(values) / unit, 3), "count": len(values)}


class Soak:
    def __init__(self, options):
        self.options = options
        self.guests = [Guest(*word.split("=")) for word in options.guest]
        self.plain = Guest(options.plain, "none") if options.plain else None
        self.all = self.guests + ([self.plain] if self.plain else [])
        self.link = Link(self.all)
        self.events = Events(self.link, self.guests)
        self.done = {}
        self.by_guest = {guest.name: {} for guest in self.guests}
        self.problems = []
        self.with_vtpm, self.without_vtpm = [], []
        self.idle_hooks = []
        self.targets = len(options.plan.split(",")) * len(self.guests) if options.plan \
            else options.count

    def say(self, text):
        print("# soak: %s" % text, flush=True)

    def plan(self):
        chance = random.Random(self.options.seed)
        if not self.options.plan:
            return draw(chance, self.options.count, self.guests)
        return [(kind, guest, round(chance.random(), 3), round(chance.random() / 2, 3))
                for kind in self.options.plan.split(",") for guest in self.guests]

    def start(self):
        for guest in self.all:
            guest.ssh("mkdir -p /run/soak && cd /run/soak && rm -f * && "
                      "setsid python3 /push/tests/soak_guest.py %s %s </dev/null >out 2>&1 &"
                      % (guest.kind, guest.directory))
        for guest in self.all:
            self.await_progress(guest, 1)

    def measure_idle(self, guest):
        """How long the hook takes that a suspend spends in the driver of an idle TPM."""
        guest.ssh("dmesg -C; echo 'module xen_tpmfront +p' "
                  ">/sys/kernel/debug/dynamic_debug/control")
        for _ in range(IDLE_SAMPLES):
            time.sleep(IDLE_S)          # being idle has no event that could be waited for
            run("xl", "save", "-c", guest.name, "/dev/null")
        lines = guest.ssh("dmesg | grep suspend:").splitlines()
        hooks = [int(found.group(1)) for found in map(SUSPEND.search, lines) if found]
        if len(hooks) != IDLE_SAMPLES:
            raise Failed("%s has logged %d suspends of %d" % (
                guest.name, len(hooks), IDLE_SAMPLES))
        self.idle_hooks += hooks

    def await_progress(self, guest, datagrams=2):
        """The first may have been on its way before the event, the second not."""
        wanted = guest.acks.count + datagrams
        try:
            await_true(PROGRESS_S, "%s's TPM does something" % guest.name,
                       lambda: guest.acks.count >= wanted)
        except Failed as error:
            raise Failed("%s; %s" % (error, self.last_words(guest))) from error

    def last_words(self, guest):
        try:
            return "its program says: %s" % guest.ssh(
                "tail -n 2 /run/soak/log; tail -n 3 /run/soak/out", 30).strip()
        except Failed:
            return "the guest does not answer"

    def ticked(self, guest, event):
        """Do it while the guest ticks; return the longest pause in ms."""
        count = guest.ticks.count
        self.link.ask(guest, "ticks", 1, 30, lambda: guest.ticks.count > count + 3)
        guest.ticks.restart()
        event()
        count = guest.ticks.count
        await_true(60, "%s ticks" % guest.name, lambda: guest.ticks.count > count + 3)
        longest = guest.ticks.longest * 1000
        self.link.ask(guest, "ticks", 0, 30, lambda: True)
        return longest

    def carry_out(self, kind, guest, wait):
        action = getattr(self.events, kind.replace("-", "_"))
        if kind != "save-cancelled" or not self.plain or len(self.with_vtpm) >= PLAIN_SAMPLES:
            action(guest, wait)
            return
        self.with_vtpm.append(self.ticked(guest, lambda: action(guest, wait)))
        self.without_vtpm.append(self.ticked(self.plain, lambda: action(self.plain, wait)))

    def event(self, kind, guest, wait, delay):
        time.sleep(delay)           # so that it falls into any phase of a command
        hit = self.guests if kind in ("daemon-killed", "both-killed") else [guest]
        for other in self.guests:
            other.acks.restart()
            self.link.tell(other, "rest", other not in hit)
        self.carry_out(kind, guest, wait)
        for other in hit:
            self.await_progress(other)
        pause = max(other.acks.longest for other in hit) * 1000
        guest.pauses_ms.setdefault(kind, []).append(pause)
        self.done[kind] = self.done.get(kind, 0) + 1
        mine = self.by_guest[guest.name]
        mine[kind] = mine.get(kind, 0) + 1
        return pause

    def soak(self):
        end = time.monotonic() + self.options.limit
        for number, (kind, guest, wait, delay) in enumerate(self.plan(), 1):
            if time.monotonic() > end:
                raise Failed("the time is over")
            try:
                pause = self.event(kind, guest, wait, delay)
            except Failed as error:
                raise Failed("event %d, %s on %s: %s" % (number, kind, guest.name, error)) \
                    from error
            self.say("%d/%d %s %s: %d ms" % (number, self.targets, guest.name, kind, pause))

    def stop(self):
        for guest in self.all:
            try:
                self.link.ask(guest, "stop", 1, 60, lambda: guest.stopped or guest.kind == "none")
                self.collect(guest)
            except (Failed, ValueError) as error:
                self.problems.append("%s: %s" % (guest.name, error))

    def collect(self, guest):
        if guest.kind == "none":
            return
        result = json.loads(guest.ssh("cat %s/result" % guest.directory))
        log = guest.ssh("cat %s/log" % guest.directory, 300)
        directory = os.path.dirname(os.path.abspath(self.options.report))
        with open(os.path.join(directory, "log-%s" % guest.name), "w") as file:
            file.write(log)
        verdict, acknowledged = verify(guest.kind, log.splitlines(), result)
        mine = self.by_guest[guest.name]
        names = ("drain_us", "quiesce_us", "hook_us")
        guest.report = {
            "guest": guest.name, "events": sum(mine.values()), "events_by_kind": mine,
            "acknowledged": {
                "extends": acknowledged["E"], "increments": acknowledged["N"],
                "session_uses": acknowledged["S"], "key_reads": acknowledged["K"],
                "rsa_keys": acknowledged["R"]},
            "lost": verdict.lost, "duplicated": verdict.duplicated,
            "fd_errors": result["counts"]["X"], "errors": result["errors"],
            "held_errors": result["held_errors"], "resets": result["resets"],
            "random_bytes": result["random_bytes"], "random_errors": result["random_errors"],
            "remarks": verdict.remarks[:20],
            "longest_command_ms": result["longest_command_us"] // 1000,
            "pause_ms": {k: summary(v) for k, v in sorted(guest.pauses_ms.items())},
        }
        for name, values in zip(names, zip(*result["suspends"])):
            guest.report[name] = summary(values)
        guest.suspends = result["suspends"]

    def total(self, name):
        return sum(guest.report.get(name, 0) for guest in self.guests)

    def report(self):
        suspends = [s for guest in self.guests for s in getattr(guest, "suspends", [])]
        pauses = [p for guest in self.guests for v in guest.pauses_ms.values() for p in v]
        hooks = [s[2] for s in suspends]
        with_vtpm, without = summary(self.with_vtpm), summary(self.without_vtpm)
        if not all(guest.report for guest in self.guests):
            self.problems.append("a guest's result is missing")
        report = {
            "seed": self.options.seed, "count": self.targets,
            "events": sum(self.done.values()), "events_by_kind": self.done,
            "lost": self.total("lost"), "duplicated": self.total("duplicated"),
            "fd_errors": self.total("fd_errors"), "held_errors": self.total("held_errors"),
            "random_errors": self.total("random_errors"),
            "longest_pause_ms": round(max(pauses), 1) if pauses else None,
            "drain_us": summary([s[0] for s in suspends]),
            "quiesce_us": summary([s[1] for s in suspends]), "hook_us": summary(hooks),
            "idle_hook_us": summary(self.idle_hooks),
            "hooks_us": hooks, "pauses_without_ms": [round(p, 3) for p in self.without_vtpm],
            "save_c_pause_ms": {"with_vtpm": with_vtpm, "without_vtpm": without},
            "save_c_pause_share": round(
                statistics.median(hooks) / 1000 / without["median"], 4)
            if hooks and without else None,
            "seconds": round(time.monotonic() - self.started),
            "tpm": {guest.kind: guest.report for guest in self.guests},
            "problems": self.problems,
        }
        bad = sum(report[name] for name in
                  ("lost", "duplicated", "fd_errors", "held_errors", "random_errors"))
        report["passed"] = not bad and not self.problems and report["events"] >= self.targets
        with open(self.options.report, "w") as file:
            json.dump(report, file, indent=1, sort_keys=False)
            file.write("\n")
        return report

    def run(self):
        self.started = time.monotonic()
        try:
            for guest in self.guests if self.options.idle else ():
                self.measure_idle(guest)
            self.start()
            self.say("%s: %d s to start" % (
                ", ".join("%s has a TPM %s" % (g.name, g.kind) for g in self.guests),
                time.monotonic() - self.started))
            self.soak()
            for guest in self.guests:
                self.await_progress(guest)
        except Failed as error:
            self.problems.append(str(error))
        self.stop()
        return self.report()


def tell(report):
    """A summary for people."""
    kinds = ", ".join("%d %s" % (n, k) for k, n in sorted(report["events_by_kind"].items()))
    print("%d events of %d in %d s: %s" % (
        report["events"], report["count"], report["seconds"], kinds or "none"))
    for kind, part in report["tpm"].items():
        if part:
            print("TPM %s: %s acknowledged; %d lost, %d duplicated, %d errors, %d changes of what "
                  "was held" % (kind, ", ".join(
                      "%d %s" % (n, re.sub("_", " ", k)) for k, n in part["acknowledged"].items()),
                      part["lost"], part["duplicated"], part["fd_errors"], part["held_errors"]))
            for remark in part["remarks"][:5]:
                print("TPM %s: %s" % (kind, remark))
            for error, times in list(part["errors"].items())[:5]:
                print("TPM %s: %d times %s" % (kind, times, error))
    for problem in report["problems"]:
        print("problem: %s" % problem)
    if report["idle_hook_us"]:
        print("hook in a suspend with an idle TPM: %s us" % report["idle_hook_us"]["median"])
    print("longest pause %s ms; hook in a suspend %s us; its share of the pause of xl save -c "
          "without a vTPM %s" % (
        report["longest_pause_ms"], report["hook_us"] and report["hook_us"]["median"],
        report["save_c_pause_share"]))
    print("lost %d, duplicated %d, fd_errors %d; seed %s" % (
        report["lost"], report["duplicated"], report["fd_errors"], report["seed"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--plan", default="")
    parser.add_argument("--guest", action="append", required=True, metavar="NAME=KIND")
    parser.add_argument("--plain", metavar="NAME")
    parser.add_argument("--idle", action="store_true",
                        help="measure suspends of idle TPMs first")
    parser.add_argument("--report", default="/out/report.json")
    parser.add_argument("--limit", type=int, default=86400, help="seconds for the events")
    options = parser.parse_args()
    for kind in filter(None, options.plan.split(",")):
        if kind not in DECK:
            parser.error("no such event: %s; there are %s" % (kind, ", ".join(DECK)))
    report = Soak(options).run()
    tell(report)
    sys.exit(not report["passed"])


main()
