// The matrix on a canvas: whole numbers of bins in cells of at least three pixels, so that single counts are seen.

function matrixImage(matrix, views, pixels) {
  const spans = matrix.axes.map((axis, k) => {
    const first = binAt(axis, views[k][0]), last = binAt(axis, views[k][1] - 1e-9 * axis.width);
    return { axis, first, last, times: Math.ceil((last - first + 1) / Math.max(Math.floor(pixels[k] / 3), 1)) };
  });
  if (matrix.symmetric) for (const span of spans) span.times = Math.max(...spans.map((one) => one.times));
  for (const span of spans) span.cells = Math.floor((span.last - span.first) / span.times) + 1;
  const [bx, by] = spans, sums = new Float64Array(bx.cells * by.cells), { start, column, value } = matrix.rows[0];
  const line = new Int32Array(by.axis.bins).fill(-1); // of each bin on y, where its row of cells begins
  for (let y = by.first; y <= by.last; y++) line[y] = (by.cells - 1 - Math.floor((y - by.first) / by.times)) * bx.cells;
  for (let x = bx.first; x <= bx.last; x++) {
    const at = Math.floor((x - bx.first) / bx.times);
    for (let i = start[x], end = start[x + 1]; i < end; i++) {
      if (line[column[i]] >= 0) sums[line[column[i]] + at] += matrix.counts[value[i]];
    }
  }
  return { bx, by, sums };
}

function painted({ bx, by, sums }, stops) {
  const canvas = Object.assign(document.createElement("canvas"), { width: bx.cells, height: by.cells });
  const positive = sums.filter((sum) => sum > 0), most = positive.reduce((one, other) => Math.max(one, other), 0);
  const least = Math.max(positive.reduce((one, other) => Math.min(one, other), Infinity), most * 1e-4);
  const ramp = colourRamp(stops), pen = canvas.getContext("2d"), image = pen.createImageData(bx.cells, by.cells);
  const scale = most > least ? 255 / Math.log(most / least) : 0;
  sums.forEach((sum, i) => {
    if (!(sum > 0)) return;
    image.data.set(ramp[Math.max(0, Math.round(scale * Math.log(sum / least)))], 4 * i);
    image.data[4 * i + 3] = 255;
  });
  pen.putImageData(image, 0, 0);
  return { canvas, least, most };
}

function matrixFrame({ width, height }, views) {
  const [left, right, top, bottom] = [MARGIN.left, width - MARGIN.right, MARGIN.top, height - MARGIN.bottom];
  const [across, up] = [(right - left) / (views[0][1] - views[0][0]), (bottom - top) / (views[1][1] - views[1][0])];
  return {
    left, right, top, bottom, width, height, view: views[0], yLabel: number, ySteps: roundSteps(...views[1], Math.floor((bottom - top) / 50)),
    x: (energy) => left + (energy - views[0][0]) * across, energy: (x) => views[0][0] + (x - left) / across,
    y: (energy) => bottom - (energy - views[1][0]) * up, energyY: (y) => views[1][0] + (bottom - y) / up,
  };
}

// Draws the matrix, whose picture is kept in `kept` until the view, the size or the colours change.
function drawMatrix(canvas, matrix, views, colours, kept, stretches) {
  const wide = canvas.parentElement.clientWidth, sheet = sized(canvas, matrix.symmetric ? wide - 20 : Math.min(wide, 560));
  const { pen } = sheet, frame = matrixFrame(sheet, views), key = JSON.stringify([views, wide, colours.paper]);
  if (kept.key !== key) {
    const image = matrixImage(matrix, views, [frame.right - frame.left, frame.bottom - frame.top]);
    Object.assign(kept, { key, image, picture: painted(image, colours.cells) });
  }
  const { bx, by } = kept.image, { canvas: picture, least, most } = kept.picture, { unit } = matrix;
  const [size, height] = [bx, by].map((span) => number(span.times * span.axis.width));
  const range = `${number(least)} to ${number(most)}`, scale = [`counts per ${size} × ${height} ${unit}: ${range} (log)`, range];
  const titles = { x: matrix.titles[1], title: matrix.titles[2] };
  drawAxes(pen, frame, colours, { ...titles, beside: most ? scale : "no counts here" });
  clipped(pen, frame, () => {
    pen.imageSmoothingEnabled = false;
    const [left, right] = [0, bx.cells].map((cell) => frame.x(edgeOf(bx.axis, bx.first + cell * bx.times)));
    const [bottom, top] = [0, by.cells].map((cell) => frame.y(edgeOf(by.axis, by.first + cell * by.times)));
    pen.drawImage(picture, left, top, right - left, bottom - top);
    pen.globalAlpha = 0.35;
    for (const { side, low, high, colour } of stretches) {
      const [from, to] = side ? [frame.y(high), frame.y(low)] : [frame.x(low), frame.x(high)], thick = Math.max(to - from, 1.5);
      pen.fillStyle = colour;
      if (side) pen.fillRect(frame.left, from, frame.right - frame.left, thick);
      else pen.fillRect(from, frame.top, thick, frame.bottom - frame.top);
    }
  });
  return frame;
}
