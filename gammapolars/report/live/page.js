// What the live section shows: a gate, those that are kept, and where both spectra and the matrix are looked at.

class Live {
  constructor(root, matrix) {
    const dark = matchMedia("(prefers-color-scheme: dark)"), frames = {}, kept = {}, singles = new Set();
    Object.assign(this, { root, matrix, dark, frames, kept, singles, mode: "gate", log: true, overlay: true, times: 1 });
    this.canvases = Object.fromEntries(["total", "net", "matrix"].map((name) => [name, this.at(name)]));
    this.turn(matrix.symmetric ? 1 : 0);
  }
  at(id) { return document.getElementById(`live-${id}`); }
  get axis() { return this.matrix.axes[this.side]; }
  get along() { return this.matrix.axes[1 - this.side]; }
  say(text) { this.at("message").textContent = text; }

  turn(side) {
    const { matrix } = this;
    this.at("side").value = "xy"[side];
    this.at("side").parentElement.hidden = matrix.symmetric;
    this.canvases.matrix.parentElement.classList.toggle("live-square", matrix.symmetric);
    Object.assign(this, { side, kept: {}, gates: [], totals: [everything(matrix, 1 - side), everything(matrix, side)] });
    // Both axes up to where all but a thousandth of the pairs lie; `all` shows the rest.
    this.views = matrix.axes.map((axis, k) => {
      const { net, total } = this.totals[k === 1 - side ? 1 : 0];
      let last = 0;
      for (let sum = 0; last < axis.bins && sum < 0.999 * total; last++) sum += net[last];
      return [edgeOf(axis, 0), edgeOf(axis, Math.min(axis.bins, Math.ceil(last * 1.1)))];
    });
    this.change(null);
  }

  // Every gate comes in here: nothing is shown of one that cannot be.
  change(gate) {
    const wrong = gate ? wrongOf(gate) : "", begin = performance.now();
    this.say(wrong);
    if (wrong) return;
    gate?.background.sort((one, other) => one[0] - other[0]);
    this.gate = gate;
    this.found = gate && gated(this.matrix, this.side, gate);
    const gateMs = performance.now() - begin, { total = "", totalVariance = "" } = this.found ?? {};
    Object.assign(this.root.dataset, { gateMs, net: total, variance: totalVariance });
    this.show();
  }
  show() {
    const { gate, axis, root } = this, pressed = { log: this.log, overlay: this.overlay, [this.mode]: true };
    const texts = gate ? [...endsOf(axis, gate.low, gate.high).split(":"), backgroundOf(axis, gate)] : ["", "", ""];
    ["low", "high", "background"].forEach((id, k) => { this.at(id).value = texts[k]; });
    this.at("command").textContent = gate ? commandOf(this.matrix, this.side, gate) : "";
    root.classList.toggle("live-gated", Boolean(gate));
    for (const one of root.querySelectorAll("[aria-pressed]")) one.setAttribute("aria-pressed", Boolean(pressed[one.dataset.live]));
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.tell(), 200);
    this.redraw();
  }
  // What takes longer to read than to change: told once changes have come to rest.
  tell() {
    const { gate, gates, matrix, axis, side, found } = this, name = this.at("name").value;
    const ends = (one) => endsOf(axis, one.low, one.high).replace(":", " to "), count = (one) => plusMinus(one.total, one.totalVariance);
    const scaled = gate?.background.length ? `net counts, background scaled by ${number(found.beta)}` : "counts, no background subtracted";
    this.at("result").textContent = gate ? `Gate ${ends(gate)} ${matrix.unit}: ${count(found)} ${scaled}.` : "No gate yet.";
    fillTable(this.at("list"), gates.map((one) => [one.name || "–", ends(one), count(gated(matrix, side, one)),
      newButton("Show", () => this.choose(one)), newButton("Remove", () => {
        this.gates = gates.filter((other) => other !== one);
        this.show();
      })]));
    fillTable(this.at("bins"), gate ? this.highest() : []);
    const hash = hashOf(axis, gate ? [{ ...gate, name }, ...gates] : gates);
    if (hash || location.hash.startsWith("#gate=")) try { history.replaceState(null, "", "#" + hash); } catch { /* in a frame */ }
  }
  choose(gate) { this.at("name").value = gate.name ?? ""; this.change(sameGate(gate)); }
  fromUrl() {
    const [first, ...others] = gatesOf(location.hash, this.axis);
    if (!first) return;
    this.gates = others;
    this.choose(first);
  }
  // The highest bins of the gated spectrum that stand four standard deviations above 0, two FWHM apart.
  highest() {
    const { axis, values, variances } = rebinned(this.matrix, this.along, this.times, this.found), chosen = [];
    const high = Array.from(values.keys()).filter((bin) => values[bin] > 4 * Math.sqrt(variances[bin]));
    const near = (one, other, times) => Math.abs(one - other) < times * Math.max(this.fwhm(one), axis.width);
    for (const bin of high.sort((one, other) => values[other] - values[one])) {
      if (chosen.length < 8 && !chosen.some((one) => near(centreOf(axis, one), centreOf(axis, bin), 2))) chosen.push(bin);
    }
    return chosen.sort((one, other) => one - other).map((bin) => [exact(centreOf(axis, bin)), plusMinus(values[bin],
      variances[bin]), this.matrix.lines.filter((line) => near(centreOf(axis, bin), line.energy, 1)).map((line) => line.label).join(", ")]);
  }
  fwhm(energy) {
    const known = this.matrix.fwhm, above = known.findIndex(([at]) => at >= energy);
    if (above <= 0) return known.length ? known.at(above)[1] : this.matrix.usual;
    const [[low, narrow], [high, wide]] = known.slice(above - 1, above + 1);
    return Math.sqrt(narrow ** 2 + ((energy - low) / (high - low)) * (wide ** 2 - narrow ** 2));
  }
  // As `gate --on ENERGY --background auto` does: ± FWHM, and on both sides half as much, a FWHM away.
  lineGate(energy) {
    const fwhm = Math.max(this.fwhm(energy), this.axis.width), [low, high] = [energy - fwhm, energy + fwhm];
    return { low: nearestEdge(this.axis, low), high: nearestEdge(this.axis, high), background: this.beside(low, high, fwhm) };
  }
  beside(low, high, away = Math.max(this.fwhm((low + high) / 2), this.axis.width)) {
    const wide = (high - low) / 2, stretches = [[low - away - wide, low - away], [high + away, high + away + wide]];
    return stretches.map((ends) => ends.map((end) => nearestEdge(this.axis, end))).filter((ends) => ends[0] < ends[1]);
  }
  shift(steps, ends, from = this.gate ?? this.lineGate((this.views[this.side][0] + this.views[this.side][1]) / 2)) {
    const { axis } = this, gate = sameGate(from);
    for (const end of ends) gate[end] += steps;
    if (ends.length > 1) gate.background = gate.background.map((part) => part.map((end) => end + steps));
    const all = [gate.low, gate.high, ...gate.background.flat()];
    if (Math.min(...all) >= 0 && Math.max(...all) <= axis.bins) this.change(gate);
  }
  step(by) {
    const { gates, gate } = this, place = gates.findIndex((one) => one.low === gate?.low && one.high === gate?.high);
    if (gates.length) this.choose(gates.at((Math.max(place, by < 0 ? 0 : place) + by) % gates.length));
  }

  look(side, low, high) {
    const axis = this.matrix.axes[side], ends = [Math.max(low, edgeOf(axis, 0)), Math.min(high, edgeOf(axis, axis.bins))];
    if (ends[1] - ends[0] >= 4 * axis.width) this.views[side] = ends;
    this.redraw();
  }
  zoom(times, centre) {
    this.views.forEach(([low, high], side) => {
      const middle = centre ?? (low + high) / 2;
      this.look(side, middle - (middle - low) * times, middle + (high - middle) * times);
    });
  }
  // In one frame at most once.
  redraw() { this.waiting ||= requestAnimationFrame(() => draw(this)); }
}

function newButton(text, act) {
  const one = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  one.addEventListener("click", act);
  return one;
}

function fillTable(body, rows) {
  body.replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    for (const cell of cells) row.insertCell().append(cell);
    return row;
  }));
  body.parentElement.hidden = !rows.length;
}
