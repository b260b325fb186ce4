"""Airflow (3.x): curate a corpus, then train on it, unless a gate says stop.

Exit code 3 fails the task at once: a retry would give the same verdict, because the same input
gives the same corpus. Other codes fail it as usual, and a retry goes on where the last one stopped.
"""

from __future__ import annotations

import os
import subprocess
from datetime import datetime, timedelta

from airflow.exceptions import AirflowException, AirflowFailException
from airflow.sdk import dag, task

FOLDER = os.environ.get("CORPUS_FOLDER", "/srv/corpus")
CURATE = ["outcross", "run", "config.yaml", "--out", "out", "--gate", "--quiet"]
TRAIN = "./train.sh"
STOP = 3


@task(retries=2, retry_delay=timedelta(minutes=5))
def curate() -> str:
    """Curate the corpus, and return the path of its shards."""
    code = subprocess.run(CURATE, cwd=FOLDER, check=False).returncode
    if code == STOP:
        raise AirflowFailException(f"a gate says stop: see {FOLDER}/out/report.html")
    if code:
        raise AirflowException(f"outcross ended with exit code {code}")
    return f"{FOLDER}/out/data"


@task
def train(data: str) -> None:
    """Train on the shards."""
    subprocess.run([TRAIN, data], cwd=FOLDER, check=True)


@dag(schedule=None, start_date=datetime(2025, 1, 1), catchup=False, tags=["outcross"])
def corpus() -> None:
    """Curate, then train."""
    train(curate())


corpus()
