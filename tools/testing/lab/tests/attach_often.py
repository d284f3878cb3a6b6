# SPDX-License-Identifier: GPL-2.0-only
"""attach_often.py GUEST DOMID COUNT: in dom0. The backend is unbound from a guest's vTPM and bound
again COUNT times, in each tenth the frontend too, by turns with a command under way, while
it connects, at rest, and so fast that the frontend may not see it. Prints test points."""
import subprocess
import sys
import time

from rogue import CLOSED, CONNECTED, INITIALISED, Points, Store, await_true

DRIVER = "/sys/bus/xen-backend/drivers/xen-tpmback/"
FRONT_DRIVER = "/sys/bus/xen/drivers/xen-tpmfront/"
READ = "8001000000140000017e00000001000b03000001"


class Device:
    def __init__(self, guest, domid):
        self.guest = guest
        self.name = "vtpm-%s-0" % domid
        self.front = "/local/domain/%s/device/vtpm/0" % domid
        self.store = Store()
        self.user = subprocess.Popen(["guest", guest, "python3 /push/tests/tpm_user.py"],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def driver(self, what):
        with open(DRIVER + what, "w") as file:
            file.write(self.name)

    def await_front(self, *states):
        await_true(lambda: self.store.state(self.front) in states, "a frontend in %s" % (states,))

    def start(self):
        self.user.stdin.write(READ + "\n")
        self.user.stdin.flush()

    def served(self):
        return self.user.stdout.readline().split()[-1].startswith("8001")

    def cycle(self, number):
        """Returns whether the command was served."""
        way = number % 4
        if way == 0:
            self.start()
        self.driver("unbind")
        if way != 3:
            self.await_front(CLOSED)
        self.driver("bind")
        if way == 1:
            self.await_front(INITIALISED, CONNECTED)
            return True
        if way != 0:
            self.start()
        return self.served()

    def reload_front(self):
        subprocess.run(["guest", self.guest, "cd %s && echo vtpm-0 >unbind && echo vtpm-0 >bind" %
                        FRONT_DRIVER], check=True, timeout=60)
        self.await_front(CONNECTED)
        await_true(lambda: subprocess.run(
            ["guest", self.guest, "test -c /dev/tpm0"], check=False).returncode == 0, "a TPM", 60)


def main(guest, domid, count):
    points = Points()
    device = Device(guest, domid)
    start, served = time.monotonic(), 0
    for number in range(int(count)):
        served += device.cycle(number)
        if number % 10 == 9:
            device.await_front(CONNECTED)
            device.reload_front()
    points.equal("%s times attached and detached, and served" % count, served, int(count))
    points.note("report: %.2f s each" % ((time.monotonic() - start) / int(count)))
    device.user.stdin.close()
    device.user.wait()
    return 0 if not points.failed else 1


sys.exit(main(*sys.argv[1:]))
