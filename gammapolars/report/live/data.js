// The matrix as `packing.py` writes it: the bytes of the page, unpacked once into rows of either axis.

async function inflate(text) {
  const packed = atob(text), bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Float64 values, and whole numbers in groups of seven bits, the lowest first (LEB128).
function byteReader(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let place = 0;
  return {
    floats(count) {
      const values = new Float64Array(count);
      for (let i = 0; i < count; i++, place += 8) values[i] = view.getFloat64(place, true);
      return values;
    },
    number() {
      let value = 0, factor = 1, byte;
      do {
        if (place >= bytes.length) throw new RangeError("it ends too early");
        byte = bytes[place++];
        value += (byte & 127) * factor;
        factor *= 128;
      } while (byte & 128);
      return value;
    },
    atEnd: () => place === bytes.length,
  };
}

function check(holds, what) {
  if (!holds) throw new RangeError(what);
}

function unpack(head, bytes) {
  check(head.layout === 1, "it was written in another layout");
  const source = byteReader(bytes), [nx, ny] = head.axes.map((axis) => axis.bins);
  const counts = source.floats(head.values), variances = source.floats(head.values);
  const x = new Uint32Array(head.cells), y = new Uint32Array(head.cells), index = new Uint32Array(head.cells);
  for (let i = 0, key = 0; i < head.cells; i++) {
    key += source.number();
    x[i] = Math.floor(key / ny);
    y[i] = key - x[i] * ny;
    check(x[i] < nx, "a bin lies outside");
  }
  for (let i = 0; i < head.cells; i++) check((index[i] = source.number()) < head.values, "a count is missing");
  const singles = head.singles.map(() => Float64Array.from({ length: nx }, () => source.number()));
  check(source.atEnd(), "it has more than it should");
  const rows = head.symmetric ? Array(2).fill(rowsOf(x, y, index, nx, true))
    : [rowsOf(x, y, index, nx, false), rowsOf(y, x, index, ny, false)];
  return { ...head, counts, variances, rows, singles };
}

// Cells by the bins of one axis, those of the other ascending in each; of a symmetric matrix each in both orders.
function rowsOf(of, other, index, bins, symmetric) {
  const start = new Uint32Array(bins + 1), both = (i) => symmetric && of[i] !== other[i];
  for (let i = 0; i < of.length; i++) {
    start[of[i] + 1]++;
    if (both(i)) start[other[i] + 1]++;
  }
  for (let row = 0; row < bins; row++) start[row + 1] += start[row];
  const next = start.slice(), column = new Uint32Array(start[bins]), value = new Uint32Array(start[bins]);
  const put = (row, at, i) => {
    column[next[row]] = at;
    value[next[row]++] = index[i];
  };
  for (let i = 0; i < of.length; i++) {
    put(of[i], other[i], i);
    if (both(i)) put(other[i], of[i], i);
  }
  return { start, column, value };
}
