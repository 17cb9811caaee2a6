"""Command lines on recorded runs, which lie in the folder that GAMMAPOLARS_REAL_DATA names."""

from tests.outputs.command_line import CommandLine, both

NA22 = "@recorded/na22-two-nai"
ALPHA = "@recorded/alpha-si-mcp"
CALP = "@recorded/co60-four-hpge/ch"
STRAIGHT = "@recorded/iaea-1995/STRAIGHT.ASC"
EU152 = "@recorded/eu152-hpge/eu_calib_7cm.Spe"


def on_recorded_runs() -> list[CommandLine]:
    """All of them."""
    calibrations = " ".join(f"{number}={CALP}{number}.CALp" for number in range(1, 5))
    return [
        *both("recorded-info", f"info {NA22}"),
        *both("recorded-info-alpha", f"info {ALPHA}"),
        CommandLine("recorded-info-bin", "info @recorded/compass-bin/compass_test_data.BIN"),
        CommandLine("recorded-info-pairs", "info @recorded/co60-four-hpge/coincidences_co60_600s.root --json"),
        CommandLine("recorded-convert-bin", "convert @recorded/compass-bin/compass_test_data.BIN -o h.parquet --json"),
        CommandLine("recorded-convert", "convert @recorded/co60-cs137-nai/C* -o hits.parquet --json"),
        CommandLine("recorded-import", f"detectors import {calibrations} -o detectors.toml"),
        *both("recorded-pairs", f"coincidences {NA22}/SDataR_na22_two_nai.root --window 50ns -o pairs.parquet"),
        CommandLine("recorded-pairs-csv", f"coincidences {NA22} --random auto -o pairs.csv --json"),
        CommandLine("recorded-pairs-alpha", f"coincidences {ALPHA} --window 4us -o p.root --rates r.csv --json"),
        CommandLine("recorded-spectrum", f"spectrum {ALPHA} --per-second -o spectra.csv"),
        CommandLine("recorded-spectrum-chn", f"spectrum {NA22} --stage unfiltered -o spectra.chn --json"),
        CommandLine("recorded-rates", f"rates {NA22} -o rates.csv"),
        CommandLine("recorded-align", f"align {ALPHA} -o aligned.toml --json"),
        CommandLine("recorded-gate", f"gate {NA22} --on 692 --width 80 --window 50ns -o gated.csv --json"),
        CommandLine("recorded-peaks", f"peaks {STRAIGHT} --calibration 3.545,0.396467 -o peaks.csv --json"),
        CommandLine("recorded-peaks-chn", "peaks @recorded/iaea-1995/CALIB.CHN -o peaks.parquet --json"),
        CommandLine("recorded-calibrate", f"calibrate {EU152} --source Eu-152 -o d.toml --residuals r.csv --json"),
        CommandLine(
            "recorded-calibrate-nai", "calibrate @recorded/co60-cs137-nai/C* --source Co-60 --source Cs-137 -o d.toml"
        ),
        CommandLine("recorded-events", f"events {NA22} --window 100ns --min-multiplicity 2 -o events.csv --json"),
    ]
