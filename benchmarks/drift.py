"""What it costs to compare a table with its reference: 1,000,000 rows × 20 columns on either side.

Fifteen columns of numbers and five of labels. Three have drifted: one moved by 0.3 sd, one became half as wide again,
one mix moved by 15 points. One is a trap: it moved by 0.01 sd, which a million rows make significant and which matters
to nobody. Every contender runs in a process of its own over the same pandas frames, read before the clock starts.
Memory is the growth of the peak beyond the loaded frames; the time is the better of two, CPU that of the second, which
other work on the machine disturbs least. Peers need other versions of
pandas: `--peers-python` names the interpreter of an environment that has them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _common import REPOSITORY, finish, machine, parser, table

N_NUMBERS, N_LABELS = 15, 5
DRIFTED = {"n0", "n1", "c0"}
TRAP = "n2"
Figures = dict[str, Any]


class Ours:
    """mlops.drift, one frame against the other: effect, significance, correction, PSI."""

    needs = "mlops"

    def load(self) -> None:
        from mlops.drift import check_drift

        self.check_drift = check_drift

    def prepare(self, reference: Any) -> None:
        self.reference = reference

    def check(self, current: Any) -> list[str]:
        self.report = self.check_drift(self.reference, current)
        return list(self.report.columns_with_drift)

    def page_kb(self) -> float | None:
        from mlops.drift.page import drift_page

        return len(drift_page(self.report).encode()) / 1000


class OursFromProfile(Ours):
    """mlops.drift against a stored profile: the reference is not read."""

    def prepare(self, reference: Any) -> None:
        from mlops.drift import ReferenceProfile

        stored = ReferenceProfile.of(reference).to_json()
        self.profile_kb = len(stored) / 1000
        self.reference = ReferenceProfile.from_json(stored)


class SciPyFloor:
    """ks_2samp and chi2_contingency alone, judged by p < 0.05: no effect, no correction."""

    needs = "scipy"

    def load(self) -> None:
        import scipy.stats

        self.stats = scipy.stats

    def prepare(self, reference: Any) -> None:
        self.reference = reference

    def check(self, current: Any) -> list[str]:
        return [name for name in current if self._p(self.reference[name], current[name]) < 0.05]

    def _p(self, before: Any, now: Any) -> float:
        if before.name.startswith("n"):
            return float(self.stats.ks_2samp(before.to_numpy(), now.to_numpy(), method="asymp").pvalue)
        counts = [side.value_counts().sort_index().to_numpy() for side in (before, now)]
        return float(self.stats.chi2_contingency(counts).pvalue)


class Evidently:
    """The DataDriftPreset of Evidently with its defaults."""

    needs = "evidently"

    def load(self) -> None:
        import evidently
        from evidently.presets import DataDriftPreset

        self.module, self.preset = evidently, DataDriftPreset

    def prepare(self, reference: Any) -> None:
        self.reference = reference
        numbers, labels = ([name for name in reference if name[0] == kind] for kind in "nc")
        self.definition = self.module.DataDefinition(numerical_columns=numbers, categorical_columns=labels)

    def check(self, current: Any) -> list[str]:
        datasets = [
            self.module.Dataset.from_pandas(one, data_definition=self.definition) for one in (current, self.reference)
        ]
        self.snapshot = self.module.Report([self.preset()]).run(*datasets)
        metrics = json.loads(self.snapshot.json())["metrics"]
        drifts = [one for one in metrics if one["config"]["type"].endswith("ValueDrift")]
        return [one["config"]["column"] for one in drifts if _evidently_drifted(one)]

    def page_kb(self) -> float | None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "drift.html"
            self.snapshot.save_html(str(path))
            return path.stat().st_size / 1000


class NannyML:
    """NannyML's univariate drift with its default measures, in ten chunks. A column with alerts in most has drifted."""

    needs = "nannyml"
    numbers: Sequence[str] = ("jensen_shannon",)
    labels: Sequence[str] = ("jensen_shannon",)

    def load(self) -> None:
        import nannyml

        self.module = nannyml

    def prepare(self, reference: Any) -> None:
        self.calculator = self.module.UnivariateDriftCalculator(
            column_names=list(reference), treat_as_categorical=[name for name in reference if name[0] == "c"],
            continuous_methods=list(self.numbers), categorical_methods=list(self.labels), chunk_number=10,
        )  # fmt: skip
        self.reference = reference

    def check(self, current: Any) -> list[str]:
        self.calculator.fit(self.reference)
        found = self.calculator.calculate(current).filter(period="analysis").to_df()
        alerts = found.xs("alert", axis=1, level=-1).mean()
        return sorted({column for (column, _), share in alerts.items() if share > 0.5})


class NannyMLSameMeasures(NannyML):
    """The same with the measures that ours reports; KS and Wasserstein are estimated from bins for so many rows."""

    numbers = ("kolmogorov_smirnov", "wasserstein")
    labels = ("chi2", "jensen_shannon")


def _evidently_drifted(metric: Figures) -> bool:
    is_p = "p_value" in metric["config"]["method"]
    value, threshold = metric["value"], metric["config"]["threshold"]
    return bool(value < threshold if is_p else value >= threshold)


CONTENDERS: dict[str, Callable[[], Any]] = {
    "mlops.drift": Ours,
    "mlops.drift, profile": OursFromProfile,
    "SciPy KS + chi²": SciPyFloor,
    "Evidently": Evidently,
    "NannyML": NannyML,
    "NannyML, same measures": NannyMLSameMeasures,
}


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--peers-python", default=sys.executable, help="interpreter that has Evidently and NannyML")
    for name in ("--one", "--folder"):
        options.add_argument(name, help="used by the benchmark itself")
    chosen = options.parse_args()
    if chosen.one:
        print(json.dumps(measured(chosen.one, Path(chosen.folder))))
        return
    print(f"{chosen.rows:,} rows × {N_NUMBERS + N_LABELS} columns on either side; {machine()}\n")
    figures: Figures = {"machine": machine(), "rows": chosen.rows, "import_seconds": import_seconds(), "contenders": {}}
    with tempfile.TemporaryDirectory() as folder:
        write_frames(Path(folder), chosen.rows)
        for name, contender in CONTENDERS.items():
            python = chosen.peers_python if contender.needs in {"evidently", "nannyml"} else sys.executable
            answer = child(python, "--one", name, "--folder", folder)
            if answer is not None:
                figures["contenders"][name] = answer
    print_tables(figures)
    finish(figures, chosen.json)


def write_frames(folder: Path, n: int) -> None:
    """The reference and the current table, as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet

    for number, name in enumerate(("reference", "current")):
        pyarrow.parquet.write_table(pa.table(columns(n, has_drift=number == 1)), folder / f"{name}.parquet")


def columns(n: int, *, has_drift: bool) -> dict[str, Any]:
    """Columns n0 to n14 and c0 to c4."""
    rng = np.random.default_rng([20_261_117, has_drift])
    made: dict[str, Any] = {f"n{number}": rng.normal(size=n) for number in range(N_NUMBERS)}
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    made |= {f"c{number}": rng.choice(["es", "en", "fr", "pt"], n, p=shares) for number in range(N_LABELS)}
    if has_drift:
        made["n0"] += 0.3
        made["n1"] *= 1.5
        made[TRAP] += 0.01
        made["c0"] = rng.choice(["es", "en", "fr", "pt"], n, p=np.add(shares, [-0.15, 0.15, 0, 0]))
    return made


def child(python: str, *arguments: str) -> Figures | None:
    """What a process of its own measures; None where it cannot, which is said."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}
    command = [python, "-W", "ignore", __file__, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"skipped: {arguments[1]}, {done.stderr.strip().splitlines()[-1]}")
        return None
    answer: Figures = json.loads(done.stdout.splitlines()[-1])
    return answer


def measured(name: str, folder: Path) -> Figures:
    """Times in seconds, memory in MB, and the columns that were flagged."""
    import pandas as pd

    reference, current = (pd.read_parquet(folder / f"{side}.parquet") for side in ("reference", "current"))
    contender = CONTENDERS[name]()
    loading = seconds(contender.load)
    preparing = seconds(lambda: contender.prepare(reference))
    before = fresh_peak_mb()
    flagged: list[str] = []
    times = [seconds(lambda: flagged.append(contender.check(current)))]
    memory = peak_mb() - before
    started = time.process_time()
    times.append(seconds(lambda: contender.check(current)))
    cpu = time.process_time() - started
    page = getattr(contender, "page_kb", lambda: None)()
    return {
        "import": loading, "prepare": preparing, "check": min(times), "cpu": cpu, "memory_mb": memory,
        "flagged": flagged[0], "page_kb": page, "profile_kb": getattr(contender, "profile_kb", None),
    }  # fmt: skip


def print_tables(figures: Figures) -> None:
    """Times, ratios to SciPy's, memory, verdicts."""
    contenders = figures["contenders"]
    floor = contenders.get("SciPy KS + chi²", {}).get("check")
    rows = [
        [
            name, f"{one['check']:.2f}", f"{one['check'] / floor:.2f}" if floor else "–", f"{one['cpu']:.2f}",
            f"{one['memory_mb']:.0f}",
            f"{one['page_kb']:.0f}" if one["page_kb"] else "–", verdict(one["flagged"]),
        ]
        for name, one in contenders.items()
    ]  # fmt: skip
    print(table(["", "check s", "× SciPy", "CPU s", "memory MB", "page kB", "flagged"], rows))
    profile = contenders.get("mlops.drift, profile", {}).get("profile_kb")
    print(f"\nimport mlops.drift: {figures['import_seconds']:.2f} s; the profile: {profile:.0f} kB of JSON")


def verdict(flagged: Sequence[str]) -> str:
    """What is right and what is wrong with the flags."""
    missed, wrong = DRIFTED - set(flagged), sorted(set(flagged) - DRIFTED)
    parts = [f"all {len(DRIFTED)} drifted" if not missed else f"missed {', '.join(sorted(missed))}"]
    parts.append("no other" if not wrong else f"and {', '.join(wrong)}" + (" (the trap)" if TRAP in wrong else ""))
    return ", ".join(parts)


def import_seconds() -> float:
    """How long `import mlops.drift` takes in a new process; the best of three."""
    code = "import time; t = time.perf_counter(); import mlops.drift; print(time.perf_counter() - t)"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    runs = (
        subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
        for _ in range(3)
    )
    return min(float(run.stdout) for run in runs)


def seconds(run: Callable[[], Any]) -> float:
    """How long *run* takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def fresh_peak_mb() -> float:
    """Begin to count the peak anew, where the system can, and say where it stands."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_mb()


def peak_mb() -> float:
    """Peak memory of this process, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
