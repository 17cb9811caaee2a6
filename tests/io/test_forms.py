"""One run in every form that a digitizer leaves it in: the answer is the same, byte for byte."""

import os
from pathlib import Path

import polars as pl
import pytest

import gammapolars as gp
from gammapolars import simulate
from gammapolars.io.compass.bin_layout import Layout as BinLayout
from tests.binfiles import write_bin
from tests.commandline import gammapolars
from tests.compassfiles import write_csv
from tests.rootfiles import write_hits

FIELDS = ("energy", "short", "flags")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Co-60 between four detectors, 60,000 hits, as the simulation writes it."""
    path = tmp_path_factory.mktemp("simulated") / "SDataR_run.root"
    simulate.run(path, ["Co-60=200kBq"], hits=60_000, seed=3)
    return path


@pytest.fixture(scope="module")
def forms(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """The same hits in all forms: the files to be given together."""
    place = tmp_path_factory.mktemp("forms")
    hits = gp.scan(simulated).collect()
    # CoMPASS's other forms hold a second integral, which nothing here depends on.
    both = hits.with_columns(adc_short=(pl.col("adc") // 2).cast(pl.UInt16)).select(
        "board", "channel", "timestamp_ps", "adc", "adc_short", "flags"
    )
    half = both.height // 2
    found: dict[str, list[Path]] = {"ROOT": [simulated]}

    def folder(name: str) -> Path:
        made = place / name / "RAW"
        made.mkdir(parents=True)
        found[name] = [made.parent]
        return made

    write_csv(folder("CSV") / "SDataR_run.CSV", both)
    write_bin(folder("BIN") / "SDataR_run.BIN", both, BinLayout(FIELDS))
    write_bin(folder("BIN with waveforms") / "SDataR_run.BIN", both, BinLayout((*FIELDS, "waveform")), 16)
    write_csv(folder("CSV with waveforms") / "SDataR_run.CSV", both, samples=16)
    segments = folder("CSV in segments")
    write_csv(segments / "SDataR_run.CSV", both[:half])
    write_csv(segments / "SDataR_run_1.CSV", both[half:], header=False)
    segments = folder("BIN in segments")
    write_bin(segments / "SDataR_run.BIN", both[:half], BinLayout(FIELDS))
    write_bin(segments / "SDataR_run_1.BIN", both[half:], BinLayout(FIELDS), header=None)
    of_root, of_csv, of_bin = (folder(f"{kind} by channel") for kind in ("ROOT", "CSV", "BIN"))
    for (channel,), part in both.group_by("channel", maintain_order=True):
        name = f"DataR_CH{channel}@DT5725_1701_run"
        write_hits(of_root / f"{name}.root", part.drop("adc_short"))
        write_csv(of_csv / f"{name}.CSV", part)
        write_bin(of_bin / f"{name}.BIN", part, BinLayout(FIELDS))
    hits.write_parquet(place / "run.parquet")
    found["Parquet"] = [place / "run.parquet"]
    hits.write_ipc(place / "run.arrow")
    found["Arrow"] = [place / "run.arrow"]
    hits.write_csv(place / "run.csv")
    found["own CSV"] = [place / "run.csv"]
    return found


def pairs_of(inputs: list[Path], output: Path, *words: str) -> bytes:
    outcome = gammapolars("coincidences", *inputs, "-o", output, *words)
    assert outcome.code == 0, outcome.err
    return output.read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([], id="all"),
        pytest.param(["--window=-1us:1us", "--start", "0/1", "--stop", "0/2"], id="two", marks=pytest.mark.slow),
    ],
)
def test_all_forms_of_a_run_give_the_same_pairs(forms: dict[str, list[Path]], tmp_path: Path, words: list[str]) -> None:
    found = {
        name: pairs_of(inputs, tmp_path / f"{number}.csv", *words)
        for number, (name, inputs) in enumerate(forms.items())
    }

    assert found["ROOT"].count(b"\n") > 300
    assert [name for name, pairs in found.items() if pairs != found["ROOT"]] == []


@pytest.mark.slow
def test_all_forms_of_a_run_give_the_same_table(forms: dict[str, list[Path]], tmp_path: Path) -> None:
    for number, inputs in enumerate(forms.values()):
        pairs_of(inputs, tmp_path / f"{number}.parquet")

    tables = [pl.read_parquet(path) for path in sorted(tmp_path.iterdir())]
    assert len(tables) == len(forms)
    assert all(table.equals(tables[0]) and table.schema == tables[0].schema for table in tables)


REAL = os.environ.get("GAMMAPOLARS_REAL_DATA")


@pytest.mark.skipif(not REAL, reason="GAMMAPOLARS_REAL_DATA names no folder of recorded runs")
@pytest.mark.parametrize(
    ("window", "pairs"),
    [("10ns", 28_298), *(pytest.param(*one, marks=pytest.mark.slow) for one in (("50ns", 36_842), ("250ns", 38_595)))],
)
def test_recorded_csv_and_root_give_the_same_pairs(tmp_path: Path, window: str, pairs: int) -> None:
    recorded = Path(REAL or "") / "na22-two-nai"
    forms = {
        "root": [recorded / "SDataR_na22_two_nai.root"],
        "csv": sorted((recorded / "UNFILTERED").glob("*.CSV")),
    }

    found = {
        name: pairs_of(inputs, tmp_path / f"{name}.csv", "--window", window, "--reject", "none")
        for name, inputs in forms.items()
    }

    assert len(forms["csv"]) == 2
    assert found["root"] == found["csv"]
    assert found["root"].count(b"\n") == pairs + 1
