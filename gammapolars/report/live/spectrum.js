// A spectrum on a canvas: steps, or the least and the most in each column of pixels, so that no peak is skipped.

const MARGIN = { left: 62, right: 14, top: 22, bottom: 34 }, LABEL_ROOM = 84;

// Where values lie on a canvas. `spectra`: { values, variances?, axis, colour, scale? }, with variances to be shown.
function frameOf({ width, height }, view, spectra, log, room) {
  let low = 0, high = 0, least = 0.5;
  for (const { values, variances, axis, scale = 1 } of spectra) {
    for (let bin = binAt(axis, view[0]), last = binAt(axis, view[1]); bin <= last; bin++) {
      const sigma = variances ? Math.sqrt(Math.max(variances[bin], 0)) : 0, value = values[bin] * scale;
      [low, high] = [Math.min(low, value - sigma), Math.max(high, value + sigma)];
      if (value > 0 && variances) least = Math.min(least, value);
    }
  }
  const floor = Math.max(least, high * 1e-6) * 0.8, scaled = (value) => (log ? Math.log(Math.max(value, floor)) : value);
  high = Math.max(high * 1.05, log ? floor * 10 : 1);
  const bounds = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom };
  const [from, to] = [scaled(log ? floor : low * 1.05), scaled(high)], tall = bounds.bottom - bounds.top - room;
  const across = (bounds.right - bounds.left) / (view[1] - view[0]);
  return {
    ...bounds, view, width, height, ySteps: log ? logSteps(floor, high) : roundSteps(from, high, 5),
    x: (energy) => bounds.left + (energy - view[0]) * across,
    energy: (x) => view[0] + (x - bounds.left) / across,
    y: (value) => bounds.bottom - ((scaled(value) - from) / (to - from)) * tall,
  };
}

function write(pen, text, x, y, align, baseline, most) {
  Object.assign(pen, { textAlign: align, textBaseline: baseline });
  pen.fillText(text, x, y, most);
}

function drawAxes(pen, frame, colours, { x: xTitle, title, beside }) {
  const { left, right, top, bottom } = frame;
  Object.assign(pen, { lineWidth: 1, strokeStyle: colours.grid, fillStyle: colours.ink });
  for (const step of roundSteps(...frame.view, Math.floor((right - left) / 70))) {
    pen.strokeRect(Math.round(frame.x(step)) + 0.5, top, 0, bottom - top);
    write(pen, number(step), frame.x(step), bottom + 5, "center", "top");
  }
  for (const step of frame.ySteps) {
    pen.strokeRect(left, Math.round(frame.y(step)) + 0.5, right - left, 0);
    write(pen, (frame.yLabel ?? countLabel)(step), left - 6, frame.y(step), "right", "middle");
  }
  pen.strokeStyle = colours.quiet;
  pen.strokeRect(left - 0.5, top - 0.5, right - left + 1, bottom - top + 1);
  write(pen, xTitle, right, frame.height - 1, "right", "bottom");
  pen.font = "bold 12px system-ui, sans-serif";
  write(pen, title, 4, 3, "left", "top");
  const after = pen.measureText(title).width + 14;
  Object.assign(pen, { font: "12px system-ui, sans-serif", fillStyle: colours.quiet });
  write(pen, [beside].flat().find((text) => pen.measureText(text).width <= right - after) ?? "", after, 3, "left", "top");
}

function clipped(pen, { left, right, top, bottom }, draw) {
  pen.save();
  pen.beginPath();
  pen.rect(left, top, right - left, bottom - top);
  pen.clip();
  draw();
  pen.restore();
}

// The range of each bin, or of all bins in one column of pixels: visit(x from, x to, least, most).
function eachColumn(frame, axis, low, high, visit) {
  const last = binAt(axis, frame.view[1]);
  for (let bin = binAt(axis, frame.view[0]); bin <= last;) {
    const from = frame.x(edgeOf(axis, bin));
    let [least, most] = [low(bin), high(bin)], to = frame.x(edgeOf(axis, ++bin));
    for (; bin <= last && to - from < 1 && Math.floor(to) === Math.floor(from); to = frame.x(edgeOf(axis, ++bin))) {
      [least, most] = [Math.min(least, low(bin)), Math.max(most, high(bin))];
    }
    visit(from, to, least, most);
  }
}

function drawSteps(pen, frame, { values, axis, colour, scale = 1, dashes = [] }) {
  const value = (bin) => values[bin] * scale;
  pen.beginPath();
  eachColumn(frame, axis, value, value, (from, to, least, most) => {
    pen.lineTo(from, frame.y(most));
    if (least !== most) pen.lineTo(from, frame.y(least));
    pen.lineTo(to, frame.y(least));
  });
  Object.assign(pen, { strokeStyle: colour, lineWidth: 1.2 });
  pen.setLineDash(dashes);
  pen.stroke();
  pen.setLineDash([]);
}

function drawErrors(pen, frame, { values, variances, axis }, colour) {
  const sigma = (bin) => Math.sqrt(Math.max(variances[bin], 0));
  pen.fillStyle = colour;
  eachColumn(frame, axis, (bin) => values[bin] - sigma(bin), (bin) => values[bin] + sigma(bin), (from, to, least, most) => {
    const wide = to - from > 4 ? 1.5 : Math.max(to - from, 1), high = frame.y(most);
    if (most > least) pen.fillRect((from + to - wide) / 2, high, wide, Math.max(frame.y(least) - high, 1));
  });
}

// Names of lines, turned upright above what they name, moved aside where two would lie over each other.
function drawLabels(pen, frame, { values, axis }, lines, colours) {
  const gap = 12, shown = lines.filter(({ energy }) => energy > frame.view[0] && energy < frame.view[1]).map((line) => {
    const near = [binAt(axis, line.energy - 1.5 * axis.width), binAt(axis, line.energy + 1.5 * axis.width) + 1];
    return { ...line, top: Math.max(...values.slice(...near)), at: frame.x(line.energy) };
  }).sort((one, other) => other.top - one.top).slice(0, Math.floor((frame.right - frame.left) / gap) - 1);
  shown.sort((one, other) => one.energy - other.energy);
  shown.forEach((label, k) => { label.x = Math.max(label.at, k ? shown[k - 1].x + gap : frame.left + gap / 2); });
  for (let k = shown.length - 1, most = frame.right - gap / 2; k >= 0 && shown[k].x > most; k--, most -= gap) shown[k].x = most;
  for (const { label, at, x, top } of shown) {
    const y = Math.max(frame.y(top) - 4, frame.top + LABEL_ROOM);
    pen.save();
    Object.assign(pen, { fillStyle: colours.ink, strokeStyle: colours.quiet, lineWidth: 0.7 });
    pen.beginPath();
    pen.moveTo(at, y);
    pen.lineTo(x, y - 6);
    pen.stroke();
    pen.translate(x, y - 8);
    pen.rotate(-Math.PI / 2);
    Object.assign(pen, { font: "11px system-ui, sans-serif", strokeStyle: colours.paper, lineWidth: 3, textBaseline: "middle" });
    pen.strokeText(label, 0, 0, LABEL_ROOM - 10);
    write(pen, label, 0, 0, "left", "middle", LABEL_ROOM - 10);
    pen.restore();
  }
}

// Gates are hatched and backgrounds dotted, so that they are told apart without seeing colours.
function filling(pen, colour, dotted) {
  const tile = Object.assign(document.createElement("canvas"), { width: 8, height: 8 }), brush = tile.getContext("2d");
  brush.strokeStyle = brush.fillStyle = colour;
  if (dotted) for (const at of [1, 5]) brush.fillRect(at, at, 2, 2);
  else for (const from of [-8, 0, 8]) brush.stroke(new Path2D(`M ${from} 8 l 8 -8`));
  return pen.createPattern(tile, "repeat");
}

function drawStretch(pen, { x, top, bottom }, { low, high, colour, dotted }) {
  const [from, to] = [x(low), x(high)];
  Object.assign(pen, { fillStyle: filling(pen, colour, dotted), globalAlpha: 0.55 });
  pen.fillRect(from, top, Math.max(to - from, 2), bottom - top);
  Object.assign(pen, { fillStyle: colour, globalAlpha: 1 });
  for (const end of [from, to]) {
    pen.fillRect(end - 0.5, top, 1, bottom - top);
    pen.fillRect(end - 3, top + (dotted ? 16 : 2), 6, 11);
  }
}
