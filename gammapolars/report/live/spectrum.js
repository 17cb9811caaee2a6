// A spectrum on a canvas: steps, or the least and the most in each column of pixels, so that no peak is skipped.

const MARGIN = { left: 62, right: 14, top: 22, bottom: 34 }, LABEL_ROOM = 66;

// Where values lie on a canvas. `spectra`: { values, variances?, axis, colour, scale } of which the first is the tallest.
function frameOf(width, height, view, spectra, log, room) {
  let low = 0, high = 0, least = Infinity;
  for (const { values, variances, axis, scale = 1 } of spectra) {
    for (let bin = binAt(axis, view[0]), last = binAt(axis, view[1]); bin <= last; bin++) {
      const sigma = variances ? Math.sqrt(Math.max(variances[bin], 0)) : 0, value = values[bin] * scale;
      high = Math.max(high, value + sigma);
      low = Math.min(low, value - sigma);
      if (value > 0) least = Math.min(least, value);
    }
  }
  const floor = Math.min(0.5, least, high / 2 || 0.5), top = MARGIN.top + room, bottom = height - MARGIN.bottom;
  high = Math.max(high, log ? floor * 10 : 1e-9);
  const [from, to] = log ? [Math.log(Math.max(floor, high * 1e-7)), Math.log(high * 1.1)]
    : [low < 0 ? low * 1.05 : 0, high * 1.04];
  const left = MARGIN.left, right = width - MARGIN.right;
  return {
    left, right, top: MARGIN.top, bottom, log, high, low: log ? Math.exp(from) : from, view, width, height,
    hides: log && low < 0,
    x: (energy) => left + ((energy - view[0]) / (view[1] - view[0])) * (right - left),
    energy: (x) => view[0] + ((x - left) / (right - left)) * (view[1] - view[0]),
    y: (value) => bottom - (((log ? Math.log(Math.max(value, Math.exp(from))) : value) - from) / (to - from)) *
      (bottom - top),
  };
}

function drawAxes(pen, frame, colours, titles) {
  pen.lineWidth = 1;
  pen.strokeStyle = colours.grid;
  pen.fillStyle = colours.ink;
  pen.textBaseline = "top";
  pen.textAlign = "center";
  for (const step of roundSteps(...frame.view, Math.floor((frame.right - frame.left) / 70))) {
    const x = Math.round(frame.x(step)) + 0.5;
    pen.strokeRect(x, frame.top, 0, frame.bottom - frame.top);
    pen.fillText(number(step), x, frame.bottom + 5);
  }
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  const steps = frame.ySteps ?? (frame.log ? logSteps(frame.low, frame.high) : roundSteps(frame.low, frame.high, 5));
  for (const step of steps) {
    const y = Math.round(frame.y(step)) + 0.5;
    pen.strokeRect(frame.left, y, frame.right - frame.left, 0);
    pen.fillText(superscript(step), frame.left - 6, y);
  }
  pen.strokeStyle = colours.quiet;
  pen.strokeRect(frame.left - 0.5, frame.top - 0.5, frame.right - frame.left + 1, frame.bottom - frame.top + 1);
  pen.textAlign = "right";
  pen.textBaseline = "bottom";
  pen.fillText(titles.x, frame.right, frame.height - 1);
  pen.textAlign = "left";
  pen.textBaseline = "top";
  pen.font = "bold 12px system-ui, sans-serif";
  pen.fillText(titles.title, 4, 3);
  const beside = pen.measureText(titles.title).width + 14;
  pen.font = "12px system-ui, sans-serif";
  pen.fillStyle = colours.quiet;
  if (titles.beside) pen.fillText(titles.beside, beside, 3, Math.max(frame.right - beside, 40));
}

function clipped(pen, frame, draw) {
  pen.save();
  pen.beginPath();
  pen.rect(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
  pen.clip();
  draw();
  pen.restore();
}

// The range of each bin, or of all bins in one column of pixels: visit(x from, x to, least, most).
function eachColumn(frame, axis, low, high, visit) {
  const last = binAt(axis, frame.view[1]), perPixel = (frame.view[1] - frame.view[0]) / axis.width /
    (frame.right - frame.left);
  for (let bin = binAt(axis, frame.view[0]); bin <= last;) {
    const from = frame.x(edgeOf(axis, bin));
    let least = low(bin), most = high(bin), to = frame.x(edgeOf(axis, ++bin));
    if (perPixel > 1) for (; bin <= last && Math.floor(to) === Math.floor(from); bin++) {
      least = Math.min(least, low(bin));
      most = Math.max(most, high(bin));
      to = frame.x(edgeOf(axis, bin + 1));
    }
    visit(from, to, least, most);
  }
}

function drawSteps(pen, frame, { values, axis, colour, scale = 1, dashes = [] }) {
  pen.beginPath();
  const value = (bin) => values[bin] * scale;
  eachColumn(frame, axis, value, value, (from, to, least, most) => {
    pen.lineTo(from, frame.y(most));
    if (least !== most) pen.lineTo(from, frame.y(least));
    pen.lineTo(to, frame.y(least));
  });
  pen.strokeStyle = colour;
  pen.setLineDash(dashes);
  pen.lineWidth = 1.2;
  pen.stroke();
  pen.setLineDash([]);
}

function drawErrors(pen, frame, { values, variances, axis }, colour) {
  const sigma = (bin) => Math.sqrt(Math.max(variances[bin], 0));
  pen.fillStyle = colour;
  eachColumn(frame, axis, (bin) => values[bin] - sigma(bin), (bin) => values[bin] + sigma(bin),
    (from, to, least, most) => {
      const wide = to - from > 4 ? 1.5 : Math.max(to - from, 1), x = (from + to - wide) / 2;
      pen.fillRect(x, frame.y(most), wide, Math.max(frame.y(least) - frame.y(most), 1));
    });
}

// Names of lines, turned upright above what they name, moved aside where two would lie over each other.
function drawLabels(pen, frame, spectrum, lines, colours) {
  const { values, axis } = spectrum, gap = 12;
  const height = (energy) => {
    let most = 0;
    for (let bin = binAt(axis, energy - 1.5 * axis.width); bin <= binAt(axis, energy + 1.5 * axis.width); bin++) {
      most = Math.max(most, values[bin]);
    }
    return most;
  };
  const room = Math.floor((frame.right - frame.left) / gap);
  const shown = lines.filter(({ energy }) => energy > frame.view[0] && energy < frame.view[1])
    .map((line) => ({ ...line, top: height(line.energy), at: frame.x(line.energy) }))
    .sort((one, other) => other.top - one.top).slice(0, room).sort((one, other) => one.energy - other.energy);
  shown.forEach((label, k) => {
    label.x = Math.max(label.at, k ? shown[k - 1].x + gap : frame.left + gap / 2);
  });
  for (let k = shown.length - 1, most = frame.right - gap / 2; k >= 0 && shown[k].x > most; k--, most -= gap) {
    shown[k].x = most;
  }
  pen.strokeStyle = pen.fillStyle = colours.label;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.lineWidth = 0.7;
  pen.font = "11px system-ui, sans-serif";
  for (const { label, at, x, top } of shown) {
    const y = Math.max(frame.y(top) - 4, frame.top + LABEL_ROOM);
    pen.beginPath();
    pen.moveTo(at, y);
    pen.lineTo(x, y - 6);
    pen.stroke();
    pen.save();
    pen.translate(x, y - 8);
    pen.rotate(-Math.PI / 2);
    pen.fillText(label, 0, 0, LABEL_ROOM - 6);
    pen.restore();
  }
}

// Gates are hatched and backgrounds dotted, so that they are told apart without seeing colours.
function filling(pen, colour, dotted) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const brush = tile.getContext("2d");
  brush.strokeStyle = brush.fillStyle = colour;
  if (dotted) for (const [x, y] of [[1, 1], [5, 5]]) brush.fillRect(x, y, 2, 2);
  else for (const from of [-8, 0, 8]) {
    brush.moveTo(from, 8);
    brush.lineTo(from + 8, 0);
  }
  brush.stroke();
  return pen.createPattern(tile, "repeat");
}

function drawStretch(pen, frame, [low, high], colour, dotted) {
  const [from, to] = [frame.x(low), frame.x(high)], width = Math.max(to - from, 2);
  pen.fillStyle = filling(pen, colour, dotted);
  pen.globalAlpha = 0.55;
  pen.fillRect(from, frame.top, width, frame.bottom - frame.top);
  pen.globalAlpha = 1;
  pen.fillStyle = colour;
  for (const x of [from, to]) {
    pen.fillRect(x - 0.5, frame.top, 1, frame.bottom - frame.top);
    pen.fillRect(x - 3, frame.top + (dotted ? 16 : 2), 6, 11);
  }
}
