// The live section: what is pressed, dragged and typed, and what is shown of it.

function app(root, matrix) {
  const at = (id) => root.querySelector(`#live-${id}`), unit = matrix.unit;
  const canvases = { total: at("total"), net: at("net"), matrix: at("matrix") }, frames = {}, kept = {};
  const whole = (axis) => [edgeOf(axis, 0), edgeOf(axis, axis.bins)];
  const state = { side: matrix.symmetric ? 1 : 0, gate: null, gates: [], mode: "gate", log: true, times: 1, hover: null,
    overlay: true, singles: new Set(), printing: false };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let totals, found, drag = null, waiting = 0, telling = 0;
  const gatedAxis = () => matrix.axes[state.side], alongAxis = () => matrix.axes[1 - state.side];
  const say = (text) => { at("message").textContent = text; };

  function turn(side) {
    Object.assign(state, { side, gate: null, gates: [], views: matrix.axes.map(whole) });
    totals = [everything(matrix, 1 - side), everything(matrix, side)];
    change(null);
  }
  // Every gate comes in here: nothing is shown of one that cannot be.
  function change(gate) {
    const wrong = gate ? wrongOf(gate) : "";
    say(wrong);
    if (wrong) return false;
    if (gate) gate.background.sort((one, other) => one[0] - other[0]);
    const begin = performance.now();
    state.gate = gate;
    found = gate ? gated(matrix, state.side, gate) : null;
    Object.assign(root.dataset, { gateMs: performance.now() - begin, net: found?.total ?? "",
      variance: found?.totalVariance ?? "" });
    show();
    return true;
  }
  function show() {
    const axis = gatedAxis(), { gate } = state, ends = gate ? [edgeOf(axis, gate.low), edgeOf(axis, gate.high)] : [];
    for (const [k, id] of ["low", "high"].entries()) at(id).value = gate ? exact(ends[k]) : "";
    at("background").value = gate ? backgroundOf(axis, gate) : "";
    at("command").textContent = gate ? commandOf(matrix, state.side, gate) : "";
    root.classList.toggle("live-gated", Boolean(gate));
    for (const button of root.querySelectorAll("[data-live]")) {
      const pressed = { log: state.log, overlay: state.overlay }[button.dataset.live] ?? button.dataset.live === state.mode;
      if (button.hasAttribute("aria-pressed")) button.setAttribute("aria-pressed", String(pressed));
    }
    clearTimeout(telling);
    telling = setTimeout(tell, 200);
    redraw();
  }
  function tell() {
    const { gate } = state, axis = gatedAxis(), text = (one) => endsOf(axis, one.low, one.high).replace(":", " to ");
    at("result").textContent = gate ? `Gate ${text(gate)} ${unit}: ${plusMinus(found.total, found.totalVariance)} ` +
      `net counts, ${gate.background.length ? `background scaled by ${number(found.beta)}` : "no background"}.`
      : "No gate yet.";
    fill(at("list"), state.gates.map((one) => {
      const sums = gated(matrix, state.side, one);
      return [one.name || "–", text(one), plusMinus(sums.total, sums.totalVariance),
        button("Show", () => choose(one)), button("Remove", () => {
          state.gates = state.gates.filter((other) => other !== one);
          show();
        })];
    }));
    fill(at("bins"), gate ? highest() : []);
    const hash = hashOf(axis, [...(gate ? [{ ...gate, name: at("name").value }] : []), ...state.gates]);
    if (hash || location.hash.startsWith("#gate=")) try { history.replaceState(null, "", "#" + hash); } catch { /* none */ }
  }
  function choose(gate) {
    at("name").value = gate.name ?? "";
    change(sameGate(gate));
  }
  function button(text, act) {
    const one = document.createElement("button");
    one.type = "button";
    one.textContent = text;
    one.addEventListener("click", act);
    return one;
  }
  function fill(body, rows) {
    body.replaceChildren(...rows.map((cells) => {
      const row = document.createElement("tr");
      for (const cell of cells) row.insertCell().append(cell);
      return row;
    }));
    body.parentElement.hidden = !rows.length;
  }
  // The highest bins of the gated spectrum that stand four standard deviations above 0, a line's width apart.
  function highest() {
    const { axis, values, variances } = rebinned(matrix, alongAxis(), state.times, found), chosen = [];
    const order = Array.from(values.keys()).filter((bin) => values[bin] > 4 * Math.sqrt(variances[bin]));
    for (const bin of order.sort((one, other) => values[other] - values[one])) {
      const energy = centreOf(axis, bin), apart = 2 * fwhmAt(energy);
      if (chosen.length < 8 && chosen.every((other) => Math.abs(centreOf(axis, other) - energy) > apart)) chosen.push(bin);
    }
    return chosen.sort((one, other) => one - other).map((bin) => {
      const energy = centreOf(axis, bin), near = matrix.lines.filter((line) => Math.abs(line.energy - energy) < fwhmAt(energy));
      return [exact(energy), plusMinus(values[bin], variances[bin]), near.map((line) => line.label).join(", ")];
    });
  }
  function fwhmAt(energy) {
    const known = matrix.fwhm, above = known.findIndex(([at]) => at >= energy);
    if (!known.length) return matrix.usual;
    if (above <= 0) return known.at(above)[1];
    const [[low, narrow], [high, wide]] = known.slice(above - 1, above + 1);
    return Math.sqrt(narrow ** 2 + ((energy - low) / (high - low)) * (wide ** 2 - narrow ** 2));
  }
  // As `gate --on ENERGY --background auto` does.
  function lineGate(energy) {
    const axis = gatedAxis(), fwhm = Math.max(fwhmAt(energy), axis.width), bin = (one) => nearestEdge(axis, energy + one * fwhm);
    const gate = { low: bin(-1), high: bin(1), background: [[bin(-3), bin(-2)], [bin(2), bin(3)]] };
    gate.background = gate.background.filter(([low, high]) => low < high);
    return gate;
  }

  function redraw() {
    waiting ||= requestAnimationFrame(draw);
  }
  function draw() {
    const begin = performance.now(), colours = dark.matches && !state.printing ? DARK : LIGHT, { gate, log } = state;
    waiting = 0;
    const spectra = [0, 1].map((k) => rebinned(matrix, matrix.axes[k === 0 ? state.side : 1 - state.side], state.times,
      totals[k]));
    const view = (side) => state.views[side], singles = singlesOver(spectra[0], view(state.side), colours);
    const stretches = gate ? [[gate.low, gate.high], ...gate.background].map(([low, high], k) => ({
      side: state.side, low: edgeOf(gatedAxis(), low), high: edgeOf(gatedAxis(), high), dotted: k > 0,
      colour: k ? colours.background : colours.gate })) : [];
    panel("total", view(state.side), [{ ...spectra[0], colour: colours.line }, ...singles], colours, {
      title: matrix.symmetric ? "All pairs" : `All pairs, on ${"xy"[state.side]}`, stretches,
      beside: state.singles.size ? "and single hits, scaled" : "" });
    if (gate) {
      const net = rebinned(matrix, alongAxis(), state.times, found), sum = totals[1].total;
      const share = { ...spectra[1], colour: colours.total, scale: Math.max(found.total, 0) / (sum || 1), dashes: [3, 3] };
      panel("net", view(1 - state.side), [{ ...net, colour: colours.line }, ...(state.overlay ? [share] : [])], colours, {
        title: "In coincidence with the gate, net", errors: true,
        beside: `± σ${state.overlay ? "; dashed: all pairs, scaled" : ""}${log ? "; bins at or below 0 lie at the bottom" : ""}` });
    } else {
      const { pen, width, height } = sized(canvases.net, 60);
      frames.net = null;
      pen.fillStyle = colours.quiet;
      pen.textAlign = "center";
      pen.fillText("Drag across a line in the spectrum above, or click a spot of the matrix below.", width / 2, height / 2);
    }
    frames.matrix = drawMatrix(canvases.matrix, matrix, state.views, colours, kept, stretches, unit);
    root.dataset.drawMs = performance.now() - begin;
  }
  function panel(name, view, spectra, colours, { stretches = [], errors = false, ...titles }) {
    const { pen, width, height } = sized(canvases[name], name === "total" ? 250 : 290), [first] = spectra;
    const drawn = errors ? [first, ...spectra.slice(1)] : spectra.map((one) => ({ ...one, variances: null }));
    const sure = ({ energy }) => !errors || first.values[binAt(first.axis, energy)] >
      3 * Math.sqrt(first.variances[binAt(first.axis, energy)]);
    const lines = matrix.lines.filter(sure), frame = frameOf(width, height, view, drawn, state.log, lines.length ? LABEL_ROOM : 4);
    frames[name] = frame;
    drawAxes(pen, frame, colours, { x: `${matrix.label} (${unit}), bins of ${number(first.axis.width)} ${unit}`, ...titles });
    clipped(pen, frame, () => {
      for (const { low, high, colour, dotted } of stretches) drawStretch(pen, frame, [low, high], colour, dotted);
      if (errors) drawErrors(pen, frame, first, colours.error);
      for (const one of [...spectra].reverse()) drawSteps(pen, frame, one);
      drawLabels(pen, frame, first, lines, colours);
      pen.fillStyle = colours.quiet;
      if (state.hover !== null) pen.fillRect(frame.x(state.hover), frame.top, 1, frame.bottom - frame.top);
      if (drag?.canvas === name && drag.stretch) drawStretch(pen, frame, drag.stretch, colours.quiet, state.mode === "background");
    });
  }
  function singlesOver(total, view, colours) {
    const most = ({ axis, values }) => Math.max(1e-9, ...values.slice(binAt(axis, view[0]), binAt(axis, view[1]) + 1));
    return [...state.singles].map((k) => {
      const one = rebinned(matrix, matrix.axes[0], state.times, { net: matrix.singles[k], variance: matrix.singles[k] });
      return { ...one, colour: colours.singles[k % colours.singles.length], scale: most(total) / most(one) };
    });
  }

  function zoom(times, centre, sides = [0, 1]) {
    for (const side of matrix.symmetric ? [0, 1] : sides) {
      const [low, high] = state.views[side], middle = centre ?? (low + high) / 2;
      look(side, middle - (middle - low) * times, middle + (high - middle) * times);
    }
  }
  function look(side, low, high) {
    const axis = matrix.axes[side], [first, last] = whole(axis), ends = [Math.max(low, first), Math.min(high, last)];
    state.views[side] = ends[1] - ends[0] < 4 * axis.width ? state.views[side] : ends;
    redraw();
  }
  function move(steps, ends = ["low", "high"]) {
    const gate = sameGate(state.gate ?? lineGate((state.views[state.side][0] + state.views[state.side][1]) / 2));
    for (const end of ends) gate[end] += steps;
    if (ends.length > 1) gate.background = gate.background.map((part) => part.map((end) => end + steps));
    const all = [gate.low, gate.high, ...gate.background.flat()];
    if (Math.min(...all) >= 0 && Math.max(...all) <= gatedAxis().bins) change(gate);
  }
  const mode = (name) => () => { state.mode = name; show(); };
  const actions = {
    gate: mode("gate"), background: mode("background"), zoom: mode("zoom"),
    log: () => { state.log = !state.log; show(); }, overlay: () => { state.overlay = !state.overlay; show(); },
    in: () => zoom(0.5, state.hover), out: () => zoom(2, state.hover),
    all: () => { state.views = matrix.axes.map(whole); redraw(); },
    auto: () => {
      const { gate } = state, axis = gatedAxis();
      if (gate) change({ ...lineGate((edgeOf(axis, gate.low) + edgeOf(axis, gate.high)) / 2), low: gate.low, high: gate.high });
    },
    bare: () => state.gate && change({ ...state.gate, background: [] }), clear: () => change(null),
    keep: () => { if (state.gate) { state.gates.push({ ...sameGate(state.gate), name: at("name").value }); show(); } },
    next: () => step(1), previous: () => step(-1),
    copy: () => copy(at("command")),
    csv: () => found && save("gated.csv", new Blob([csvOf(matrix, state.side, found)], { type: "text/csv" })),
    png: savePicture,
  };
  const keys = { g: "gate", b: "background", z: "zoom", l: "log", "+": "in", "=": "in", "-": "out", 0: "all", Home: "all",
    Enter: "keep", n: "next", p: "previous", Delete: "clear", a: "auto" };
  function step(by) {
    const place = state.gates.findIndex((gate) => state.gate && gate.low === state.gate.low && gate.high === state.gate.high);
    if (state.gates.length) choose(state.gates.at((Math.max(place, by < 0 ? 0 : place) + by) % state.gates.length));
  }
  async function copy(code) {
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    say("Copied.");
  }
  function savePicture() {
    const sheet = document.createElement("canvas"), shown = [canvases.total, canvases.net];
    sheet.width = canvases.total.width;
    sheet.height = shown.reduce((sum, one) => sum + one.height, 0);
    const pen = sheet.getContext("2d");
    pen.fillStyle = (dark.matches ? DARK : LIGHT).paper;
    pen.fillRect(0, 0, sheet.width, sheet.height);
    shown.forEach((one, k) => pen.drawImage(one, 0, k * canvases.total.height));
    sheet.toBlob((blob) => save("gated.png", blob));
  }

  function typed() {
    const axis = gatedAxis(), [low, high] = ["low", "high"].map((id) => at(id).value.trim());
    if (!low && !high) return;
    try {
      const [[from, to]] = stretchesOf(`${low}:${high}`, axis);
      change({ low: from, high: to, background: stretchesOf(at("background").value, axis) });
    } catch (error) {
      say(error.message);
    }
  }
