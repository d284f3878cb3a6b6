#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Use /dev/vtpm wrongly in every documented way. Domain ARG 1 has a command
pending whose frontend is the hostile one. Prints a line for each check."""
import errno
import fcntl
import os
import select
import struct
import sys

import vtpmdev
from vtpmdev import (ADDED, EVENT, INFO, IOC_NEXT, READY, accept, open_controller,
                     read_event, success, write_response)


def fails(name, wanted, function, *args, **kwargs):
    """The call fails with this errno."""
    try:
        result = function(*args, **kwargs)
    except OSError as error:
        good = error.errno == wanted
        result = errno.errorcode.get(error.errno)
    else:
        good = False
    check("%s: %s" % (name, errno.errorcode[wanted]), good, result)


def check(name, good, got=None):
    print("ok " + name if good else "not ok %s: got %r" % (name, got), flush=True)


def events_of(controller, domid):
    """Read events until nothing comes for a second; those of the domain."""
    events = []
    try:
        while True:
            event = read_event(controller, 1)
            if event.domid == domid:
                events.append(event)
    except TimeoutError:
        return events


domid = int(sys.argv[1])
controller = open_controller()
os.set_blocking(controller, False)
fails("second open", errno.EBUSY, os.open, "/dev/vtpm", os.O_RDWR)
check("the ABI is 1", struct.unpack("=I", fcntl.ioctl(
    controller, vtpmdev.GET_ABI, b"\0" * 4))[0] == 1)
fails("unknown ioctl", errno.ENOTTY, fcntl.ioctl, controller, 0xBC77, 0)
fails("ioctl with a bad address", errno.EFAULT, fcntl.ioctl, controller,
      vtpmdev.GET_ABI, 8)
fails("event buffer too small", errno.EINVAL, os.read, controller, EVENT.size - 1)
events = events_of(controller, domid)
check("opening it replays what exists", [e.type for e in events] == [ADDED], events)
fails("no more events", errno.EAGAIN, os.read, controller, EVENT.size)
ident = events[0].id

fails("accept: no such connection", errno.ENOENT, accept, controller, 1 << 60)
fails("accept: unknown mode", errno.EINVAL, accept, controller, ident, mode=2)
fails("accept: no locality", errno.EINVAL, accept, controller, ident, localities=0)
fails("accept: locality 5", errno.EINVAL, accept, controller, ident, localities=32)
fails("accept: unknown feature", errno.EINVAL, accept, controller, ident, features=4)
fails("accept: one feature without the other", errno.EOPNOTSUPP, accept, controller, ident,
      features=1)
fails("accept: features in raw mode", errno.EOPNOTSUPP, accept, controller, ident,
      mode=1, features=3)
fails("accept: reserved member", errno.EINVAL, accept, controller, ident,
      reserved=(0, 1, 0))
fd = accept(controller, ident)
check("the descriptor is close-on-exec",
      fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC)
fails("accept twice", errno.EBUSY, accept, controller, ident)
fails("ioctl on a connection", errno.ENOTTY, fcntl.ioctl, fd, 0xBC77, 0)
vtpmdev.wait_for(fd, select.POLLIN)
check("the frontend is told to be ready",
      [e.type for e in events_of(controller, domid)] == [READY])

os.set_blocking(fd, False)
fails("answer before the request was read", errno.ESTALE, write_response, fd, 1,
      success())
fails("request buffer too small", errno.EMSGSIZE, os.read, fd, 27)
request = vtpmdev.read_request(fd)
check("the request stays whole", request.command.hex() == "80010000000c0000017b0008",
      request)
check("its sequence is 1", request.sequence == 1, request)
fails("a request is handed out once", errno.EAGAIN, os.read, fd, 8192)
fails("response without a header", errno.EINVAL, os.write, fd, b"\0" * 15)
fails("reserved member", errno.EINVAL, write_response, fd, 1, success(), reserved=1)
fails("length of the header wrong", errno.EBADMSG, write_response, fd, 1, success(),
      length=11)
fails("length of the response wrong", errno.EBADMSG, write_response, fd, 1,
      success(12)[:11])
fails("response of 9 bytes", errno.EBADMSG, write_response, fd, 1, success()[:9])
fails("response of 4089 bytes", errno.EMSGSIZE, write_response, fd, 1, success(4089))
fails("response of 4097 bytes", errno.EMSGSIZE, write_response, fd, 1, success(4097))
fails("sequence of the future", errno.ESTALE, write_response, fd, 2, success())
check("after all that the right answer is taken",
      write_response(fd, 1, success()) == 26)
fails("answer twice", errno.ESTALE, write_response, fd, 1, success())

info = INFO.unpack(fcntl.ioctl(controller, IOC_NEXT, struct.pack("=Q", ident - 1)
                               + b"\0" * (INFO.size - 8)))
check("VTPM_IOC_NEXT describes it", info[:2] == (ident, domid) and info[4:6] == (1, 1)
      and info[10:12] == (1, 1), info)
fails("VTPM_IOC_NEXT after the last", errno.ENOENT, fcntl.ioctl, controller, IOC_NEXT,
      struct.pack("=Q", 1 << 60) + b"\0" * (INFO.size - 8))

os.close(controller)
controller = open_controller()
check("a new controller is told again",
      [e.type for e in events_of(controller, domid)] == [ADDED, READY])
fails("the descriptor outlives the controller", errno.EAGAIN, os.read, fd, 8192)
fails("and keeps its place", errno.EBUSY, accept, controller, ident)
os.close(fd)
fd = accept(controller, ident)
check("once closed, it can be accepted again", fd >= 0)
