# SPDX-License-Identifier: GPL-2.0-only
"""What became of the acknowledged effects: from the log that a guest kept, and what its
TPM says in the end, to the numbers of lost and duplicated ones."""
import tpm

ZERO_PCR = {"2.0": bytes(32), "1.2": bytes(20)}


class Verdict:
    def __init__(self):
        self.lost = self.duplicated = 0
        self.remarks = []

    def add(self, lost, duplicated, remark):
        self.lost += lost
        self.duplicated += duplicated
        if remark:
            self.remarks.append(remark)


def extended(kind, value, numbers):
    for number in numbers:
        value = kind.chain(value, kind.digest(number))
    return value


def explain(name, value, numbers, got, before):
    """How the PCR went from VALUE to GOT when NUMBERS were acknowledged between, BEFORE
    that many others: (lost, duplicated, remark)."""
    kind = tpm.KINDS[name]
    if extended(kind, value, numbers) == got:
        return 0, 0, None
    following = (numbers[-1] if numbers else before) + 1
    if extended(kind, value, numbers + [following]) == got:
        return 0, 1, "extend %d was done, and not acknowledged" % following
    for i, number in enumerate(numbers):
        if extended(kind, value, numbers[:i] + numbers[i + 1:]) == got:
            return 1, 0, "extend %d was lost" % number
        if extended(kind, value, numbers[:i + 1] + numbers[i:]) == got:
            return 0, 1, "extend %d was done twice" % number
    for i in range(len(numbers) + 1):
        if extended(kind, ZERO_PCR[name], numbers[i:]) == got:
            return before + i, 0, "the PCR was reset after %d extends" % (before + i)
    return 1, 0, "the PCR has no value that can be explained, after %d extends" % before


def read_log(lines):
    """Yield (letter, number, text) of each line, in order."""
    for line in lines:
        words = line.split(None, 3)
        if len(words) >= 3:
            yield words[0], int(words[1]), words[3] if len(words) > 3 else ""


def verify(name, lines, result):
    verdict = Verdict()
    value, numbers, before = bytes.fromhex(result["first_pcr"]), [], 0
    acknowledged = dict.fromkeys("ENSKR", 0)
    everything = []

    def checkpoint(got):
        nonlocal value, numbers, before
        lost, duplicated, remark = explain(name, value, numbers, got, before)
        verdict.add(lost, duplicated, remark)
        before += len(numbers) - lost
        value, numbers = got, []

    for letter, number, text in read_log(lines):
        if letter in acknowledged:
            acknowledged[letter] += 1
        if letter == "E":
            numbers.append(number)
            everything.append(number)
        elif letter == "P":
            checkpoint(bytes.fromhex(text))
    if result["pcr"] is None:
        verdict.add(1, 0, "the PCR cannot be read in the end: %s" % result.get("end"))
    else:
        checkpoint(bytes.fromhex(result["pcr"]))
        # The same, independent of what the guest read in between.
        whole = extended(tpm.KINDS[name], bytes.fromhex(result["first_pcr"]), everything)
        if whole.hex() != result["pcr"] and not verdict.lost + verdict.duplicated:
            verdict.add(1, 0, "the PCR is not the chain of all extends")
    if result["counter"] is not None:
        surplus = result["counter"] - result["first_counter"] - acknowledged["N"]
        verdict.add(max(-surplus, 0), max(surplus, 0),
                    surplus and "the counter is off by %d" % surplus)
    if any(acknowledged[letter] != result["counts"][letter] for letter in "ENSKR"):
        verdict.add(1, 0, "the guest's log and its counts do not agree")
    return verdict, acknowledged
