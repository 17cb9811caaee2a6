// The matrix as `packing.py` writes it: the bytes of the page, unpacked once into rows of either axis.

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function check(holds, what) { if (!holds) throw new RangeError(what); }

// Float64 values, and whole numbers in groups of seven bits, the lowest first (LEB128).
function byteReader(bytes) {
  const view = new DataView(bytes.buffer);
  let place = 0;
  const floats = (count) => Float64Array.from({ length: count }, () => view.getFloat64((place += 8) - 8, true));
  const number = () => {
    for (let value = 0, factor = 1; place < bytes.length; factor *= 128) {
      const byte = bytes[place++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new RangeError("its data end too early");
  };
  return { floats, number, atEnd: () => place === bytes.length };
}

function unpack(head, bytes) {
  check(head.layout === 1, "its data have an unknown layout");
  const source = byteReader(bytes), [nx, ny] = head.axes.map((axis) => axis.bins);
  const counts = source.floats(head.values), variances = source.floats(head.values);
  const [x, y, index] = Array.from({ length: 3 }, () => new Uint32Array(head.cells));
  for (let i = 0, key = 0; i < head.cells; i++) {
    key += source.number();
    x[i] = Math.floor(key / ny);
    y[i] = key - x[i] * ny;
    check(x[i] < nx, "a bin lies outside");
  }
  for (let i = 0; i < head.cells; i++) check((index[i] = source.number()) < head.values, "a count is missing");
  const singles = head.singles.map(() => Float64Array.from({ length: nx }, source.number));
  check(source.atEnd(), "its data are too long");
  const rows = head.symmetric ? Array(2).fill(rowsOf(x, y, index, nx, true))
    : [rowsOf(x, y, index, nx, false), rowsOf(y, x, index, ny, false)];
  return { ...head, counts, variances, rows, singles };
}

// Cells by the bins of one axis, those of the other ascending in each; of a symmetric matrix each in both orders.
function rowsOf(of, other, index, bins, symmetric) {
  const start = new Uint32Array(bins + 1);
  const each = (visit) => {
    for (let i = 0; i < of.length; i++) {
      visit(of[i], other[i], i);
      if (symmetric && of[i] !== other[i]) visit(other[i], of[i], i);
    }
  };
  each((row) => start[row + 1]++);
  for (let row = 0; row < bins; row++) start[row + 1] += start[row];
  const next = start.slice(), column = new Uint32Array(start[bins]), value = new Uint32Array(start[bins]);
  each((row, at, i) => { column[next[row]] = at; value[next[row]++] = index[i]; });
  return { start, column, value };
}
