"""Reasons of jobs, and how they are told."""

import json

import pytest

from pipeline_lib.errors import BagpipeError
from pipeline_lib.jobs.description import Description, Job, complaint, describe, read_description
from pipeline_lib.jobs.why import Cause, causes, explanation

OLD, NEW = "0" * 16, "1" * 16


def a_job(rule="match", *, stale=True, needs=(), **facts):
    facts = {"wildcards": {}, "output": [f"{rule}.csv"], "log": [], "benchmark": None} | facts
    return Job(rule=rule, stale=stale, needs=list(needs), **facts)


def changed(before, now, **facts):
    params = {"params_changed": True, "params": now, "recorded_params": list(now.values())}
    return a_job(before={"params": before, "input": []}, **params, **facts)


def causes_of(job, ledger, *others, code=None):
    return causes(job, Description([job, *others], code or {}), ledger)


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        ({"missing": ["a.csv"]}, Cause("output missing:", "a.csv")),
        ({"forced": True}, Cause("asked for")),
        (
            {"forced": True, "incomplete": ["a.csv"]},
            Cause("interrupted, output incomplete:", "a.csv"),
        ),
        (
            {"updated": [{"file": "a.csv", "then": "sha256:aaaaaaaa", "now": "sha256:bbbbbbbb"}]},
            Cause("input changed:", "a.csv", "aaaaaa -> bbbbbb"),
        ),
        (
            {"updated": [{"file": "big.h5", "then": None, "now": None}]},
            Cause("input changed:", "big.h5", "newer"),
        ),
        ({"environment_changed": True}, Cause("software environment changed")),
        ({"no_record": True}, Cause("no record of how it was made")),
    ],
)
def test_reasons_of_its_own(facts, cause, tmp_path):
    assert causes_of(a_job(**facts), tmp_path) == [cause]


def test_new_and_gone_inputs(tmp_path):
    job = a_job(input_changed=True, input=["a", "c"], before={"params": [], "input": ["a", "b"]})
    expected = [Cause("input is new:", "c"), Cause("input is gone:", "b")]
    assert causes_of(job, tmp_path) == expected


def test_follows_the_stale_stages_it_needs(tmp_path):
    job = a_job(needs=[1, 2, 3], follows=["x"])
    others = [a_job("b"), a_job("a"), a_job("c", stale=False)]
    assert causes_of(job, tmp_path, *others) == [Cause("follows", "a"), Cause("follows", "b")]


def test_derived_params_are_not_compared(tmp_path):
    """Snakemake keeps no params that are made from file names."""
    job = changed(["1"], {"x": "2"}, needs=[])
    job.params["path"] = "'data/a.csv'"
    assert causes_of(job, tmp_path) == [Cause("param x:", "", "1 -> 2")]


def test_names_the_modules_that_changed(tmp_path):
    (tmp_path / f"{OLD}.json").write_text(json.dumps({"a": "x" * 16, "b": "y" * 16, "c": "z"}))
    job = changed([repr(OLD)], {"code": repr(NEW)})
    now = {NEW: {"a": "x" * 16, "b": "w" * 16, "d": "v"}}
    assert causes_of(job, tmp_path, code=now) == [
        Cause("code changed:", "b", "yyyyyy -> wwwwww"),
        Cause("code is no longer used:", "c"),
        Cause("code is new:", "d"),
    ]


@pytest.mark.parametrize("content", [None, "", "[]", "{"])
def test_without_a_record_the_code_changed(content, tmp_path):
    if content is not None:
        (tmp_path / f"{OLD}.json").write_text(content)
    job = changed([repr(OLD)], {"code": repr(NEW)})
    found = causes_of(job, tmp_path, code={NEW: {"a": "x"}})
    assert found == [Cause("code changed", "", "000000 -> 111111")]


def test_tells_stages_in_the_order_in_which_they_run(tmp_path):
    jobs = [
        a_job("figure", needs=[1, 2], follows=["1.csv"]),
        a_job("match", missing=["1.csv"]),
        a_job("match", missing=["2.csv"], no_record=True),
        a_job("prompts", stale=False),
    ]
    assert explanation(Description(jobs, {}), tmp_path).splitlines() == [
        "match     2 jobs  output missing: 1.csv, 2.csv",
        "                  no record of how it was made  [1 of 2 jobs]",
        "figure     1 job  follows match",
        "",
        "3 jobs of 2 stages are stale; 1 is up to date.",
    ]


def test_names_no_more_than_some_files(tmp_path):
    jobs = [a_job("match", missing=[f"{number}.csv"]) for number in range(5)]
    assert "output missing: 0.csv, 1.csv and 3 more\n" in explanation(
        Description(jobs, {}), tmp_path
    )


def test_nothing_is_stale(tmp_path):
    said = explanation(Description([a_job(stale=False)], {}), tmp_path)
    assert said.startswith("Nothing is stale")


def test_a_description_of_a_later_version_may_say_more():
    job = {"rule": "a", "wildcards": {}, "output": [], "log": [], "benchmark": None, "needs": []}
    text = json.dumps({"jobs": [{**job, "stale": False, "colour": 1}], "code": {}, "more": 1})
    assert read_description(text).jobs[0].rule == "a"


def test_outside_a_project(tmp_path):
    with pytest.raises(BagpipeError, match="no project in this folder"):
        describe([], tmp_path)


def test_complaints_begin_with_the_error():
    said = "Using profile\n\nWorkflowError in file x, line 1:\nThe configuration has a problem\n"
    assert complaint(said) == "WorkflowError in file x, line 1:\nThe configuration has a problem"
    assert complaint("killed\n") == "killed"
