"""Machines that are broken on purpose, by one change each: `states.py` says so, and says what it is."""

import copy
import unittest
from collections.abc import Callable

import states

MACHINE = states.ROOT / "functions" / "purge" / "sweep.asl.json"


def _sub(machine: dict) -> dict:
    """The states within the map."""
    return machine["States"]["Ranges"]["ItemProcessor"]["States"]


def _rename(fields: dict, old: str, new: str) -> None:
    fields[new] = fields.pop(old)


# What asl-validator sees: the change, and a part of what it says.
REFUSED: dict[str, tuple[Callable[[dict], object], str]] = {
    "a dangling Next": (lambda machine: machine["States"]["WaitToFinish"].update(Next="Nowhere"), "Nowhere"),
    "a dangling Next of a choice": (lambda machine: machine["States"]["IsFinished"]["Choices"][0].update(Next="Nowhere"), "Nowhere"),
    "a missing end": (lambda machine: machine["States"]["Done"].pop("End"), '"End", "Next"'),
    "a wrong field": (lambda machine: _rename(machine["States"]["WaitToFinish"], "Seconds", "Second"), "/States/WaitToFinish"),
    "a field too many": (lambda machine: machine["States"]["Finish"].update(Timeout=1), "/States/Finish"),
    "a text for a number": (lambda machine: machine["States"]["WaitToFinish"].update(Seconds="60"), "WaitToFinish/Seconds"),
    "no path": (lambda machine: machine["States"]["Finish"].update(ResultPath="answer"), "asl_result_path"),
    "an unknown function": (
        lambda machine: machine["States"]["NextFinish"]["Parameters"].update({"done.$": "States.MathSub($.rounds.done, 1)"}),
        "NextFinish/Parameters",
    ),
    "no ARN": (lambda machine: machine["States"]["Finish"].update(Resource="lambda"), "Finish/Resource"),
    "a name twice": (lambda machine: _rename(_sub(machine), "TooManyRounds", "NotUnderstood"), "NotUnderstood"),
}

# What it does not see.
LED_ASTRAY: dict[str, tuple[Callable[[dict], object], str]] = {
    "out of the map": (lambda machine: _sub(machine)["WaitForRange"].update(Next="Done"), "Ranges/WaitForRange: there is no state 'Done'"),
    "an island": (
        lambda machine: machine["States"].update(Here={"Type": "Pass", "Next": "There"}, There={"Type": "Pass", "Next": "Here"}),
        "Here: no way leads here",
    ),
    "round and round": (lambda machine: machine["States"]["NextFinish"].update(Next="NextFinish"), "NextFinish: no end can be reached"),
}


class Machine(unittest.TestCase):
    def setUp(self):
        self.machine = states.definition(MACHINE)

    def broken(self, change: Callable[[dict], object]) -> dict:
        machine = copy.deepcopy(self.machine)
        change(machine)
        return machine

    def test_as_it_is_nothing_is_wrong(self):
        self.assertEqual(states.refusals(self.machine) + states.mistakes(self.machine), [])

    def test_asl_validator_refuses(self):
        for name, (change, reason) in REFUSED.items():
            with self.subTest(name):
                self.assertIn(reason, "\n".join(states.refusals(self.broken(change))))

    def test_ways_that_asl_validator_takes_are_refused(self):
        for name, (change, reason) in LED_ASTRAY.items():
            with self.subTest(name):
                self.assertEqual(states.refusals(self.broken(change)), [], "asl-validator sees it now: delete it from states.py")
                self.assertIn(reason, states.mistakes(self.broken(change)))


if __name__ == "__main__":
    unittest.main()
