"""Command lines on simulated runs: every command, with most of its options and formats."""

from tests.outputs.command_line import CommandLine, both

CO60 = "@co60.root --detectors @co60.toml"
NAI = "@nai.root --detectors @nai.toml"
ON_1332 = "--on 1332.5 --background 1345:1355"
ON_1173 = "--on 1173.2 --background 1182:1196"

COMMANDS = (
    *("info", "convert", "query", "simulate", "detectors", "detectors import", "coincidences", "spectrum", "matrix"),
    *("report", "gate", "angular", "events", "lifetime", "rates", "peaks", "calibrate", "lines", "drift", "align"),
    *("efficiency", "activity"),
)


def on_simulated_runs() -> list[CommandLine]:
    """All of them, in the order in which they run."""
    return [*_helps(), *_on_files(), *_pairs(), *_spectra(), *_matrices(), *_gates(), *_events(), *_energies()]


def _helps() -> list[CommandLine]:
    pages = [CommandLine(f"help-{name.replace(' ', '-')}", f"{name} --help") for name in COMMANDS]
    return [CommandLine("help", "--help"), CommandLine("version", "--version"), *pages]


def _on_files() -> list[CommandLine]:
    """Runs shown, converted and simulated, and queries."""
    simulation = "simulate --source Co-60=20kBq --source K-40=2kBq --hits 20000 --seed 3 -o run.root"
    return [
        *both("info", f"info {CO60}"),
        *both("info-folder", "info @run"),
        CommandLine("info-bin", "info @bin-run/RAW/SDataR_run.BIN"),
        *both("info-pairs", "info @pairs.parquet"),
        CommandLine("info-pairs-root", "info @pairs.root --json"),
        CommandLine("info-foreign", "info @foreign.parquet --detectors @foreign.toml --json"),
        CommandLine("info-flawed", "info @flawed.csv --keep-going --json"),
        CommandLine("convert-parquet", f"convert {CO60} -o hits.parquet"),
        CommandLine("convert-arrow", f"convert {NAI} -o hits.arrow --json"),
        CommandLine("convert-csv", "convert @run -o hits.csv --json"),
        CommandLine("convert-root", "convert @bin-run -o hits.root --json"),
        CommandLine("convert-foreign", "convert @foreign.parquet --detectors @foreign.toml -o hits.parquet --json"),
        CommandLine("convert-sorted", "convert @unsorted.parquet --sort -o hits.parquet --json"),
        CommandLine("convert-flawed", "convert @flawed.csv --keep-going -o hits.parquet --json"),
        CommandLine("convert-drift", "convert @drift.root --detectors @drift.toml -o hits.parquet --json"),
        CommandLine("convert-apart", "convert @nai.root @run/RAW/*.CSV --apart -o hits.parquet --json"),
        *both("simulate", f"{simulation} --truth truth.parquet"),
        CommandLine(
            "simulate-correlated",
            f"{simulation} --correlation 1173.2,1332.5=4,2,0 --drift 0.01 --layout small --solid-angle 0.02 "
            "--background 50 --time-resolution 5ns --tick 2ns --dead-time 3us --truth truth.parquet --json",
        ),
        CommandLine("simulate-time", f"{simulation.replace('--hits 20000', '--duration 2s')} --detectors @co60.toml"),
        CommandLine("detectors-import", "detectors import 1=@ch1.CALp 2/3=@ch2.CALp -o detectors.toml"),
        CommandLine("query-help", "query gated_spectrum", copies=("queries",)),
        CommandLine("query-name", f"query rates_by_minute {CO60} -o rates.csv --minutes 0.1", copies=("queries",)),
        CommandLine("query-gate", f"query @queries/gated_spectrum.py {CO60} -o gated.parquet --gate 1332.5 --json"),
        CommandLine("query-511", f"query @queries/annihilation_pairs.py {NAI} -o p.root --tolerance 20 --window 50ns"),
    ]


def _pairs() -> list[CommandLine]:
    """Coincidences, with everything that can be written beside them."""
    beside = "--matrix matrix.root --bin-kev 4 --spectra spectra.parquet --rates rates.csv --time-differences dt.arrow"
    as_tables = "--matrix matrix.parquet --spectra spectra.csv --rates rates.parquet --time-differences dt.parquet"
    shield = "@co60.root --detectors @groups.toml"
    return [
        *both("pairs", f"coincidences {CO60} -o pairs.parquet"),
        *both("pairs-auto", f"coincidences {CO60} --random auto -o pairs.parquet"),
        CommandLine("pairs-beside", f"coincidences {CO60} {beside} -o pairs.parquet"),
        CommandLine("pairs-random-beside", f"coincidences {CO60} --random auto {as_tables} -o pairs.csv --json"),
        CommandLine("pairs-windows", f"coincidences {NAI} --random 400ns:1us --random=-1us:-400ns -o p.arrow --json"),
        CommandLine("pairs-one-sided", f"coincidences {NAI} --window 0ns:2us --reject none -o pairs.root"),
        CommandLine("pairs-start", f"coincidences {CO60} --start HPGe-2 --stop HPGe-1 -o pairs.csv --json"),
        CommandLine("pairs-nearest", f"coincidences {NAI} --start 0/4 --stop 0/5 --nearest --window 5us -o p.parquet"),
        CommandLine("pairs-compass", f"coincidences {CO60} --layout compass-pairs -o pairs.root"),
        *both("pairs-add-back", f"coincidences {shield} --add-back 100ns -o pairs.parquet --matrix matrix.csv"),
        CommandLine("pairs-veto", f"coincidences {shield} --veto BGO=200ns -o pairs.parquet"),
        CommandLine(
            "pairs-policies",
            f"coincidences {shield} --veto BGO=200ns --add-back 100ns --random auto {as_tables} -o p.parquet --json",
        ),
        CommandLine("pairs-folder", "coincidences @run --random auto -o pairs.csv --json"),
        CommandLine("pairs-bin", "coincidences @bin-run --reject 0x480 --window 50ns -o pairs.parquet --json"),
        CommandLine("pairs-of-two", "coincidences @run @bin-run -o pairs.parquet --json --matrix matrix.m4b"),
        CommandLine("pairs-drift", "coincidences @drift.root --detectors @drift.toml -o pairs.parquet --json"),
    ]


def _spectra() -> list[CommandLine]:
    """Spectra, rates and the report."""
    formats = {"spe": "", "chn": "", "txt": "", "csv": "--bin-kev 2", "root": "--per-second", "png": "--bin-kev 4"}
    return [
        *(CommandLine(f"spectrum-{end}", f"spectrum {NAI} {more} -o s.{end}") for end, more in formats.items()),
        CommandLine("spectrum-raw", "spectrum @co60.root --reject pile_up -o spectra.parquet --json"),
        CommandLine("spectrum-radware", f"spectrum {CO60} --format radware -o spectrum.spe --json"),
        CommandLine("spectrum-slices", f"spectrum {CO60} --slice 20s --bin-kev 1 -o spectra.parquet"),
        CommandLine("spectrum-rate", f"spectrum {CO60} --slice 30s --per-second --bin-kev 2 -o spectra.csv --json"),
        CommandLine("spectrum-folder", "spectrum @run --per-second -o spectra.csv --json"),
        CommandLine("spectrum-drift", "spectrum @drift.root --detectors @drift.toml -o s.spe --json"),
        CommandLine("rates", "rates @run -o rates.csv"),
        CommandLine("rates-json", f"rates {CO60} -o rates.parquet --json"),
        CommandLine("report", f"report {NAI} -o report"),
        CommandLine("report-json", f"report {CO60} --random auto -o report --json"),
    ]


def _matrices() -> list[CommandLine]:
    between = "--x HPGe-1,HPGe-2 --y HPGe-3"
    return [
        *both("matrix", f"matrix {CO60} -o matrix.parquet"),
        CommandLine("matrix-mat", f"matrix {CO60} -o matrix.mat --bin-kev 1"),
        CommandLine("matrix-m4b", f"matrix {NAI} -o matrix.m4b --window 100ns --json"),
        CommandLine("matrix-root", f"matrix {CO60} --random auto -o matrix.root --json"),
        CommandLine("matrix-csv", "matrix @run -o matrix.csv"),
        CommandLine("matrix-png", f"matrix {NAI} --bin-kev 10 -o matrix.png"),
        *both("matrix-between", f"matrix {CO60} {between} --bin-x 2 --bin-y 4 --range 0:1500 -o matrix.root"),
        CommandLine(
            "matrix-groups", "matrix @co60.root --detectors @groups.toml --x clover --y HPGe-4 -o m.csv --json"
        ),
        CommandLine("matrix-dt", f"matrix {CO60} --axes dt:energy --bin-x 10ns -o m.parquet --json"),
        CommandLine("matrix-time", f"matrix {CO60} --axes adc:time --bin-adc 64 --bin-y 5 -o m.root --json"),
        CommandLine("matrix-adc", "matrix @nai.root --bin-adc 8 --no-symmetric --range 0:2000 -o m.csv --json"),
        CommandLine("matrix-polygon", f"matrix {CO60} --polygon @cascade.toml --random auto -o matrix.csv --json"),
    ]


def _gates() -> list[CommandLine]:
    """Gates on runs, pairs, triples and matrices."""
    line = f"{CO60} {ON_1332}"
    triples = f"{CO60} --on 1332.5 --background 1360:1390 --and 1173.2 --and-background 1200:1240 --width 40"
    return [
        CommandLine("gate", f"gate {line} -o gated.csv --peaks peaks.csv --json"),
        *both("gate-random", f"gate {line} --random auto -o gated.parquet --peaks peaks.parquet"),
        CommandLine("gate-figure", f"gate {CO60} {ON_1173} --bin 2 -o gated.root --figure gated.png"),
        CommandLine("gate-in", f"gate {line} --in HPGe-1 --in HPGe-3 --by-detector -o gated.txt --json"),
        CommandLine("gate-spe", f"gate {CO60} --on 1332.5 --width 8 -o gated.spe --json"),
        CommandLine("gate-polygon", f"gate {line} --polygon @cascade.csv --by-detector -o gated.arrow --json"),
        CommandLine("gate-adc", "gate @nai.root --on 692 --width 60 --window 50ns -o gated.csv --json"),
        *both("gate-triples", f"gate {triples} --window 2us --random auto -o gated.csv"),
        CommandLine("gate-pairs", f"gate @pairs.parquet --detectors @co60.toml {ON_1332} --by-detector -o g.parquet"),
        CommandLine("gate-pairs-json", f"gate @pairs.parquet {ON_1173} --polygon @cascade.toml -o gated.csv --json"),
        CommandLine("gate-own-pairs", f"gate ../pairs-auto/pairs.parquet {ON_1332} -o gated.csv --json"),
        CommandLine("gate-matrix", f"gate @matrix.root {ON_1332} -o gated.csv"),
        CommandLine("gate-matrix-json", f"gate @matrix.parquet {ON_1332} -o gated.root --json"),
        CommandLine("gate-m4b", "gate @matrix.m4b --on 666 --width 4 --axis y -o gated.csv --json"),
        CommandLine("gate-own-matrix", f"gate ../matrix-root/matrix.root {ON_1173} --axis y -o gated.csv --json"),
    ]


def _events() -> list[CommandLine]:
    """Events, lifetimes, angular correlations and timing."""
    levels = "@in111.root --detectors @la.toml --start La-0 --stop La-1 --start-gate 155:187 --stop-gate 228:262"
    cascade = "@correlated.root --detectors @directions.toml --on 1173.2 --and 1332.5 --width 8 --background 1190:1230"
    beside = "--and-background 1350:1390 --random 1us:3us"
    return [
        CommandLine("events", f"events {CO60} --min-multiplicity 2 -o events.parquet --json"),
        CommandLine("events-last", f"events {NAI} --window 1us --window-ref last -o events.arrow --json"),
        *both("events-summary", f"events {CO60} --min-multiplicity 2 --table summary -o events.csv"),
        CommandLine("events-triples", f"events {CO60} --window 2us --table triples -o triples.parquet --json"),
        CommandLine("events-root", f"events {CO60} --window 1us --min-multiplicity 2 -o events.root --json"),
        CommandLine(
            "events-policies",
            "events @co60.root --detectors @groups.toml --add-back 100ns --veto BGO=200ns --min-multiplicity 2 "
            "--table summary -o events.parquet --json",
        ),
        CommandLine("lifetime", f"lifetime {levels} --window=-100ns:1us -o times.csv --figure times.png"),
        CommandLine("lifetime-json", f"lifetime {levels} --window=-100ns:1us -o times.parquet --bin 2ns --json"),
        CommandLine("lifetime-near", f"lifetime {levels} --window=-100ns:1us --nearest --sigma 1.4ns -o t.csv --json"),
        CommandLine("angular", f"angular {cascade} {beside} --spins 4,2,0 -o w.csv --figure w.png"),
        CommandLine(
            "angular-json",
            f"angular {cascade} {beside} --normalise uncorrelated --order 2 --half-angle 16 -o w.parquet --json",
        ),
        CommandLine("align", f"align {NAI} --reference NaI-5 --energy 300:1500 --walk -o d.toml --figure timing.png"),
        CommandLine("align-json", f"align {CO60} -o aligned.toml --json"),
        CommandLine("align-raw", "align @in111.root --search 2us --hits 50000 --no-walk -o aligned.toml --json"),
    ]


def _energies() -> list[CommandLine]:
    """Calibrations, peaks, lines, drift, efficiencies and activities."""
    counting = "--live-time 60 --started 2024-06-01"
    activity = "--nuclide Eu-152 --nuclide Cs-137 --detectors @efficient.toml --live-time 60"
    at_date = "--started 2024-06-01T14:30 --at 2024-01-01 --real-time 61"
    drift = "drift @drift.root --detectors @ge.toml --track 1332.5"
    return [
        CommandLine(
            "calibrate",
            "calibrate @eu152.root --source Eu-152 -o d.toml --only 0/0 --residuals r.csv --figures figures",
        ),
        CommandLine("calibrate-lines", "calibrate @nai.root --source Na-22 --lines 0/4:692=511,1725=1274.5 -o d.toml"),
        CommandLine(
            "calibrate-json",
            "calibrate @europium_b0_ch0.spe --source Eu-152 --detectors @ge.toml --order 2 -o d.toml "
            "--residuals r.parquet --json",
        ),
        CommandLine(
            "calibrate-drift",
            "calibrate @drift.root --source Co-60 --detectors @ge.toml --only ge-0 --track 1332.5 -o d.toml --json",
        ),
        CommandLine("peaks", "peaks @eu152.root --detectors @ge.toml -o peaks.csv"),
        CommandLine("peaks-json", f"peaks {CO60} --significance 6 -o peaks.parquet --json"),
        CommandLine("peaks-spe", "peaks @europium_b0_ch0.spe --calibration 0.1,0.12 -o peaks.arrow --json"),
        CommandLine("peaks-own-spectra", "peaks ../spectrum-raw/spectra.parquet -o peaks.csv --spectrum b0_ch1"),
        *both("lines", "lines"),
        *both("lines-nuclide", "lines Eu-152 --least 1"),
        *both("lines-near", "lines 661.7 --within 2"),
        *both("lines-cascades", "lines Co-60 --cascades"),
        CommandLine("drift", f"{drift} -o drift.parquet --figure drift.png"),
        CommandLine(
            "drift-json", f"{drift} --track 1173.2 --slice 5s --reach 0.02 --reference mean -o d.parquet --json"
        ),
        CommandLine(
            "efficiency", f"efficiency @peaks.csv --detectors @ge.toml {counting} -o d.toml --figure efficiency.png"
        ),
        CommandLine(
            "efficiency-json", f"efficiency @peaks.csv --detectors @ge.toml {counting} --order 2 -o d.toml --json"
        ),
        CommandLine("activity", f"activity @peaks.csv {activity} -o activities.csv"),
        CommandLine(
            "activity-json", f"activity @peaks.csv {activity} {at_date} --spectrum @spectra.parquet -o a.parquet --json"
        ),
    ]
