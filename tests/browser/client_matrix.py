"""client_matrix.py -- what test_client_faults.py found, as a table.

    begin(request.node, "the server is killed", "fetch")
    note(request.node, lost, repeated)

A row for each fault, a column for each transport, in a cell how many events the
page lost and how many it was given twice. The table is printed at the end of the
run and kept in docs/using.md. It is made of the tests' reports, because tests may
run in several processes.
"""

from client_page import TRANSPORTS

PROPERTY = "client_matrix"


def begin(node, fault, transport):
    """Until note() is called the cell has a question mark: something else went
    wrong before anything could be counted."""
    node.user_properties.append((PROPERTY, [fault, transport, "?"]))


def note(node, lost, repeated):
    dict(node.user_properties)[PROPERTY][2] = f"{lost} / {repeated}"


def lines(reports):
    """The table, in the order of the tests; empty if none of them ran."""
    rows = {}
    for report in sorted(reports, key=lambda report: report.location[1]):
        for name, cell in report.user_properties:
            if name == PROPERTY:
                fault, transport, text = cell
                rows.setdefault(fault, {})[transport] = text
    if not rows:
        return []
    table = [("lost / repeated when", *TRANSPORTS), ("---",) * 6]
    table += [(fault, *(cells.get(transport, "") for transport in TRANSPORTS))
              for fault, cells in rows.items()]
    return [f"| {' | '.join(row)} |" for row in table]
