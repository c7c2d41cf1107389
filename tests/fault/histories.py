"""histories.py -- compares three stories of the same run.

What publishers were told (key -> channel and id), what the journal holds (the
dump), what each subscriber was given (ids and data in order). They must be one
story: nothing lost, nothing twice, nothing out of order.

An event that was amended may have been given with any data that it ever had; if
it was withdrawn, also not at all. What the journal holds of it must be the last
that its publisher was told, and the news of each amendment is there once.
"""

import json

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


class Amended:
    """An event that was corrected or withdrawn, as its publisher knows it."""

    def __init__(self, number, channel, text):
        self.number, self.channel = number, channel
        self.texts = [text]  # that it ever had, the last perhaps not yet
        self.told = []       # (kind, text, id of the news)

    def next_text(self, filler):
        key = self.texts[0].partition(" ")[0]
        self.texts.append(f"{key} {len(self.texts)} {filler}")
        return self.texts[-1]


def is_news(event):
    return event.get("type", "").startswith("tidings.")


def news_text(data):
    """The data of news in one form: streams give it as text, polls as JSON."""
    data = json.loads(data) if isinstance(data, str) else data
    return json.dumps(data, sort_keys=True)


def check(journal, told, histories, amended=()):
    """journal: events of the dump. told: key -> (channel, id). histories:
    name -> (covers(channel), [(id, data)]). amended: id -> Amended."""
    findings = Findings()
    amended = dict(amended)
    published = [as_published(event, amended, findings) for event in journal
                 if not is_news(event)]
    check_order(journal, findings)
    check_journal(published, findings)
    check_told(published, told, findings)
    check_amended(journal, amended, findings)
    for name, (covers, history) in histories.items():
        check_history(journal, name, covers, history, findings, amended)
    return findings


def as_published(event, amended, findings):
    """What was withdrawn has no data: with the first it had."""
    if "data" in event:
        return event
    if event["id"] not in amended:
        findings.add("wrong", f"{event['id']} was withdrawn by nobody")
        return {**event, "data": ""}
    return {**event, "data": amended[event["id"]].texts[0]}


def key_of(event):
    return event["data"].partition(" ")[0]


def check_order(journal, findings):
    previous = 0
    for event in journal:
        if event["id"] <= previous:
            findings.add("disordered", f"id {event['id']} after {previous}")
        previous = event["id"]


def check_journal(journal, findings):
    seen = set()
    for event in journal:
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


def read_news(journal):
    """id of the amended event -> [(kind, text, id of the news)]"""
    news = {}
    for event in filter(is_news, journal):
        data = json.loads(event["data"])
        kind = "corrects" if "corrects" in data else "withdraws"
        news.setdefault(data[kind], []).append(
            (kind, data.get("data", ""), event["id"]))
    return news


def check_amended(journal, amended, findings):
    news = read_news(journal)
    by_id = {event["id"]: event for event in journal}
    for number in news.keys() - amended.keys():
        findings.add("wrong", f"nobody amended {number}")
    for number, event in amended.items():
        check_news(event, news.get(number, []), findings)
        if number in by_id and event.told:
            check_in_force(event, by_id[number], findings)


def check_news(event, news, findings):
    if news == event.told:
        return
    for item in event.told:
        if item not in news:
            findings.add("lost", f"{event.number}: the news {item} is not in "
                                 f"the journal")
    for item in news:
        if item not in event.told:
            is_told = item[:2] in [known[:2] for known in event.told]
            findings.add("twice" if is_told else "wrong",
                         f"{event.number}: the news {item} was never told")


def check_in_force(event, stored, findings):
    kind, text, number = event.told[-1]
    by = stored.get("corrected_by" if kind == "corrects" else "withdrawn_by")
    if by != number or stored.get("data", "") != text:
        findings.add("wrong", f"{event.number} is not as {number} says: {by}, "
                              f"{stored.get('data', '')[:40]!r}")


def texts_of(event, amended):
    """What it may have been given as."""
    if is_news(event):
        return {news_text(event["data"])}
    if event["id"] in amended:
        return set(amended[event["id"]].texts)
    return {event.get("data")}


def is_needless(event, given):
    """A withdrawn event that was not given, as it should be."""
    return "withdrawn_by" in event and event["id"] not in given


def check_history(journal, name, covers, history, findings, amended):
    given = [number for number, _ in history]
    known = set(given)
    texts = {event["id"]: texts_of(event, amended) for event in journal
             if covers(event["channel"]) and not is_needless(event, known)}
    wanted = [(number, data) for (_, data), number in zip(history, texts)
              if data in texts[number]]
    if history == wanted and len(history) == len(texts):
        return
    for number, before in zip(given[1:], given):
        if number == before:
            findings.add("twice", f"{name} was given {number} twice in a row")
        elif number < before:
            findings.add("disordered", f"{name} was given {number} after "
                                       f"{before}")
    for number in sorted(texts.keys() - known):
        findings.add("lost", f"{name} was never given {number}")
    for number, data in sorted(set(history)):
        if data not in texts.get(number, ()):
            findings.add("wrong", f"{name} was given {number} {data[:40]!r}, "
                                  f"which the journal does not have so")
