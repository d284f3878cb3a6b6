# SPDX-License-Identifier: GPL-2.0-only
"""The keys of make bench: which block each comes from, its goal, and how it is computed from
what was measured. All else is done by name."""
import statistics

LOWER, HIGHER = "lower", "higher"
GROUPS = 5                  # p99 is taken of a fifth of all rounds together


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def entry(values, goal=None, better=LOWER):
    """The median over the rounds, and what one round in ten is below or above."""
    if not values:
        raise ValueError("nothing was measured")
    return {"value": round(statistics.median(values), 4), "low": round(quantile(values, .1), 4),
            "high": round(quantile(values, .9), 4), "goal": goal, "better": better,
            "rounds": len(values)}


def ratios(above, below):
    """By round."""
    return [a / b for a, b in zip(above, below)]


def medians(rounds):
    return [statistics.median(values) for values in rounds]


def p99s(rounds):
    """Of groups of rounds: one round has too few values for it."""
    size = max(1, len(rounds) // GROUPS)
    groups = [sum(rounds[i:i + size], []) for i in range(0, size * (len(rounds) // size), size)]
    return [quantile(values, .99) for values in groups]


def relay_over_pingpong(blocks):
    return {mode: entry(ratios(medians(part["relay"]), medians(part["pingpong"])), 1.3)
            for mode, part in blocks["relay"].items() if isinstance(part, dict)}


def sides(block, above, below, goal, better=LOWER):
    """Of series named SIDE/COMMAND."""
    return {name.split("/")[1]: entry(
        ratios(medians(rounds), medians(block["%s/%s" % (below, name.split("/")[1])])),
        goal, better) for name, rounds in block.items() if name.startswith(above + "/")}


def guest_over_local_swtpm(blocks):
    return sides(blocks["commands"], "guest", "swtpm", 1.0)


def stock_frontend_over_ours(blocks):
    return sides(blocks["stock"], "stock", "ours", 5, HIGHER)


def durable_commit_over_raw(blocks):
    return entry(ratios(blocks["store"]["engine_us"], blocks["store"]["raw_us"]), 1.3)


def durable_commit_floor(blocks):
    return entry(ratios(blocks["store"]["writer_us"], blocks["store"]["raw_us"]))


def durable_commit_over_swtpm(blocks):
    return entry(ratios(blocks["store"]["engine_us"], blocks["store"]["swtpm_us"]), 1.0)


def volatile_keep_cost(blocks):
    part = blocks["keep"]
    return entry([1 - share for share in ratios(part["without_us"], part["with_us"])], 0.25)


def volatile_copy_cost(blocks):
    part = blocks["keep"]
    return entry([1 - share for share in ratios(part["without_us"], part["libtpms_us"])])


def by_count(blocks):
    return {count: part for count, part in blocks["engines"].items() if count.isdigit()}


def engine_private_kb(blocks):
    return {count: entry(part["engine_private_kb"], 700)
            for count, part in by_count(blocks).items()}


def swtpm_private_kb(blocks):
    return {count: entry(part["swtpm_private_kb"]) for count, part in by_count(blocks).items()}


def engine_start_over_swtpm(blocks):
    return {count: entry(ratios(part["engine_ms"], part["swtpm_ms"]), 1.0)
            for count, part in by_count(blocks).items()}


def idle_wakeups_per_s(blocks):
    """One figure each: what is counted is counted over seconds."""
    result = {}
    for count, part in by_count(blocks).items() if "engines" in blocks else ():
        if "idle_seconds" in part:
            result["%s engines, no Xen" % count] = entry(
                [part["idle_switches"] / part["idle_seconds"]], 0)
    if "many" in blocks:
        for part in blocks["many"]["idle_wakeups"]:
            for name, count in part["by"].items():
                result["%d vTPMs on Xen, %s" % (part["vtpms"], name)] = entry(
                    [count / part["seconds"]], 0)
    return result


def p99_ratio_at_n(blocks):
    result = {}
    if "many" in blocks:
        part = blocks["many"]
        alone = statistics.median(p99s(part["before"]) + p99s(part["after"]))
        n = part["others"]
        result["%d others idle" % n] = entry([p / alone for p in p99s(part["idle"])], 1.1)
        crowd = part["crowd"]
        result["%d others idle" % crowd["others"]] = entry(
            [p / alone for p in p99s(crowd["idle"])], 1.1)
        # A fair share is one of n + 1.
        result["%d others busy" % n] = entry([p / alone for p in p99s(part["busy"])], n + 1)
    for count, part in by_count(blocks).items() if "engines" in blocks else ():
        if count != "1":
            result["%d others idle, no Xen" % (int(count) - 1)] = entry(
                ratios(part["beside_p99_us"], part["alone_p99_us"]), 1.1)
    return result


def throughput_scaling(blocks):
    part = blocks["many"]["scaling"]
    return {count: entry(ratios(rates, part["1"]), min(int(count), blocks["cores"]), HIGHER)
            for count, rates in part.items() if count != "1"}


def throughput_limit(blocks):
    """How often the processors have what one busy vTPM takes of them."""
    return entry([blocks["cores"] / busy for busy in blocks["many"]["scaling_busy"]["1"]])


def attach_ms(blocks):
    result = {}
    if "attach" in blocks:
        part = blocks["attach"]
        result["xl vtpm-attach and first response"] = entry(part["attach_ms"])
        result["xl vtpm-attach alone"] = entry(part["xl_ms"])
    if "many" in blocks:
        part = blocks["many"]["crowd"]
        result["each of %d new ones at once" % part["attached"]] = entry(
            [1000 * part["attach_s"] / part["attached"]])
    return result


def resume_ms(blocks):
    return entry([e["first_response"] - e["resume"] for e in blocks["resume"]["restored"]])


def suspend_pause_share(blocks):
    part = blocks["suspend"]
    pause = statistics.median(part["pauses_without_ms"])
    return entry([us / 1000 / pause for us in part["hooks_us"]], 0.05)


# key: (how, blocks on this machine, blocks on Xen). Of several blocks some are enough.
KEYS = {
    "relay_over_pingpong": (relay_over_pingpong, (), ("relay",)),
    "guest_over_local_swtpm": (guest_over_local_swtpm, (), ("commands",)),
    "stock_frontend_over_ours": (stock_frontend_over_ours, (), ("stock",)),
    "durable_commit_over_raw": (durable_commit_over_raw, ("store",), ()),
    "durable_commit_floor": (durable_commit_floor, ("store",), ()),
    "durable_commit_over_swtpm": (durable_commit_over_swtpm, ("store",), ()),
    "volatile_keep_cost": (volatile_keep_cost, ("keep",), ()),
    "volatile_copy_cost": (volatile_copy_cost, ("keep",), ()),
    "engine_private_kb": (engine_private_kb, ("engines",), ()),
    "swtpm_private_kb": (swtpm_private_kb, ("engines",), ()),
    "engine_start_over_swtpm": (engine_start_over_swtpm, ("engines",), ()),
    "idle_wakeups_per_s": (idle_wakeups_per_s, ("engines",), ("many",)),
    "p99_ratio_at_n": (p99_ratio_at_n, ("engines",), ("many",)),
    "throughput_scaling": (throughput_scaling, (), ("many",)),
    "throughput_limit": (throughput_limit, (), ("many",)),
    "attach_ms": (attach_ms, (), ("attach", "many")),
    "suspend_pause_share": (suspend_pause_share, (), ("suspend",)),
    "resume_ms": (resume_ms, (), ("resume",)),
}


def is_entry(value):
    return "value" in value


def entries(report):
    """Each (key, name below it or None, entry) of a report."""
    for key in KEYS:
        value = report.get(key)
        if value and is_entry(value):
            yield key, None, value
        elif value:
            for name, each in value.items():
                yield key, name, each


def met(value):
    """Whether an entry meets its goal; None if it has none."""
    if value["goal"] is None:
        return None
    if value["better"] == LOWER:
        return value["value"] <= value["goal"]
    return value["value"] >= value["goal"]
