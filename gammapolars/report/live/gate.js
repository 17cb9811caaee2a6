// What a gate takes out of the matrix: the arithmetic of `projection` in spectra/matrices.py, in the same order, so that
// both agree to the last bit. A gate is { low, high, background: [[low, high], …] } in bins, the high ends excluded.

const PART = { none: 0, gate: 1, background: 2 };

function project(matrix, side, gate) {
  const { start, column, value } = matrix.rows[side], { counts, variances } = matrix;
  const bins = matrix.axes[1 - side].bins, part = partsOf(gate, matrix.axes[side].bins);
  const sums = Array.from({ length: 4 }, () => new Float64Array(bins)), seen = new Uint8Array(bins);
  for (let row = 0; row < part.length; row++) {
    if (part[row] === PART.none) continue;
    const [sum, variance] = part[row] === PART.gate ? [sums[0], sums[1]] : [sums[2], sums[3]];
    for (let i = start[row]; i < start[row + 1]; i++) {
      sum[column[i]] += counts[value[i]];
      variance[column[i]] += variances[value[i]];
      seen[column[i]] = 1;
    }
  }
  const beta = betaOf(gate), [inside, ofInside, beside, ofBeside] = sums;
  const net = inside.map((sum, c) => sum - beta * beside[c]);
  const variance = ofInside.map((sum, c) => sum + beta * beta * ofBeside[c]);
  const totals = sums.map((values) => values.reduce((sum, one) => sum + one, 0));
  return {
    net, variance, seen, beta, part, side,
    total: totals[0] - beta * totals[2],
    totalVariance: totals[1] + beta * beta * totals[3],
  };
}

// The same with a variance of the total that counts pairs in two bins of a symmetric matrix.
function gated(matrix, side, gate) {
  const found = project(matrix, side, gate), sums = [0, 0, 0];
  twiceCounted(matrix, found, (one, other, variance, kind) => {
    sums[kind] += variance;
  });
  if (matrix.symmetric) found.totalVariance += sums[0] - found.beta * sums[1] + found.beta * found.beta * sums[2];
  return found;
}

function betaOf(gate) {
  const width = gate.background.reduce((sum, [low, high]) => sum + high - low, 0);
  return width ? (gate.high - gate.low) / width : 0;
}

function partsOf(gate, bins) {
  const part = new Uint8Array(bins);
  for (const [low, high] of gate.background) part.fill(PART.background, Math.max(low, 0), Math.max(high, 0));
  return part.fill(PART.gate, Math.max(gate.low, 0), Math.max(gate.high, 0));
}

// Pairs with both hits in the gate or its background stand in two bins, of which the sum varies more than they do apart:
// `visit` gets both bins, the variance, and in how many of them the background is.
function twiceCounted(matrix, { part, side }, visit) {
  if (!matrix.symmetric) return;
  const { start, column, value } = matrix.rows[side], { variances } = matrix;
  for (let row = 0; row < part.length; row++) {
    if (part[row] === PART.none) continue;
    for (let i = start[row]; i < start[row + 1]; i++) {
      const other = part[column[i]];
      if (other !== PART.none && column[i] !== row) visit(row, column[i], variances[value[i]], part[row] + other - 2);
    }
  }
}

function everything(matrix, side) {
  return project(matrix, side, { low: 0, high: matrix.axes[side].bins, background: [] });
}

// A spectrum in bins that are some times as wide, their edges on whole multiples of that.
function rebinned(matrix, axis, times, found) {
  const first = Math.floor(axis.start / times), at = (bin) => Math.floor((axis.start + bin) / times) - first;
  const bins = at(axis.bins - 1) + 1, values = new Float64Array(bins), variances = new Float64Array(bins);
  for (let bin = 0; bin < axis.bins; bin++) {
    values[at(bin)] += found.net[bin];
    variances[at(bin)] += found.variance[bin];
  }
  const weights = [1, -found.beta, found.beta * found.beta];
  if (times > 1 && found.part) twiceCounted(matrix, found, (one, other, variance, kind) => {
    if (at(one) === at(other)) variances[at(one)] += weights[kind] * variance;
  });
  return { axis: { ...axis, start: first, width: axis.width * times, bins }, values, variances };
}

const edgeOf = (axis, bin) => (axis.start + bin) * axis.width + axis.shift;
const centreOf = (axis, bin) => (axis.start + bin + 0.5) * axis.width + axis.shift;
const placeOf = (axis, energy) => (energy - axis.shift) / axis.width - axis.start;
const binAt = (axis, energy) => Math.min(axis.bins - 1, Math.max(0, Math.floor(placeOf(axis, energy))));
const nearestEdge = (axis, energy) => Math.min(axis.bins, Math.max(0, Math.floor(placeOf(axis, energy) + 0.5)));
