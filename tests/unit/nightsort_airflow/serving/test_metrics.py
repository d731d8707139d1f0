"""The metrics are in the text format that Prometheus reads."""

from __future__ import annotations

import re

from nightsort_airflow.serving.metrics import Metrics

LINE = re.compile(r'nightsort_serve_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [\d.]+')


def test_counters_gauges_and_histograms() -> None:
    metrics = Metrics()
    metrics.count("requests_total", "tickets", "200")
    metrics.count("requests_total", "tickets", "200")
    metrics.count("requests_total", "", "401")
    metrics.count("documents_total", "tickets", number=5)
    for seconds in (0.01, 0.02, 100):
        metrics.time("tickets", seconds)
    lines = metrics.text({"tickets": 4}).splitlines()
    assert all(LINE.fullmatch(line) for line in lines if not line.startswith("#"))
    assert 'nightsort_serve_requests_total{classifier="tickets",status="200"} 2' in lines
    assert 'nightsort_serve_documents_total{classifier="tickets"} 5' in lines
    assert 'nightsort_serve_inference_units{classifier="tickets"} 4' in lines
    buckets = [line.rsplit(" ", 1)[1] for line in lines if "_bucket" in line]
    assert buckets == ["1", *["2"] * 11, "3"]
    assert 'nightsort_serve_request_seconds_sum{classifier="tickets"} 100.030000' in lines
    assert 'nightsort_serve_request_seconds_count{classifier="tickets"} 3' in lines
    kinds = [line for line in lines if line.startswith("# TYPE")]
    assert len(kinds) == len(set(kinds)) == 5
