
  // Where a drag begins decides what it does: at an end of a stretch it moves that, in the gate it moves all.
  function grabbed(frame, x, reach) {
    const { gate } = state, axis = gatedAxis(), place = (bin) => frame.x(edgeOf(axis, bin));
    if (!gate) return null;
    const ends = [["low"], ["high"], ...gate.background.flatMap((part, k) => [[k, 0], [k, 1]])].map(([key, end]) => ({
      key, end, away: Math.abs(place(end === undefined ? gate[key] : gate.background[key][end]) - x) }));
    const nearest = ends.reduce((one, other) => (other.away < one.away ? other : one));
    if (nearest.away <= reach) return nearest;
    return place(gate.low) < x && x < place(gate.high) ? { all: true } : null;
  }
  function pressed(name, event) {
    const frame = frames[name], { x, y } = placeIn(event);
    if (!frame || event.button > 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const zooms = name !== "total" || state.mode === "zoom" || event.shiftKey;
    drag = { canvas: name, x, y, frame, zooms, before: state.gate && sameGate(state.gate),
      grab: zooms ? null : grabbed(frame, x, event.pointerType === "touch" ? 16 : 7) };
  }
  function moved(name, event) {
    const frame = frames[name], { x, y } = placeIn(event), axis = gatedAxis();
    if (!frame) return;
    state.hover = frame.energy(x);
    read(name, frame, x, y);
    if (drag?.grab) {
      const bin = nearestEdge(axis, frame.energy(x)), by = bin - nearestEdge(axis, frame.energy(drag.x));
      const { key, end, all } = drag.grab, gate = sameGate(drag.before), far = Math.abs(x - drag.x) >= 2;
      if (all) for (const part of [gate, ...gate.background]) for (const one of Object.keys(part)) {
        if (typeof part[one] === "number") part[one] += by;
      }
      else if (end === undefined) gate[key] = bin;
      else gate.background[key][end] = bin;
      if (far && Math.min(gate.low, ...gate.background.flat()) >= 0) change(gate);
    } else if (drag) {
      drag.stretch = Math.abs(x - drag.x) >= LEAST_DRAG ? [frame.energy(drag.x), frame.energy(x)].sort((a, b) => a - b) : null;
    }
    redraw();
  }
  function released(name, event) {
    const done = drag, { x, y } = placeIn(event);
    drag = null;
    if (!done || done.grab) return;
    if (name === "matrix" && Math.hypot(x - done.x, y - done.y) < LEAST_DRAG) {
      change(lineGate(state.side ? done.frame.energyY(y) : done.frame.energy(x)));
    } else if (name === "matrix") {
      const area = [[done.frame.energy(done.x), done.frame.energy(x)], [done.frame.energyY(done.y), done.frame.energyY(y)]];
      area.forEach((ends, side) => look(side, Math.min(...ends), Math.max(...ends)));
    } else if (done.stretch && done.zooms) {
      for (const side of matrix.symmetric ? [0, 1] : [name === "total" ? state.side : 1 - state.side]) look(side, ...done.stretch);
    } else if (done.stretch) {
      const [low, high] = done.stretch.map((end) => nearestEdge(gatedAxis(), end));
      const { gate } = state, adds = state.mode === "background" && gate;
      change(adds ? { ...gate, background: [...sameGate(gate).background, [low, high]] } : { low, high, background: [] });
    }
    redraw();
  }
  function read(name, frame, x, y) {
    const energy = frame.energy(x), parts = [];
    const of = (what, axis, one) => {
      const all = rebinned(matrix, axis, state.times, one), bin = binAt(all.axis, energy);
      parts.push(`${what} ${plusMinus(all.values[bin], all.variances[bin])}`);
    };
    if (name === "matrix") {
      const { bx, by, sums } = kept.image, [cx, cy] = [[bx, energy], [by, frame.energyY(y)]].map(([side, at]) =>
        Math.floor((binAt(side.axis, at) - side.first) / side.times));
      parts.push(`E_y ${exact(frame.energyY(y).toFixed(1))}: ${number(sums[(by.cells - 1 - cy) * bx.cells + cx] ?? 0)} counts`);
    } else if (name === "total") of("all", gatedAxis(), totals[0]);
    else of("gated", alongAxis(), found);
    at("readout").textContent = `${exact(energy.toFixed(1))} ${unit}: ${parts.join(", ")}`;
  }
  const placeIn = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  for (const [name, canvas] of Object.entries(canvases)) {
    canvas.addEventListener("pointerdown", (event) => pressed(name, event));
    canvas.addEventListener("pointermove", (event) => moved(name, event));
    canvas.addEventListener("pointerup", (event) => released(name, event));
    canvas.addEventListener("pointercancel", () => { drag = null; });
    canvas.addEventListener("pointerleave", () => { state.hover = null; redraw(); });
    canvas.addEventListener("dblclick", actions.all);
    canvas.addEventListener("wheel", (event) => {
      if (document.activeElement !== canvas && !event.ctrlKey) return; // the page scrolls until a canvas was clicked
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.25 : 0.8, frames[name]?.energy(placeIn(event).x));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key], act = actions[keys[event.key]];
      if ((!by && !act) || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      if (by) move(by, event.shiftKey ? ["high"] : event.altKey ? ["low"] : ["low", "high"]);
      else act();
    });
  }
  for (const one of root.querySelectorAll("[data-live]")) one.addEventListener("click", actions[one.dataset.live]);
  for (const id of ["low", "high", "background"]) at(id).addEventListener("change", typed);
  at("name").addEventListener("change", show);
  at("times").addEventListener("change", () => { state.times = Number(at("times").value); redraw(); });
  at("side")?.addEventListener("change", () => turn("xy".indexOf(at("side").value)));
  for (const [k, box] of root.querySelectorAll("[data-single]").entries()) box.addEventListener("change", () => {
    state.singles[box.checked ? "add" : "delete"](k);
    box.parentElement.style.color = box.checked ? LIGHT.singles[k % LIGHT.singles.length] : "";
    redraw();
  });
  const fromUrl = () => {
    const [first, ...others] = gatesOf(location.hash, gatedAxis());
    if (first) Object.assign(state, { gates: others });
    if (first) choose(first);
  };
  addEventListener("hashchange", fromUrl);
  addEventListener("resize", redraw);
  dark.addEventListener("change", redraw);
  for (const [event, printing] of [["beforeprint", true], ["afterprint", false]]) addEventListener(event, () => {
    Object.assign(state, { printing, hover: null });
    draw();
  });
  root.classList.add("live-on");
  turn(state.side);
  fromUrl();
}

const LEAST_DRAG = 4;

(async () => {
  const root = document.getElementById("live"), note = root?.querySelector(".live-note");
  if (!root) return;
  try {
    if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old for it");
    const text = (id) => document.getElementById(id).textContent, head = JSON.parse(text("live-head"));
    app(root, unpack(head, await inflate(text("live-data").trim())));
  } catch (error) {
    root.classList.remove("live-on");
    note.setAttribute("role", "alert");
    note.textContent = `The live matrix cannot be shown: ${error.message || "its data are damaged"}. It needs Chrome or ` +
      "Edge 93, Firefox 113 or Safari 16.4, or later ones, and this file as it was written.";
  }
})();
