# SPDX-License-Identifier: GPL-2.0-only
"""The host that is measured on: its guests, its daemon, and a TPM of dom0's own."""
import collections
import contextlib
import json
import os
import re
import shutil
import subprocess
import time

from tool import Failed, Tool

TESTS = "/push/tests"

Vtpm = collections.namedtuple("Vtpm", "uuid policy")


def vtpm(number, policy="tpm-version = 2.0\nexactly-once = yes\n"):
    return Vtpm("00000000-0000-4000-8000-0000000b%04d" % number, policy)


MAIN = vtpm(1)
PLAIN = vtpm(2, "tpm-version = 2.0\nexactly-once = no\n")
OLD = vtpm(3, "tpm-version = 1.2\nexactly-once = yes\n")
STOCK = vtpm(4, "tpm-version = 1.2\n")
EXTRA = vtpm(5)
LOADS = [vtpm(10 + number) for number in range(8)]

# What vTPMs each guest has unless somebody asks for others; g2 has mainline's frontend.
GUESTS = {"g1": [MAIN, PLAIN], "g2": [STOCK], "g3": LOADS}

TRACE = "/sys/kernel/debug/tracing"
PROBES = {
    "suspend": "p:bench/suspend xen_tpmfront:tpmfront_suspend",
    "suspended": "r:bench/suspended xen_tpmfront:tpmfront_suspend",
    "resume": "p:bench/resume xen_tpmfront:tpmfront_resume",
    "connected": "p:bench/connected xen_tpmfront:tpmfront_page_open",
    "complete": "r:bench/complete xen_tpmfront:tpmfront_complete",
    "response": "p:bench/response xen_tpmfront:tpmfront_recv",
}
STATE = "/var/lib/xen-vtpm"


class Lab:
    """dom0 of tools/testing/lab, with guests that were not created yet."""

    def __init__(self, tool):
        self.tool = tool
        self.up = {}
        for each in (MAIN, PLAIN, OLD, STOCK, EXTRA, *LOADS):
            with open("/etc/xen-vtpm/vtpm.d/%s.conf" % each.uuid, "w") as file:
                file.write(each.policy)

    @staticmethod
    def run(*words, seconds=180):
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=seconds, check=False)
        except subprocess.TimeoutExpired as error:
            raise Failed("'%s' has not ended after %d s" % (" ".join(words), seconds)) from error
        if done.returncode:
            raise Failed("'%s' ended with status %d: %s" % (
                " ".join(words), done.returncode, (done.stderr or done.stdout).strip()[-300:]))
        return done.stdout

    @staticmethod
    def await_true(what, test, seconds=60):
        end = time.monotonic() + seconds
        while not test():
            if time.monotonic() > end:
                raise Failed("after %d s still not: %s" % (seconds, what))
            time.sleep(0.05)

    # --- guests

    def config(self, name, vtpms):
        """Its configuration with these vTPMs."""
        with open("/etc/xen/%s.cfg" % name) as file:
            text = re.sub(r"^vtpm = .*\n", "", file.read(), flags=re.M)
        path = "/run/bench-%s.cfg" % name
        words = ", ".join('"backend=0,uuid=%s"' % each.uuid for each in vtpms)
        with open(path, "w") as file:
            file.write(text + ("vtpm = [%s]\n" % words if vtpms else ""))
        return path

    def create(self, name, vtpms=None):
        """Unless it is up with just these."""
        vtpms = GUESTS[name] if vtpms is None else vtpms
        if self.up.get(name) == vtpms:
            return
        self.destroy(name)
        self.run("xl", "create", self.config(name, vtpms))
        self.run("guest-wait", name, "300", seconds=310)
        self.up[name] = vtpms
        for number in range(len(vtpms)):
            path = "/dev/tpm%d" % number
            # A new TPM 1.2 makes a key first.
            self.await_true("%s has %s" % (name, path), lambda path=path: self.has(name, path),
                            180)

    def destroy(self, name):
        self.up.pop(name, None)
        if subprocess.run(["xl", "domid", name], capture_output=True, check=False).returncode:
            return
        self.run("xl", "destroy", name)
        self.await_true("%s has gone" % name, lambda: subprocess.run(
            ["xl", "domid", name], capture_output=True, check=False).returncode)

    def afresh(self):
        """After something went wrong: nothing of it is left."""
        for name in GUESTS:
            self.destroy(name)
        if subprocess.run(["lab-vtpmd", "status"], check=False).returncode:
            self.start_daemon()

    def processor_seconds(self):
        """Of all domains, since they were created."""
        return sum(float(line.split()[-1]) for line in self.run("xl", "list").splitlines()[1:])

    def domid(self, name):
        return int(self.run("xl", "domid", name))

    def ssh(self, name, command, seconds=120):
        return self.run("guest", name, command, seconds=seconds)

    @staticmethod
    def has(name, path):
        return not subprocess.run(["guest", name, "test -c " + path], capture_output=True,
                                  stdin=subprocess.DEVNULL, check=False).returncode

    def client(self, name):
        return Tool("guest", name, self.tool + " client")

    def device(self, name, wanted):
        """The device of this vTPM; their order in the guest is that in which they came up."""
        handle = self.up[name].index(wanted)
        listing = self.ssh(name, "for t in /sys/class/tpm/tpm*; do "
                                 "echo ${t##*/} $(readlink -f $t/device); done")
        for line in listing.splitlines():
            device, parent = line.split()
            if parent.endswith("/vtpm-%d" % handle):
                return "/dev/" + device
        raise Failed("%s has no TPM vtpm-%d: %s" % (name, handle, listing))

    # --- the daemon

    def stop_daemon(self):
        """The guests' frontends stay connected, and wait for an engine."""
        self.run("lab-vtpmd", "stop")

    def start_daemon(self):
        self.run("lab-vtpmd", "start")

    def vtpms(self):
        return json.loads(self.run("vtpmctl", "list", "--json"))["vtpms"]

    def pids(self):
        """(vtpmd, [all engines])"""
        with open("/run/lab-vtpmd.pid") as file:
            daemon = int(file.read())
        return daemon, [each["pid"] for each in self.vtpms() if each.get("pid")]

    def commands_done(self):
        return sum(connection["commands"] for each in self.vtpms()
                   for connection in each["connections"])

    # --- a TPM of dom0's own

    @contextlib.contextmanager
    def local_swtpm(self):
        """swtpm behind Linux's vTPM proxy, on the disk that our engines have too."""
        directory = STATE + "/bench-swtpm"
        shutil.rmtree(directory, ignore_errors=True)
        os.mkdir(directory)
        self.run("modprobe", "tpm_vtpm_proxy")
        process = subprocess.Popen(
            ["swtpm", "chardev", "--vtpm-proxy", "--tpm2", "--tpmstate", "dir=" + directory,
             "--flags", "not-need-init"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        try:
            line = process.stdout.readline()
            found = re.search(r"/dev/tpm\d+", line)
            if not found:
                raise Failed("swtpm says: %s" % line.strip())
            path = found.group(0)
            self.await_true("%s is there" % path, lambda: os.path.exists(path))
            yield path
        finally:
            process.terminate()
            process.wait(30)
            process.stdout.close()
            shutil.rmtree(directory, ignore_errors=True)

    # --- suspends

    def trace(self, name):
        """Have the guest's kernel note when it comes by the driver's hooks."""
        self.ssh(name, "cd %s && echo mono >trace_clock && printf '%%s\\n' %s >kprobe_events && "
                       "echo 1 >events/bench/enable" % (
                           TRACE, " ".join("'%s'" % probe for probe in PROBES.values())))

    def suspend(self, name, kind):
        """Do it; return when the guest came by what, in ms of its own clock."""
        image = "/run/bench.img"
        self.ssh(name, "echo >%s/trace" % TRACE)
        if kind == "cancelled":
            self.run("xl", "save", "-c", name, "/dev/null")
        else:
            self.run("xl", "save", name, image)
            self.run("xl", "restore", image)
            os.unlink(image)
        self.run("guest-wait", name, "300", seconds=310)
        self.await_true("the guest uses its TPM again",
                        lambda: "first_response" in self.came_by(name))
        return self.came_by(name)

    def came_by(self, name):
        """What the guest's kernel has noted, in ms of its own clock: of each event the first one,
        and the first response of all that came after the suspend."""
        events = {}
        for line in self.ssh(name, "cat %s/trace" % TRACE).splitlines():
            found = re.search(r" (\d+\.\d+): (\w+): ", line)
            if not found or found.group(2) not in PROBES:
                continue
            event, ms = found.group(2), 1000 * float(found.group(1))
            if event != "response":
                events.setdefault(event, ms)
            elif "complete" in events or "resume" in events:
                events.setdefault("first_response", ms)
        return events

    def soak(self, plan):
        """g1 has a vTPM, g2 none."""
        report = "/out/bench-soak.json"
        self.run("python3", os.path.join(TESTS, "soak.py"), "--idle", "--plan", plan,
                 "--guest", "g1=2.0", "--plain", "g2", "--report", report, seconds=600)
        with open(report) as file:
            return json.load(file)
