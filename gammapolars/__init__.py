"""gammapolars: list-mode gamma spectrometry on dataframes.

    import gammapolars as gp

    hits = gp.scan("run.root").pipe(gp.calibrate, gp.load_detectors("detectors.toml"))
    pairs = hits.pipe(gp.pairs, window="250ns")
    gp.save(pairs, "pairs.parquet")

Every stage takes and gives a polars LazyFrame, so that further lazy polars fits between any two of them. The public
names are listed in `__init__.pyi`.

Processes that use it are started by `multiprocessing.get_context("spawn")`: one that is forked after polars was used
has none of its threads, and reading in it raises an error.

The rooms, by floors; each imports those of lower floors only:

7  commands       the command line: a folder for each command
6  calibration    parameters measured for detectors.toml: energies, timing, the drift of gains
   rates          true rates, with dead time and the losses in it
   report         everything about a run, explained, in one HTML page
5  analysis       one pass over runs: hits read, corrected, counted and accounted for
4  coincidences   pairs, events, triples, add-back and vetoes, and their random part
   spectra        spectra, matrices and calculations with them, each with its variances
   figures        figures of small tables
   simulate       runs with known truth
3  io             files in and out: runs, tables, spectra, provenance
   corrections    corrections of hits: energy, gain factors, time offsets and walk
   activities     from peak areas to efficiencies and activities
   identification kinds of peaks, and their nuclides
   lifetimes      lifetimes of nuclear levels, from time differences
   angular        angular correlations of cascades
2  streaming      streams of hits of any length: slices, time order, clocks
   detectors      detectors.toml: channels, calibrations, sources
   gates          gates on energies, with background, and polygons
   peaks          peaks of spectra, found and fitted
   gamma_lines    gamma lines and cascades of common nuclides
1  core           errors, defaults, units, tables, flags, types
"""

from gammapolars.core.interrupts import is_program, leave_on_interrupt

if is_program():
    leave_on_interrupt()

import lazy_loader

from gammapolars.core.threads import without_zero

without_zero()  # before polars is imported

# A public name is imported when it is first asked for: the help of the command line must not wait for polars.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
