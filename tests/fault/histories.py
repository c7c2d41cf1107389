"""histories.py -- compares three stories of the same run.

What publishers were told (key -> channel and id), what the journal holds (the
dump), what each subscriber was given (ids and data in order). They must be one
story: nothing lost, nothing twice, nothing out of order.
"""

MARK_FIELDS = ("lost", "twice", "disordered", "wrong")


class Findings:
    """Counts and a few examples of each kind."""

    def __init__(self):
        self.examples = {field: [] for field in MARK_FIELDS}

    def add(self, kind, sentence):
        self.examples[kind].append(sentence)

    def __bool__(self):
        return any(self.examples.values())

    def __str__(self):
        line = ", ".join(f"{len(found)} {kind}"
                         for kind, found in self.examples.items())
        samples = [f"  {kind}: {sentence}"
                   for kind, found in self.examples.items()
                   for sentence in found[:5]]
        return "\n".join([line, *samples])


def check(journal, told, histories):
    """journal: events of the dump. told: key -> (channel, id). histories:
    name -> (covers(channel), [(id, data)])."""
    findings = Findings()
    check_journal(journal, findings)
    check_told(journal, told, findings)
    for name, (covers, history) in histories.items():
        check_history(journal, name, covers, history, findings)
    return findings


def key_of(event):
    return event["data"].partition(" ")[0]


def check_journal(journal, findings):
    seen = set()
    previous = 0
    for event in journal:
        if event["id"] <= previous:
            findings.add("disordered", f"id {event['id']} after {previous}")
        previous = event["id"]
        key = key_of(event)
        if key in seen and key != "last":
            findings.add("twice", f"{key} is in the journal again at "
                                  f"{event['id']}")
        seen.add(key)


def check_told(journal, told, findings):
    by_id = {event["id"]: event for event in journal}
    for key, (channel, number) in told.items():
        event = by_id.get(number)
        if event is None:
            findings.add("lost", f"{key} was acknowledged as {number}, which "
                                 f"is not in the journal")
        elif key_of(event) != key or event["channel"] != channel:
            findings.add("wrong", f"{key} was acknowledged as {number}, which "
                                  f"is {key_of(event)}")
    for event in journal:
        if key_of(event) not in told and key_of(event) != "last":
            findings.add("wrong", f"{event['id']} was never acknowledged")


def check_history(journal, name, covers, history, findings):
    wanted = [(event["id"], event["data"]) for event in journal
              if covers(event["channel"])]
    if history == wanted:
        return
    given = [number for number, _ in history]
    for number, before in zip(given[1:], given):
        if number == before:
            findings.add("twice", f"{name} was given {number} twice in a row")
        elif number < before:
            findings.add("disordered", f"{name} was given {number} after "
                                       f"{before}")
    for number in sorted({n for n, _ in wanted} - set(given)):
        findings.add("lost", f"{name} was never given {number}")
    for number, data in sorted(set(history) - set(wanted)):
        findings.add("wrong", f"{name} was given {number} {data[:40]!r}, "
                              f"which the journal does not have so")
