"""That the comparison notices what it is there for."""

import unittest

import privileges


def template(*actions: str) -> dict:
    """All roles, with what every function may do besides, and these actions for compress."""
    resources = {}
    for function, names in privileges.FUNCTIONS.items():
        mine = sorted(privileges.BESIDES[function]) + (list(actions) if function == "compress" else [])
        for name in names:
            statement = {"Effect": "Allow", "Action": mine if name == names[0] else [], "Resource": "arn"}
            resources[name] = {"Properties": {"Policies": [{"PolicyDocument": {"Statement": [statement]}}]}}
    return {"Resources": resources}


class Privileges(unittest.TestCase):
    """Of one function; the others call nothing."""

    def test_what_is_called_and_allowed_is_right(self) -> None:
        self.assertEqual(privileges.mistakes(template("s3:GetObject"), {"compress": {"GetObject", "HeadObject"}}), [])

    def test_an_action_that_is_missing_is_named(self) -> None:
        (line,) = privileges.mistakes(template(), {"compress": {"GetObject"}})
        self.assertIn("lacks s3:GetObject", line)

    def test_an_action_that_nothing_calls_is_named(self) -> None:
        (line,) = privileges.mistakes(template("s3:PutBucketPolicy"), {"compress": set()})
        self.assertIn("allows s3:PutBucketPolicy", line)

    def test_a_wildcard_is_more_than_is_needed(self) -> None:
        found = privileges.mistakes(template("s3:*"), {"compress": {"GetObject"}})
        self.assertEqual(len(found), 2, found)

    def test_a_reason_for_what_is_not_there_is_named(self) -> None:
        whole = template()
        whole["Resources"]["CountRole"]["Properties"]["Policies"] = []
        found = privileges.mistakes(whole, {})
        self.assertTrue(found and all("BESIDES names" in line for line in found), found)

    def test_an_operation_that_nobody_has_thought_of_is_named(self) -> None:
        (line,) = privileges.mistakes(template(), {"compress": {"RestoreObject"}})
        self.assertIn("RestoreObject", line)


if __name__ == "__main__":
    unittest.main()
