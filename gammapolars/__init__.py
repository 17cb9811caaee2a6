"""gammapolars: from the list-mode files of digitizers to calibrated gamma-ray coincidences, spectra and matrices.

Hits, pairs and spectra are tables of polars. Each step takes a table and gives another one that is computed when it is
saved or collected, in memory that does not grow with the run; any expression of polars fits between two steps.

    import gammapolars as gp

    hits = gp.scan("data/co60-four-hpge.root").pipe(gp.align, "data/detectors.toml")
    pairs = hits.pipe(gp.calibrate, "data/detectors.toml").pipe(gp.pairs, "250ns", random="1us:3us")
    line = gp.Gate.around(1332.5, fwhm=2.0)
    spectrum = pairs.pipe(gp.gate, line).pipe(gp.spectrum, bin_kev=1.0).collect()
    print(gp.find_peaks(spectrum))

Ten names to begin with; `help(gp.pairs)` explains one:

    scan             the hits of a run: files, patterns or run folders
    load_detectors   detectors.toml: names, calibrations, time offsets
    align            hits less their detectors' time offsets
    calibrate        hits or pairs with energies in keV
    pairs            coincidences within a window, also random ones
    gate             the hits in coincidence with a line, its background subtracted
    spectrum         hits or gated hits as a histogram with variances
    matrix           pairs as a matrix of two energies
    fit_peaks        peaks with areas, widths and uncertainties
    save             any table as .parquet, .arrow, .csv or .root

The guide, with ten analyses to start from, is in the package: `gammapolars guide` lists its pages in the terminal. All
public names are listed in `__init__.pyi`, with the module where each is at home.

Processes that use it are started by `multiprocessing.get_context("spawn")`: one that is forked after polars was used
has none of its threads, and reading in it raises an error.

The rooms, by floors; each imports those of lower floors only:

7  commands       the command line: a folder for each command
6  calibration    parameters measured for detectors.toml: energies, timing, the drift of gains
   rates          true rates, with dead time and the losses in it
   cluster        jobs on the workers of a Dask cluster
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
