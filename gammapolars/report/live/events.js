// What is pressed, dragged and typed.

const LEAST_DRAG = 4;

function actionsOf(live) {
  const mode = (name) => () => { live.mode = name; live.show(); }, turnOver = (name) => () => { live[name] = !live[name]; live.show(); };
  const background = (of) => () => live.gate && live.change({ ...live.gate, background: of(live.gate) });
  return {
    gate: mode("gate"), background: mode("background"), zoom: mode("zoom"), log: turnOver("log"), overlay: turnOver("overlay"),
    in: () => live.zoom(0.5, live.hover), out: () => live.zoom(2, live.hover), clear: () => live.change(null),
    all: () => live.matrix.axes.forEach((axis, side) => live.look(side, -Infinity, Infinity)),
    auto: background((gate) => live.beside(edgeOf(live.axis, gate.low), edgeOf(live.axis, gate.high))), bare: background(() => []),
    keep: () => { if (live.gate) live.gates.push({ ...sameGate(live.gate), name: live.at("name").value }); live.show(); },
    next: () => live.step(1), previous: () => live.step(-1), png: () => savePicture(live),
    csv: () => live.found && save("gated.csv", new Blob([csvOf(live.matrix, live.side, live.found)], { type: "text/csv" })),
    copy: async () => {
      getSelection().selectAllChildren(live.at("command"));
      try { await navigator.clipboard.writeText(live.at("command").textContent); } catch { document.execCommand("copy"); }
      live.say("Copied.");
    },
  };
}

const KEYS = { g: "gate", b: "background", z: "zoom", l: "log", "+": "in", "=": "in", "-": "out", 0: "all", Home: "all",
  Enter: "keep", n: "next", p: "previous", Delete: "clear", a: "auto" };

// Where a drag begins decides what it does: at an end of a stretch it moves that, in the gate it moves all.
function grabbed({ gate, axis }, frame, x, reach) {
  const place = (bin) => frame.x(edgeOf(axis, bin)), ends = gate ? [[gate, "low"], [gate, "high"],
    ...gate.background.flatMap((part) => [[part, 0], [part, 1]])] : [];
  const away = ends.map(([part, end]) => Math.abs(place(part[end]) - x)), nearest = away.indexOf(Math.min(...away));
  if (away[nearest] <= reach) return nearest;
  return gate && place(gate.low) < x && x < place(gate.high) ? "all" : null;
}

function dragTo(live, { grab, before, frame, x: from }, x) {
  const bin = (at) => nearestEdge(live.axis, frame.energy(at)), gate = sameGate(before);
  if (grab === "all") return live.shift(bin(x) - bin(from), ["low", "high"], before);
  if (grab < 2) gate[["low", "high"][grab]] = bin(x);
  else gate.background[Math.floor(grab / 2) - 1][grab % 2] = bin(x);
  return live.change(gate);
}

function release(live, { name, x: from, y: top, frame, stretch, zooms }, x, y) {
  const { matrix, side } = live, bins = stretch?.map((end) => nearestEdge(live.axis, end));
  if (name === "matrix" && Math.hypot(x - from, y - top) < LEAST_DRAG) {
    live.change(live.lineGate(side ? frame.energyY(y) : frame.energy(x)));
  } else if (name === "matrix") {
    [[frame.energy(from), frame.energy(x)], [frame.energyY(top), frame.energyY(y)]].forEach((ends, k) =>
      live.look(k, Math.min(...ends), Math.max(...ends)));
  } else if (stretch && zooms) {
    for (const k of matrix.symmetric ? [0, 1] : [name === "total" ? side : 1 - side]) live.look(k, ...stretch);
  } else if (stretch) {
    const adds = live.mode === "background" && live.gate;
    live.change(adds ? { ...live.gate, background: [...live.gate.background, bins] } : { low: bins[0], high: bins[1], background: [] });
  }
}

function read(live, name, frame, x, y) {
  const { matrix, kept } = live, energy = frame.energy(x), spectrum = (what, { axis, values, variances }) =>
    `${what} ${plusMinus(values[binAt(axis, energy)], variances[binAt(axis, energy)])}`;
  const cell = () => {
    const { bx, by, sums } = kept.image, at = (span, value) => Math.floor((binAt(span.axis, value) - span.first) / span.times);
    const sum = sums[(by.cells - 1 - at(by, frame.energyY(y))) * bx.cells + at(bx, energy)] ?? 0;
    return `y ${frame.energyY(y).toFixed(1)}: ${number(sum)} counts`;
  };
  const text = name === "matrix" ? cell() : name === "total" ? spectrum("all pairs", kept.spectra[0]) : spectrum("net", kept.net);
  live.at("readout").textContent = `${energy.toFixed(1)} ${matrix.unit}: ${text}`;
}

function listenTo(live, name, canvas, actions) {
  const on = (kind, act, how) => canvas.addEventListener(kind, (event) => {
    const frame = live.frames[name], box = canvas.getBoundingClientRect();
    if (frame) act(event, frame, event.clientX - box.left, event.clientY - box.top);
  }, how);
  on("pointerdown", (event, frame, x, y) => {
    const zooms = name !== "total" || live.mode === "zoom" || event.shiftKey, reach = event.pointerType === "touch" ? 16 : 7;
    if (event.button > 0) return;
    canvas.setPointerCapture(event.pointerId);
    live.drag = { name, x, y, frame, zooms, before: live.gate, grab: zooms ? null : grabbed(live, frame, x, reach) };
  });
  on("pointermove", (event, frame, x, y) => {
    const { drag } = live, far = drag && Math.abs(x - drag.x) >= LEAST_DRAG;
    live.hover = frame.energy(x);
    read(live, name, frame, x, y);
    if (drag && drag.grab !== null && (far || drag.moved)) {
      drag.moved = true;
      dragTo(live, drag, x);
    } else if (drag) drag.stretch = far ? [drag.frame.energy(drag.x), drag.frame.energy(x)].sort((one, other) => one - other) : null;
    live.redraw();
  });
  on("pointerup", (event, frame, x, y) => {
    const { drag } = live;
    live.drag = null;
    if (drag && drag.grab === null) release(live, drag, x, y);
    live.redraw();
  });
  on("pointercancel", () => { live.drag = null; });
  on("pointerleave", () => { live.hover = null; live.redraw(); });
  on("dblclick", actions.all);
  on("wheel", (event, frame, x) => {
    if (document.activeElement !== canvas && !event.ctrlKey) return; // the page scrolls until a canvas was clicked
    event.preventDefault();
    live.zoom(event.deltaY > 0 ? 1.25 : 0.8, frame.energy(x));
  }, { passive: false });
  on("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key], act = actions[KEYS[event.key]];
    if ((!by && !act) || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (by) live.shift(by, event.shiftKey ? ["high"] : event.altKey ? ["low"] : ["low", "high"]);
    else act();
  });
}

function listen(live) {
  const { root } = live, actions = actionsOf(live), typed = () => {
    const [low, high, beside] = ["low", "high", "background"].map((id) => live.at(id).value);
    if (low.trim() && high.trim()) try {
      const [[from, to]] = stretchesOf(`${low}:${high}`, live.axis);
      live.change({ low: from, high: to, background: stretchesOf(beside, live.axis) });
    } catch (error) { live.say(error.message); }
  };
  for (const [name, canvas] of Object.entries(live.canvases)) listenTo(live, name, canvas, actions);
  for (const one of root.querySelectorAll("[data-live]")) one.addEventListener("click", actions[one.dataset.live]);
  for (const id of ["low", "high", "background"]) live.at(id).addEventListener("change", typed);
  live.at("name").addEventListener("change", () => live.show());
  live.at("times").addEventListener("change", () => { live.times = Number(live.at("times").value); live.show(); });
  live.at("side").addEventListener("change", () => live.turn("xy".indexOf(live.at("side").value)));
  root.querySelectorAll("[data-single]").forEach((box, k) => box.addEventListener("change", () => {
    live.singles[box.checked ? "add" : "delete"](k);
    box.parentElement.style.color = box.checked ? LIGHT.singles[k % LIGHT.singles.length] : "";
    live.redraw();
  }));
  addEventListener("hashchange", () => live.fromUrl());
  addEventListener("resize", () => live.redraw());
  live.dark.addEventListener("change", () => live.redraw());
  for (const kind of ["beforeprint", "afterprint"]) addEventListener(kind, () => {
    Object.assign(live, { printing: kind === "beforeprint", hover: null });
    draw(live);
  });
}

(async () => {
  const root = document.getElementById("live"), note = root.querySelector(".live-note");
  try {
    if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old");
    const text = (id) => document.getElementById(id).textContent, head = JSON.parse(text("live-head"));
    const matrix = unpack(head, await inflate(text("live-data").trim()));
    root.classList.add("live-on");
    const live = new Live(root, matrix);
    listen(live);
    if (typeof askFor === "function") askFor(live);
    live.fromUrl();
  } catch (error) {
    root.classList.remove("live-on");
    note.setAttribute("role", "alert");
    note.textContent = `The live matrix cannot be shown: ${error.message || "its data are damaged"}. It needs Chrome or Edge 93, ` +
      "Firefox 113, Safari 16.4 or later, and an unmodified copy of this file.";
  }
})();
