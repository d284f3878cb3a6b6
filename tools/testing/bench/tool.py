# SPDX-License-Identifier: GPL-2.0-only
"""bench-tool as a child, here or in a guest: a line in, a line out; and series by turns."""
import select
import subprocess
import time

import commands

RETRY = 0x922


class Failed(Exception):
    """Something could not be measured."""


class Tool:
    """One bench-tool that runs as long as this object; @words start it."""
    SECONDS = 120

    def __init__(self, *words):
        self.words = words
        self.buffer = b""
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, bufsize=0)

    def tell(self, line):
        try:
            self.process.stdin.write(line.encode() + b"\n")
        except OSError:
            self.lost(line)

    def hear(self, about, seconds=SECONDS):
        """The next line that it writes."""
        end = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Failed("%s: no answer to '%.60s' in %d s" % (self, about, seconds))
            data = self.process.stdout.read(65536)
            if not data:
                self.lost(about)
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def lost(self, about):
        self.process.kill()
        raise Failed("%s ended at '%.60s': %s" % (
            self, about, self.process.stderr.read().decode(errors="replace").strip()[-300:]))

    def reply(self, about, seconds=SECONDS):
        line = self.hear(about, seconds)
        if not line.startswith("="):
            raise Failed("%s: '%.60s': %s" % (self, about, line.lstrip("! ")))
        return line[1:].split()

    def ask(self, line, seconds=SECONDS):
        self.tell(line)
        return self.reply(line, seconds)

    def end(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()
        self.process.stderr.close()

    def __str__(self):
        return " ".join(self.words)


class Device:
    """A TPM that a Tool has open under a name."""

    def __init__(self, tool, name, path):
        self.tool, self.name = tool, name
        tool.ask("open %s %s" % (name, path))

    def do(self, command, allowed=(0,)):
        for _ in range(100):
            response = self.tool.ask("do %s %s" % (self.name, command))[0]
            code = commands.code(response)
            if code in allowed:
                return response
            if code != RETRY:
                raise Failed("%s: TPM error 0x%x" % (self.name, code))
            time.sleep(0.01)
        raise Failed("%s: says RETRY for ever" % self.name)

    def time(self, command, count):
        """How long each of @count commands took, in us."""
        return microseconds(self.tool.ask("time %s %d %s" % (self.name, count, command)))

    def busy(self, command):
        """Keep it busy until rest()."""
        self.tool.tell("until %s %s" % (self.name, command))

    def rest(self):
        """(commands, ns, begin and end of the longest one in ns)"""
        return tuple(int(word) for word in self.tool.ask(""))


def microseconds(words):
    return [round(int(word) / 1000) for word in words]


def by_turns(series, rounds, seconds, least=3):
    """Call each of @series (name: function) once a round, beginning with another one each time;
    the first round warms up. Ends after @rounds, or after @seconds and at @least that many.
    Returns name: [what the function returned, for each round]."""
    names = list(series)
    results = {name: [] for name in names}
    end = time.monotonic() + seconds
    for number in range(rounds + 1):
        for name in names[number % len(names):] + names[:number % len(names)]:
            value = series[name]()
            if number:
                results[name].append(value)
        if number >= least and time.monotonic() > end:
            break
    return results
