// What a gate takes out of the matrix: the arithmetic of `projection` in spectra/matrices.py, in the same order, so that
// both agree to the last bit. A gate is { low, high, background: [[low, high], …] } in bins, the high ends excluded.

const GATE = 1, BACKGROUND = 2;

function project(matrix, side, gate) {
  const { start, column, value } = matrix.rows[side], { counts, variances } = matrix, bins = matrix.axes[1 - side].bins;
  const part = new Uint8Array(matrix.axes[side].bins), seen = new Uint8Array(bins);
  for (const [low, high] of gate.background) part.fill(BACKGROUND, low, high);
  part.fill(GATE, gate.low, gate.high);
  const sums = Array.from({ length: 4 }, () => new Float64Array(bins));
  part.forEach((kind, row) => {
    const sum = sums[2 * kind - 2], variance = sums[2 * kind - 1];
    if (kind) for (let i = start[row]; i < start[row + 1]; i++) {
      sum[column[i]] += counts[value[i]];
      variance[column[i]] += variances[value[i]];
      seen[column[i]] = 1;
    }
  });
  const width = gate.background.reduce((sum, [low, high]) => sum + high - low, 0);
  const beta = width ? (gate.high - gate.low) / width : 0, [inside, ofInside, beside, ofBeside] = sums;
  const [g, v, b, w] = sums.map((values) => values.reduce((sum, one) => sum + one, 0));
  return {
    seen, beta, part, side, total: g - beta * b, totalVariance: v + beta * beta * w,
    net: inside.map((sum, c) => sum - beta * beside[c]),
    variance: ofInside.map((sum, c) => sum + beta * beta * ofBeside[c]),
  };
}

// The same with a variance of the total that counts pairs in two bins of a symmetric matrix.
function gated(matrix, side, gate) {
  const found = project(matrix, side, gate), sums = [0, 0, 0], { beta } = found;
  twiceCounted(matrix, found, (one, other, variance, kind) => { sums[kind] += variance; });
  if (matrix.symmetric) found.totalVariance += sums[0] - beta * sums[1] + beta * beta * sums[2];
  return found;
}

// Pairs with both hits in the gate or its background stand in two bins, of which the sum varies more than they do apart:
// `visit` gets both bins, the variance, and in how many of them the background is.
function twiceCounted(matrix, { part, side }, visit) {
  const { start, column, value } = matrix.rows[side];
  if (matrix.symmetric) part.forEach((kind, row) => {
    if (kind) for (let i = start[row]; i < start[row + 1]; i++) {
      const other = part[column[i]];
      if (other && column[i] !== row) visit(row, column[i], matrix.variances[value[i]], kind + other - 2);
    }
  });
}

const everything = (matrix, side) => project(matrix, side, { low: 0, high: matrix.axes[side].bins, background: [] });

// A spectrum in bins that are some times as wide, their edges on whole multiples of that.
function rebinned(matrix, axis, times, found) {
  if (times === 1) return { axis, values: found.net, variances: found.variance };
  const first = Math.floor(axis.start / times), at = (bin) => Math.floor((axis.start + bin) / times) - first;
  const bins = at(axis.bins - 1) + 1, [values, variances] = [new Float64Array(bins), new Float64Array(bins)];
  found.net.forEach((counts, bin) => { values[at(bin)] += counts; variances[at(bin)] += found.variance[bin]; });
  const weights = [1, -found.beta, found.beta * found.beta];
  if (found.part) twiceCounted(matrix, found, (one, other, variance, kind) => {
    if (at(one) === at(other)) variances[at(one)] += weights[kind] * variance;
  });
  return { axis: { ...axis, start: first, width: axis.width * times, bins }, values, variances };
}

const edgeOf = (axis, bin) => (axis.start + bin) * axis.width + axis.shift;
const centreOf = (axis, bin) => (axis.start + bin + 0.5) * axis.width + axis.shift;
const placeOf = (axis, energy) => (energy - axis.shift) / axis.width - axis.start;
const binAt = (axis, energy) => Math.min(axis.bins - 1, Math.max(0, Math.floor(placeOf(axis, energy))));
const nearestEdge = (axis, energy) => Math.min(axis.bins, Math.max(0, Math.floor(placeOf(axis, energy) + 0.5)));
