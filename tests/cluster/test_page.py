"""`docs/cluster.md` for real: two Ray nodes by its own commands, and one of them is lost."""

import contextlib
import re
import shlex
import signal

import pytest

from tests.cluster.lab import Lab, free_ports, num_nodes, outcomes, wait_until
from tests.docs.pages import DOCS, Command, has_shown, steps_of

SEARCH = "dannynet-mini"
PORTS = ("6379", "52365", "52366")
"""Those of the page; others may be at work on this machine, so free ones take their place."""


class Reader:
    """Somebody who types what the page says, each terminal's commands in it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        lab.environment |= {"HOME": str(lab.folder)}  # where the token goes
        del lab.environment["RAY_AUTH_TOKEN"], lab.environment["RAY_AUTH_MODE"]
        of_page = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
        self.address = f"127.0.0.1:{of_page[PORTS[0]]}"
        self.moved = of_page | {"/tmp/ray-": f"{lab.folder}/"}

    def types(self, command: Command) -> str:
        """What a command says; nothing of one that goes on in a terminal of its own."""
        line = re.sub("|".join(self.moved), lambda found: self.moved[found[0]], command.line)
        words = shlex.split(line)
        if words[0] == "export":
            self.lab.environment |= dict(word.split("=") for word in words[1:])
        elif command.terminal:
            self.lab.start(command.terminal, "bash", "-c", f"exec {line}")
        else:
            return self.lab.run("bash", "-c", line)
        return ""


def wait_for_nodes(reader: Reader, count: int) -> None:
    def are_there() -> bool:
        with contextlib.suppress(AssertionError):  # of a head that does not answer yet
            return num_nodes(reader.lab, reader.address) == count
        return False

    wait_until(are_there, f"no {count} nodes", reader.lab)


def lose_a_node(lab: Lab, terminal: str) -> str:
    """Ctrl-C in the second node's terminal once it has work; what the search says in the end."""
    search = lab.started[terminal]
    begun = ("running", "completed", "pruned")
    wait_until(
        lambda: (
            search.poll() is not None
            or sum(outcome in begun for outcome in outcomes(lab, SEARCH).values()) >= 2
        ),
        "no trials",
        lab,
        timeout_s=240,
    )
    lab.end("terminal 2", number=signal.SIGINT)
    assert search.wait(timeout=400) == 0, lab.logs()
    return (lab.folder / f"{terminal}.log").read_text(encoding="utf-8")


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_the_page_of_the_cluster(lab):
    reader = Reader(lab)
    for step in steps_of((DOCS / "cluster.md").read_text(encoding="utf-8")):
        said = reader.types(step)
        if step.terminal in ("terminal 1", "terminal 2"):
            wait_for_nodes(reader, int(step.terminal[-1]))
        elif step.terminal:
            said = lose_a_node(lab, step.terminal)
        if step.terminal == "terminal 2":  # `auto` is ours, and not another Ray of this machine
            lab.environment |= {"RAY_ADDRESS": reader.address}
        print(f"$ {step.line}\n{said}")
        if step.shown:
            assert has_shown(step.shown, said), f"the page shows:\n{step.shown}"
    assert set(outcomes(lab, SEARCH).values()) <= {"completed", "pruned"}
