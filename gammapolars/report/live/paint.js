// All three canvases of the live section.

function draw(live) {
  const begin = performance.now(), { matrix, gate, side, times, totals, found, views, log, axis } = live;
  const colours = live.dark.matches && !live.printing ? DARK : LIGHT;
  live.waiting = 0;
  const ends = ([low, high], dotted) => ({ side, low: edgeOf(axis, low), high: edgeOf(axis, high), dotted,
    colour: dotted ? colours.background : colours.gate });
  const stretches = gate ? [...gate.background.map((part) => ends(part, true)), ends([gate.low, gate.high], false)] : [];
  if (live.kept.times !== times || live.kept.totals !== totals) {
    Object.assign(live.kept, { times, totals, spectra: [axis, live.along].map((one, k) => rebinned(matrix, one, times, totals[k])) });
  }
  const [total, along] = live.kept.spectra;
  const most = ({ axis: of, values }) => values.slice(binAt(of, views[side][0]), binAt(of, views[side][1]) + 1)
    .reduce((one, other) => Math.max(one, other), 1e-9);
  const singles = [...live.singles].map((k) => {
    const one = rebinned(matrix, matrix.axes[0], times, { net: matrix.singles[k], variance: matrix.singles[k] });
    return { ...one, colour: LIGHT.singles[k % LIGHT.singles.length], scale: most(total) / most(one) };
  });
  panel(live, "total", views[side], [{ ...total, colour: colours.ink, variances: null }, ...singles], colours, {
    title: `All pairs${matrix.symmetric ? "" : `, projected on ${"xy"[side]}`}: counts`, stretches, lines: matrix.lines,
    beside: singles.length ? "coloured: singles spectra, scaled" : "" });
  if (gate) {
    const net = live.kept.net = { ...rebinned(matrix, live.along, times, found), colour: colours.ink }, { values, variances } = net;
    const share = { ...along, variances: null, colour: colours.total, scale: found.total / (totals[1].total || 1), dashes: [3, 3] };
    const sure = ({ energy }) => [-1, 0, 1].map((k) => binAt(net.axis, energy + k * net.axis.width))
      .some((bin) => values[bin] > 3 * Math.sqrt(variances[bin]));
    panel(live, "net", views[1 - side], [net, ...(live.overlay && found.total > 0 ? [share] : [])], colours, {
      title: "In coincidence with the gate: net counts", lines: matrix.lines.filter(sure), errors: colours.error,
      beside: log && !values.some((value) => value > 0) ? "no positive net counts: switch off Log" : [`± σ${live.overlay ? "; dashed: all pairs, scaled" : ""}${log ? "; values ≤ 0 are at the bottom" : ""}`, "± σ"] });
  } else {
    const { pen, width } = sized(live.canvases.net, 48);
    pen.fillStyle = colours.quiet;
    live.frames.net = null;
    const hint = width > 620 ? "Drag across a line in the spectrum above, or click a spot in the matrix below." : "Drag across a line above.";
    write(pen, hint, width / 2, 24, "center", "middle");
  }
  live.frames.matrix = drawMatrix(live.canvases.matrix, matrix, views, colours, live.kept, stretches);
  live.root.dataset.drawMs = performance.now() - begin;
}

const perBin = ({ unit }, { width }) => `per ${number(width)} ${width === 1 ? unit.replace(/s$/, "") : unit}`;

function panel(live, name, view, spectra, colours, { stretches = [], lines, errors, ...titles }) {
  const sheet = sized(live.canvases[name], lines.length ? 300 : 230), { pen } = sheet, [first] = spectra, { drag, matrix } = live;
  const frame = live.frames[name] = frameOf(sheet, view, spectra, live.log, lines.length ? LABEL_ROOM : 6);
  drawAxes(pen, frame, colours, { x: matrix.titles[0], ...titles, title: `${titles.title} ${perBin(matrix, first.axis)}` });
  clipped(pen, frame, () => {
    for (const one of stretches) drawStretch(pen, frame, one);
    if (errors) drawErrors(pen, frame, first, errors);
    for (const one of [...spectra].reverse()) drawSteps(pen, frame, one);
    drawLabels(pen, frame, first, lines, colours);
    pen.fillStyle = colours.quiet;
    if (live.hover != null) pen.fillRect(frame.x(live.hover), frame.top, 1, frame.bottom - frame.top);
    if (drag?.stretch && drag.name === name) {
      const [low, high] = drag.stretch;
      drawStretch(pen, frame, { low, high, colour: colours.quiet, dotted: live.mode === "background" });
    }
  });
}

function savePicture({ canvases: { total, net }, dark }) {
  const sheet = Object.assign(document.createElement("canvas"), { width: total.width, height: total.height + net.height });
  const pen = sheet.getContext("2d");
  pen.fillStyle = (dark.matches ? DARK : LIGHT).paper;
  pen.fillRect(0, 0, sheet.width, sheet.height);
  [total, net].forEach((one, k) => pen.drawImage(one, 0, k * total.height));
  sheet.toBlob((blob) => save("gated.png", blob));
}
