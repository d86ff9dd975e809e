"""Settings that do not agree are found, wherever the odd one is."""

import tempfile
import unittest
from pathlib import Path

import readme
import settings
import source
import testing
from settings import Project
from testing import put, take

VARIABLES = ("Resources", "PurgeFunction", "Properties", "Environment", "Variables")


class Settings(unittest.TestCase):
    def found(self, project: Project) -> str:
        return "\n".join(str(it) for it in settings.mistakes(project))

    def broken(self, project: Project, *expected: str) -> None:
        """Exactly these mistakes, in this order, by a part of each."""
        lines = self.found(project).splitlines()
        self.assertEqual(len(lines), len(expected), lines)
        for line, part in zip(lines, expected):
            self.assertIn(part, line)

    def edited(self, old: str, new: str) -> Project:
        """The project with a README in which one text is another."""
        project = testing.project()
        self.assertEqual(project.readme.count(old), 1, old)
        return testing.project(readme=project.readme.replace(old, new))

    def test_everything_agrees(self) -> None:
        self.assertEqual(self.found(testing.project()), "")

    def test_a_variable_that_the_function_does_not_know(self) -> None:
        project = testing.project(put("1", *VARIABLES, "PURGE_WORKERS"))
        self.broken(project, "PurgeFunction sets PURGE_WORKERS, which purge does not know; remove it, or read it in")

    def test_a_variable_of_another_function(self) -> None:
        self.broken(testing.project(put("/x", *VARIABLES, "COUNT_ROOT")), "sets COUNT_ROOT, which purge does not know")

    def test_a_variable_that_lambda_sets(self) -> None:
        project = testing.project(put("JSON", *VARIABLES, "AWS_LAMBDA_LOG_FORMAT"))
        self.broken(project, "sets AWS_LAMBDA_LOG_FORMAT; leave it out")

    def test_a_required_variable_that_is_not_set(self) -> None:
        found = self.found(testing.project(take(*VARIABLES, "PURGE_ROOT")))
        self.assertIn("PurgeFunction lacks PURGE_ROOT, without which it does not start", found)

    def test_a_setting_that_the_template_forgot(self) -> None:
        found = self.found(testing.project(take(*VARIABLES, "PURGE_AUDIT")))
        self.assertIn("PurgeFunction cannot be told PURGE_AUDIT", found)
        self.assertIn("nothing uses the parameter PurgeAudit", found)

    def test_a_reason_for_what_is_set_after_all(self) -> None:
        project = testing.project(put("64", *VARIABLES, "PURGE_MEMORY_LIMIT_MB"))
        self.broken(project, "NOT_IN_TEMPLATE has PURGE_MEMORY_LIMIT_MB, which is set; remove the row")

    def test_a_function_without_source(self) -> None:
        path = ("Resources", "PurgeFunction", "Metadata", "BuildProperties", "Binary")
        found = self.found(testing.project(put("wipe", *path)))
        self.assertIn("no function has the binary purge", found)
        self.assertIn("PurgeFunction has no functions/wipe", found)

    def test_a_setting_that_is_not_documented(self) -> None:
        project = self.edited("| `PURGE_AUDIT` | false | every", "| `audit` | false | every")
        self.broken(project, "section 'purge' does not have PURGE_AUDIT; add a row")

    def test_a_documented_setting_that_nothing_reads(self) -> None:
        project = self.edited("| `PURGE_AUDIT` | false | every", "| `PURGE_AUDIT`, `PURGE_SPEED` | false, 9 | every")
        self.broken(project, "section 'purge' has PURGE_SPEED, which nothing reads; remove it")

    def test_a_documented_default_that_is_another(self) -> None:
        row = "| `PURGE_CONCURRENCY`, `concurrency` | {} |"
        project = self.edited(row.format(64), row.format(32))
        self.broken(project, "section 'purge': PURGE_CONCURRENCY has the default 32, the code has 64")

    def test_one_default_among_several_in_a_row(self) -> None:
        project = self.edited("| `/sluice/file-count`, 300 |", "| `/sluice/file-count`, 301 |")
        self.broken(project, "CACHE_TTL_SECONDS has the default 301, the code has 300")

    def test_required_that_is_not(self) -> None:
        project = self.edited("| `STATE_BUCKET` | unset |", "| `STATE_BUCKET` | required |")
        self.broken(project, "STATE_BUCKET has the default 'required', but is not required")

    def test_what_the_template_is_said_to_set(self) -> None:
        project = self.edited("`INFO` (the template: `DEBUG`)", "`INFO` (the template: `WARN`)")
        found = self.found(project)
        self.assertEqual(len(found.splitlines()), len(project.functions))
        self.assertIn("POWERTOOLS_LOG_LEVEL is said to be WARN in the template, CompressFunction sets DEBUG", found)

    def test_a_parameter_that_nothing_uses_or_says(self) -> None:
        project = testing.project(put({"Type": "String", "Default": "1"}, "Parameters", "Idle"))
        self.broken(project, "nothing uses the parameter Idle", "no table has the parameter Idle")

    def test_a_documented_parameter_that_is_none(self) -> None:
        project = self.edited("| `PurgeWorkers` | 8 |", "| `PurgeWorkers`, `PurgeSpeed` | 8, 9 |")
        self.broken(project, "a table has PurgeSpeed, which is no parameter")

    def test_a_parameter_with_another_default(self) -> None:
        project = testing.project(put(9, "Parameters", "PurgeWorkers", "Default"))
        self.broken(project, "the parameter PurgeWorkers has the default 8, template.yaml has 9")

    def test_a_parameter_without_the_default_of_its_setting(self) -> None:
        project = testing.project(put(32, "Parameters", "PurgeConcurrency", "Default"))
        what = "the parameter PurgeConcurrency is said to have the default of PURGE_CONCURRENCY, '64', but has 32"
        self.broken(project, what)

    def test_a_manifest_that_the_template_has_left_behind(self) -> None:
        found = self.found(testing.project(put(600, "Resources", "CountFunction", "Properties", "Timeout")))
        self.assertIn("functions/count/Cargo.toml: deploy.timeout is 840, the template's default is 600", found)

    def test_variables_of_a_manifest(self) -> None:
        project = testing.project()
        project.manifests["purge"]["env"] = {"PURGE_DRY_RUN": "false", "SPEED": "9"}
        project.manifests["purge"]["merge_env"] = False
        self.broken(
            project,
            "deploy.merge_env is not true",
            "deploy.env has PURGE_DRY_RUN=false, the template's default is true",
            "deploy.env has SPEED, which purge does not know",
        )


class Source(unittest.TestCase):
    def read(self, code: str) -> dict[str, source.Variable]:
        """Of a Rust file with this body, read with the real readers."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("config.rs", code), (source.READERS, (testing.ROOT / source.READERS).read_text())):
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return source.variables(Path(folder), "config.rs")

    def test_each_reader_with_its_default(self) -> None:
        code = """
            vars.required("A_A"); vars.optional("B_B"); vars.text("C_C", "x, (y"); vars.flag("D_D", true);
            vars.ranged("E_E", 1_000, 0..=9); vars.ranged("F_F", 2 * 1024, 0..=9); vars.ranged("G_G", other(), 0..=9);
            vars.one_of("H_H", Mode::Apply, &MODES); // vars.text("COMMENT_ED", "x")
            vars.mistake("A_A", "", "x"); vars
                .ranged(
                    "I_I",
                    0.5,
                    0.0..=1.0,
                );
            fn list<L: Fn(&str) -> Option<String>>(vars: &Vars<L>, name: &str) -> Vec<String> { vars.text(name, "") }
            list(vars, "J_J");
            #[cfg(test)] vars.text("TEST_ED", "x");
        """
        found = {it.name: it.default for it in self.read(code).values()}
        expected = {"A_A": None, "B_B": None, "C_C": "x, (y", "D_D": "true", "E_E": "1000", "F_F": "2048", "G_G": None}
        self.assertEqual(found, expected | {"H_H": "apply", "I_I": "0.5", "J_J": None})
        self.assertEqual([it.name for it in self.read(code).values() if it.required], ["A_A"])

    def test_a_default_that_never_applies_is_none(self) -> None:
        code = 'vars.optional("A_A").map(|_| vars.ranged("A_A", 1, 0..=9))'
        self.assertIsNone(self.read(code)["A_A"].default)

    def test_a_name_that_no_known_reader_takes_is_an_error(self) -> None:
        with self.assertRaisesRegex(ValueError, "cannot tell how HIDDEN_ONE is read"):
            self.read('let value = lookup("HIDDEN_ONE");')


class Readme(unittest.TestCase):
    def test_defaults_go_to_their_names_and_words_are_no_values(self) -> None:
        table = "| Setting | Default |\n| --- | --- |\n| `A_A`, `B_B` | `1, 2`, none |\n| `C_C` | 5, 5 |\n"
        text = f"## w\n## x\n{table}\n| `D_D` | 1 |\n## y\n{table}"
        found = readme.settings(text, "x")
        self.assertEqual({name: row.literal for name, row in found.items()}, {"A_A": "1, 2", "B_B": None, "C_C": None})


if __name__ == "__main__":
    unittest.main()
