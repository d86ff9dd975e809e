"""What the bill must come to: cases computed by hand, and what must hold for any load."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import unittest
from dataclasses import fields, replace
from pathlib import Path

import backfill
import choices
import compress
import prices as price_file
import quantities as q
import trees
from bill import Row, by_service, total
from load import BENCH, GB, Load, Measured, deployed, measured

PRICES = price_file.read()
MEASURED = Measured(cpu_s=0.138, output_bytes=2_640_000, count_s_per_million=1.667, purged_per_s=6500)


def rows(load: Load) -> list[Row]:
    return choices.rows(load, PRICES, lambda _: MEASURED)


def usd(load: Load) -> float:
    return total(rows(load))


def of(load: Load, service: str, item: str) -> Row:
    return next(row for row in rows(load) if row.service == service and row.item.startswith(item))


class PriceFile(unittest.TestCase):
    def test_an_unknown_price_is_an_error(self) -> None:
        with self.assertRaises(price_file.UnknownPrice):
            PRICES.cost("s3_putt", 1)

    def test_a_negative_quantity_is_an_error(self) -> None:
        with self.assertRaises(ValueError):
            PRICES.cost("s3_put", -1)

    def test_tiers_are_cut_at_their_bounds(self) -> None:
        tiers = [price_file.Tier(10, 2.0), price_file.Tier(20, 1.0), price_file.Tier(float("inf"), 0.5)]
        for quantity, cost in ((0, 0), (9, 18), (10, 20), (11, 21), (20, 30), (22, 31)):
            self.assertAlmostEqual(price_file.tiered(tiers, quantity), cost, msg=str(quantity))

    def test_what_was_paid_before_moves_the_tier(self) -> None:
        self.assertAlmostEqual(PRICES.cost("s3_gb_month", 100, before=51_150), 50 * 0.023 + 50 * 0.022)

    def test_every_price_says_where_it_is_from(self) -> None:
        document = json.loads(price_file.DEFAULT.read_text())
        self.assertTrue(document["region"] and document["date"])
        for name, price in document["prices"].items():
            self.assertTrue({"unit", "source", "basis"} <= set(price), name)
            self.assertEqual(len({"usd", "tiers"} & set(price)), 1, name)
            self.assertIsNone(price.get("tiers", [{"up_to": None}])[-1]["up_to"], name)


class Quantities(unittest.TestCase):
    def test_a_list_request_has_up_to_1000_keys(self) -> None:
        for keys, requests in ((0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2), (50_000_000, 50_000)):
            self.assertEqual(q.list_requests(keys), requests, keys)

    def test_one_put_up_to_8_mib_then_create_parts_and_complete(self) -> None:
        part = 8 * 2**20
        for size, requests in ((0, 1), (part, 1), (part + 1, 4), (2 * part, 4), (2 * part + 1, 5)):
            self.assertEqual(q.put_requests(size, "auto"), requests, size)
        self.assertEqual(q.put_requests(2_640_000, "multipart"), 3)

    def test_cpu_time_costs_the_same_at_any_memory_below_a_core(self) -> None:
        for memory_mb in (128, 256, 512, 1024):
            billed = q.gb_seconds(q.billed_s(1.0, 0, memory_mb), memory_mb)
            self.assertAlmostEqual(billed, q.GB_SECONDS_PER_CPU_SECOND, delta=0.001)
        self.assertAlmostEqual(q.GB_SECONDS_PER_CPU_SECOND, 1.7275, delta=0.0001)

    def test_waits_are_billed_when_they_are_longer(self) -> None:
        self.assertEqual(q.billed_s(0.001, 2.0, 512), 2.0)

    def test_one_object_uses_one_core_at_most(self) -> None:
        self.assertEqual(q.billed_s(1.0, 0, 2 * 1769, threads=1), 1.0)
        self.assertEqual(q.billed_s(1.0, 0, 2 * 1769, threads=10), 0.5)

    def test_cpu_time_grows_with_the_bytes_from_that_of_an_empty_file(self) -> None:
        for size, cpu_s in ((0, 0.001), (10, 0.138), (20, 0.275)):
            self.assertAlmostEqual(q.cpu_s_per_file(0.138, size), cpu_s)

    def test_traces_by_default_are_one_a_second_and_a_twentieth_of_the_others(self) -> None:
        for mode, traces in (("off", 0), ("default", 10 + 0.05 * 990), ("all", 1000)):
            self.assertAlmostEqual(q.traces(1000, 10, mode), traces)
        self.assertEqual(q.traces(5, 10, "default"), 5)

    def test_a_small_directory_costs_three_calls(self) -> None:
        self.assertEqual(q.listing_bytes(10, 10, 150), 3 * 4096)
        self.assertEqual(q.listing_bytes(100, 100, 150), 2 * 4096 + 15_000)


class ByHand(unittest.TestCase):
    """720,000,000 files a month."""

    def test_requests_of_the_default(self) -> None:
        self.assertAlmostEqual(of(Load(), "S3", "PUT").usd, 3600)
        self.assertAlmostEqual(of(Load(), "S3", "GET of").usd, 288)
        self.assertAlmostEqual(of(Load(), "S3", "DELETE").usd, 0)
        self.assertAlmostEqual(of(Load(), "SQS", "send").usd, 345.6)
        self.assertAlmostEqual(of(Load(), "Lambda", "invocations").usd, 14.4)

    def test_compute_is_cpu_times_its_factor(self) -> None:
        expected = 720e6 * 0.138 * 1769 / 1024 * 1.33334e-5
        self.assertAlmostEqual(of(Load(), "Lambda", "compute").usd, expected, delta=1)

    def test_removed_sources_stay_a_day_and_a_half(self) -> None:
        kept = 24e6 * 10e6 / GB * 1.5
        self.assertAlmostEqual(of(Load(), "S3 storage", "removed").quantity, kept)
        self.assertAlmostEqual(of(Load(), "S3 storage", "removed").usd, 51_200 * 0.023 + (kept - 51_200) * 0.022)
        self.assertEqual(of(Load(version_days=0), "S3 storage", "removed").usd, 0)

    def test_outputs_are_charged_after_the_sources(self) -> None:
        both = usd(Load(output_days=1)) - usd(Load())
        self.assertAlmostEqual(both, 24e6 * 2.64e6 / GB * 0.022)

    def test_a_million_stats_and_a_million_removals(self) -> None:
        self.assertAlmostEqual(PRICES.cost("efs_read_gb", 1e6 * 4096 / GB), 0.114, delta=0.001)
        self.assertAlmostEqual(PRICES.cost("efs_write_gb", 1e6 * 4096 / GB), 0.229, delta=0.001)

    def test_multipart_and_tracing_and_listing(self) -> None:
        found = {(c.name.split(" ")[0], c.instead): c.usd for c in choices.changes(Load(), PRICES, lambda _: MEASURED)}
        self.assertAlmostEqual(found["upload", "multipart"], 7200)
        self.assertAlmostEqual(found["keys", "50,000,000"], 0.25)
        self.assertAlmostEqual(found["X-Ray", "all"], 360, delta=0.1)

    def test_events_of_an_existing_bucket(self) -> None:
        self.assertAlmostEqual(usd(Load(events="eventbridge")) - usd(Load()), 2160)
        self.assertAlmostEqual(of(Load(events="eventbridge", source="keep"), "EventBridge", "all").usd, 1440)

    def test_ticks_of_monitor(self) -> None:
        self.assertAlmostEqual(of(Load(), "CloudWatch", "PutMetricData").usd, 0.0864)
        self.assertAlmostEqual(of(Load(), "CloudWatch", "GetMetricData").usd, 0.3456)
        self.assertEqual(of(Load(), "SSM", "documents").usd, 0)


class ABackfill(unittest.TestCase):
    """Of 50,000,000 objects, of which none is there any more afterwards."""

    LOAD = Load(backfill_objects=50_000_000)

    def of(self, service: str, item: str, **changes: object) -> Row:
        found = backfill.rows(replace(self.LOAD, **changes), MEASURED, PRICES)
        return next(row for row in found if row.service == service and row.item.startswith(item))

    def test_it_is_listed_a_thousand_keys_at_a_time(self) -> None:
        self.assertEqual(self.of("S3", "LIST").quantity, 50_000 + 3 * 257)
        self.assertAlmostEqual(self.of("S3", "LIST").usd, 0.253855)
        # What stays is listed once more, to be verified.
        self.assertEqual(self.of("S3", "LIST", source="keep").quantity, 100_000 + 3 * 257)

    def test_by_inventory_nothing_is_listed(self) -> None:
        self.assertAlmostEqual(self.of("S3", "inventory", backfill_by="inventory").usd, 0.125)
        found = backfill.rows(replace(self.LOAD, backfill_by="inventory"), MEASURED, PRICES)
        self.assertFalse([row for row in found if row.item.startswith("LIST")])

    def test_looks_of_a_verification(self) -> None:
        self.assertEqual(self.of("S3", "HEAD").quantity, 0)
        self.assertAlmostEqual(self.of("S3", "HEAD", source="keep").usd, 20)
        self.assertAlmostEqual(self.of("S3", "HEAD", backfill_by="inventory").usd, 40)

    def test_the_queue_has_three_requests_for_ten_objects(self) -> None:
        self.assertEqual(self.of("SQS", "send").quantity, 15e6)
        self.assertAlmostEqual(self.of("SQS", "send").usd + self.of("SQS", "fair").usd, 7.5)

    def test_the_table_is_written_once_a_page_and_once_an_invocation_of_compress(self) -> None:
        told = (50_000 * backfill.PAGE_S / 5 + 257) * 4
        self.assertAlmostEqual(self.of("DynamoDB", "writes").quantity, 5e6 + 50_000 + 2 * 257 + told)
        self.assertAlmostEqual(self.of("DynamoDB", "writes").usd, 3.17, delta=0.005)

    def test_it_is_looked_at_each_minute_for_an_hour_then_less_often(self) -> None:
        for seconds, number in ((0, 0), (1, 1), (60, 1), (61, 2), (3_600, 60), (3_601, 61), (3_660, 61), (3_662, 62)):
            self.assertEqual(backfill.looks(seconds), number, seconds)
        self.assertLess(backfill.looks(14 * 86_400), 2_500)

    def test_compressing_them_costs_what_as_many_others_cost_but_for_their_messages(self) -> None:
        load = Load(files_per_hour=1_000_000, backfill_objects=720e6)
        services = by_service(compress.rows(load, MEASURED, PRICES))
        metrics = of(load, "CloudWatch", "metrics").usd
        others = sum(services[name]["compress"] for name in ("S3", "Lambda", "CloudWatch")) - metrics
        self.assertAlmostEqual(backfill.compressing(load, MEASURED, PRICES), others)

    def test_none_costs_nothing(self) -> None:
        self.assertEqual(backfill.rows(Load(), MEASURED, PRICES), [])


class ForAnyLoad(unittest.TestCase):
    def test_no_load_costs_nothing_but_what_is_fixed(self) -> None:
        idle = Load(files_per_hour=0, tree_files=0, counts_per_month=0, ticks_per_month=0, tracing="all", alarms=4, dashboards=1)
        self.assertEqual(sum(row.usd for row in rows(idle) if not row.fixed), 0)
        self.assertGreater(usd(idle), 0)

    def test_more_never_costs_less(self) -> None:
        growing = (
            "files_per_hour backfill_objects file_mb version_days output_days listed_keys cpu_factor sample_rate log_days alarms dashboards "
            "tree_files due_share sweeps_per_month counts_per_month ticks_per_month workers"
        )
        for field in growing.split():
            before = -1.0
            for value in (0.01, 0.5, 1, 10, 1_000, 1_000_000):
                now = usd(replace(Load(), **{field: value}))
                self.assertGreaterEqual(now, before - 1e-6, f"{field} {value}")
                before = now

    def test_the_tables_add_up_to_the_rows(self) -> None:
        lines = rows(Load(tracing="all"))
        self.assertAlmostEqual(sum(sum(of.values()) for of in by_service(lines).values()), total(lines))

    def test_a_choice_names_a_field_and_is_never_that_of_the_load(self) -> None:
        names = {field.name for field in fields(Load)}
        self.assertLessEqual({field for field, _, _ in choices.CHOICES}, names)
        for change in choices.changes(Load(upload="multipart", tracing="all"), PRICES, lambda _: MEASURED):
            self.assertNotEqual(change.chosen, change.instead)

    def test_a_bursting_file_system_charges_nothing_by_the_byte(self) -> None:
        self.assertEqual(sum(row.usd for row in rows(Load(efs="bursting")) if row.service == "EFS"), 0)

    def test_a_count_by_type_reads_less_than_one_by_stat(self) -> None:
        self.assertLess(trees.count_s(Load(), MEASURED), trees.count_s(Load(count_by="stat"), MEASURED))
        self.assertLess(q.count_bytes(1e6, 100, "type"), q.count_bytes(1e6, 100, "stat"))


class TheProgram(unittest.TestCase):
    def test_published_measurements_are_read(self) -> None:
        for name in ("zip", "zstd"):
            found = measured(name)
            self.assertTrue(0.01 < found.cpu_s < 1 and 1e6 < found.output_bytes < 1e7, found)

    def test_gb_seconds_come_to_what_the_benchmark_billed(self) -> None:
        found = measured("zip")
        per_1000 = q.gb_seconds(compress.invocation_s(Load(), found), 256) * 100
        self.assertAlmostEqual(per_1000 / (found.cpu_s * 1000 * q.GB_SECONDS_PER_CPU_SECOND), 1, delta=0.01)

    def test_alarms_are_those_of_the_template(self) -> None:
        self.assertGreater(deployed("Alarm"), 0)

    def test_it_prints_and_writes(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(BENCH / "cost"), "--target-dir", folder, "--files-per-hour", "1"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            self.assertIn("NOT AN AWS BILL", done.stdout)
            written = {path.name for path in (Path(folder) / "bench").iterdir()}
            self.assertEqual(written, {"cost.csv", "cost-backfill.csv", "cost-choices.csv", "cost.svg", "cost.txt"})

    def test_whoever_has_read_enough_is_no_error(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(BENCH / "cost"), "--target-dir", folder]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
                running.stdout.close()
                self.assertEqual((running.stderr.read(), running.wait()), (b"", 0))

    def test_every_option_says_what_it_is_and_its_default_once(self) -> None:
        done = subprocess.run([sys.executable, str(BENCH / "cost"), "--help"], capture_output=True, text=True, check=True)
        for option in done.stdout.split("\n  -")[2:]:
            expected = 0 if option.startswith("-publish") else 1
            self.assertEqual(option.count("(default"), expected, option)

    def test_what_keeps_up_is_said_and_what_does_not_is_told_what_to_set(self) -> None:
        for invocations, part in ((99.9, "keeps up with 100"), (100.1, "to at least 101,"), (1_000.1, "to 0,")):
            said = "; ".join(compress.keeps_up(invocations))
            self.assertIn(part, said)
            self.assertEqual("grows without end" in said, invocations > 100, said)

    def test_gzip_is_told_to_take_zip(self) -> None:
        done = subprocess.run([sys.executable, str(BENCH / "cost"), "--format", "gzip"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("take zip", done.stderr)

    def test_a_wrong_option_is_refused(self) -> None:
        for options in (["--sample-rate", "2"], ["--files-per-hour", "nan"], ["--batch", "0"], ["--format", "rar"]):
            done = subprocess.run([sys.executable, str(BENCH / "cost"), *options], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2, options)


if __name__ == "__main__":
    unittest.main()
