// The matrix on a canvas: whole numbers of bins in cells of at least two pixels, so that single counts are seen.

function matrixImage(matrix, views, pixels) {
  const [bx, by] = matrix.axes.map((axis, k) => {
    const first = binAt(axis, views[k][0]), last = binAt(axis, views[k][1] - 1e-9 * axis.width);
    const times = Math.max(1, Math.ceil((last - first + 1) / Math.max(Math.floor(pixels[k] / 2), 1)));
    return { first, last, times, cells: Math.floor((last - first) / times) + 1, axis };
  });
  const sums = new Float64Array(bx.cells * by.cells), { start, column, value } = matrix.rows[0];
  for (let x = bx.first; x <= bx.last; x++) {
    const at = Math.floor((x - bx.first) / bx.times);
    for (let i = start[x]; i < start[x + 1]; i++) {
      const y = column[i];
      if (y < by.first) continue;
      if (y > by.last) break;
      sums[(by.cells - 1 - Math.floor((y - by.first) / by.times)) * bx.cells + at] += matrix.counts[value[i]];
    }
  }
  return { bx, by, sums };
}

function painted({ bx, by, sums }, stops) {
  const canvas = document.createElement("canvas");
  canvas.width = bx.cells;
  canvas.height = by.cells;
  let most = 0, least = Infinity;
  for (const sum of sums) if (sum > 0) {
    most = Math.max(most, sum);
    least = Math.min(least, sum);
  }
  least = Math.max(least, most * 1e-4);
  const ramp = colourRamp(stops), pen = canvas.getContext("2d"), image = pen.createImageData(bx.cells, by.cells);
  const scale = most > least ? 255 / Math.log(most / least) : 0;
  for (let i = 0; i < sums.length; i++) {
    if (!(sums[i] > 0)) continue;
    const at = scale ? Math.min(255, Math.max(0, Math.round(scale * Math.log(sums[i] / least)))) : 128;
    image.data.set(ramp[at], 4 * i);
    image.data[4 * i + 3] = 255;
  }
  pen.putImageData(image, 0, 0);
  return { canvas, least, most };
}

function matrixFrame(width, height, views) {
  const frame = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom };
  const part = (value, [low, high]) => (value - low) / (high - low);
  return {
    ...frame, width, height, view: views[0], log: false,
    ySteps: roundSteps(...views[1], Math.floor((frame.bottom - frame.top) / 50)),
    x: (energy) => frame.left + part(energy, views[0]) * (frame.right - frame.left),
    y: (energy) => frame.bottom - part(energy, views[1]) * (frame.bottom - frame.top),
    energy: (x) => views[0][0] + part(x, [frame.left, frame.right]) * (views[0][1] - views[0][0]),
    energyY: (y) => views[1][0] + part(y, [frame.bottom, frame.top]) * (views[1][1] - views[1][0]),
  };
}

// Draws the matrix, whose picture is kept in `kept` until the view, the size or the colours change.
function drawMatrix(canvas, matrix, views, colours, kept, stretches, unit) {
  const wide = Math.max(canvas.parentElement.clientWidth, 200), height = Math.min(wide, 620);
  const { pen, width } = sized(canvas, height), frame = matrixFrame(width, height, views);
  const key = JSON.stringify([views, width, height, colours.paper]);
  if (kept.key !== key) {
    const image = matrixImage(matrix, views, [frame.right - frame.left, frame.bottom - frame.top]);
    Object.assign(kept, { key, image, picture: painted(image, colours.cells) });
  }
  const { bx, by } = kept.image, { canvas: picture, least, most } = kept.picture;
  const size = (one) => `${number(one.times * one.axis.width)}`;
  drawAxes(pen, frame, colours, {
    x: `E_x (${unit})`, title: `E_y (${unit})`,
    beside: most ? `${number(least)} (light) to ${number(most)} (strong) per ${size(bx)} × ${size(by)} ${unit}, log`
      : "no counts here",
  });
  clipped(pen, frame, () => {
    pen.imageSmoothingEnabled = false;
    const left = frame.x(edgeOf(bx.axis, bx.first)), bottom = frame.y(edgeOf(by.axis, by.first));
    const right = frame.x(edgeOf(bx.axis, bx.first + bx.cells * bx.times));
    const top = frame.y(edgeOf(by.axis, by.first + by.cells * by.times));
    pen.drawImage(picture, left, top, right - left, bottom - top);
    for (const { side, low, high, colour } of stretches) {
      pen.fillStyle = colour;
      pen.globalAlpha = 0.35;
      const [from, to] = side ? [frame.y(high), frame.y(low)] : [frame.x(low), frame.x(high)];
      const thick = Math.max(to - from, 1.5);
      if (side) pen.fillRect(frame.left, from, frame.right - frame.left, thick);
      else pen.fillRect(from, frame.top, thick, frame.bottom - frame.top);
      pen.globalAlpha = 1;
    }
  });
  return frame;
}
