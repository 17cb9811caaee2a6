"""What uncorrelated photons of two lines would give: by mixing events."""

import polars as pl

from gammapolars.gates import Gate

ENDS = ("board_1", "channel_1", "board_2", "channel_2")


def mixed(spectra: pl.DataFrame, first: Gate, second: Gate) -> pl.DataFrame:
    """Expected counts of detector pairs, up to a common factor, if the two photons knew nothing of each other.

    To mix every hit with every other of another detector gives S1 S2 pairs of two detectors, with the net singles S of
    the two lines: solid angles and efficiencies are in them, and cancel. It needs rates whose ratios do not change
    during the run.

    Args:
        spectra: singles by `board`, `channel`, with `energy_kev`, `counts`.
        first: the gate on one line, with its background.
        second: the gate on the other.

    Returns:
        `board_1`, `channel_1`, `board_2`, `channel_2`, `counts`, `variance`.
    """
    sides = []
    for number, gate in enumerate((first, second), 1):
        weight, counts = gate.weight("energy_kev"), pl.col("counts")
        net = spectra.group_by("board", "channel").agg(
            (weight * counts).sum().alias(f"s{number}"), (weight**2 * counts).sum().alias(f"v{number}")
        )
        sides.append(net.rename({"board": f"board_{number}", "channel": f"channel_{number}"}))
    s1, s2, v1, v2 = (pl.col(name) for name in ("s1", "s2", "v1", "v2"))
    return (
        sides[0]
        .join(sides[1], how="cross")
        .filter((pl.col("board_1") != pl.col("board_2")) | (pl.col("channel_1") != pl.col("channel_2")))
        .filter((s1 > 0) & (s2 > 0))
        .select(*ENDS, counts=s1 * s2, variance=s1**2 * v2 + s2**2 * v1)
        .sort(ENDS)
    )
