// What a page asks of the server that it came from: the matrix of other pairs, and the peaks of a gate.

async function ask(name, query) {
  const answer = await fetch(`${name}?${new URLSearchParams(query)}`).catch(() => null);
  if (!answer) throw new RangeError("The command that served this page has ended; start it again.");
  if (!answer.ok) throw new RangeError(await answer.text());
  return answer.json();
}

function askFor(live) {
  const pairs = () => [["dt", live.at("dt").value.trim()], ...[...live.root.querySelectorAll("[data-side]:checked")]
    .map((box) => [box.dataset.side, box.value])].filter(([, value]) => value);
  const onPress = (id, act) => live.at(id).addEventListener("click", async () => {
    live.say("…");
    try { await act(); } catch (error) { live.say(error.message); }
  });
  onPress("ask", async () => {
    const { head, data, made } = await ask("matrix", pairs());
    live.matrix = unpack({ ...live.matrix, ...head }, await inflate(data));
    live.at("made").textContent = made;
    live.turn(live.matrix.symmetric ? 1 : 0);
  });
  onPress("fit", async () => {
    const { gate, side, axis } = live, ends = (low, high) => endsOf(axis, low, high);
    if (!gate) throw new RangeError("Draw a gate first.");
    const [low, high] = ends(gate.low, gate.high).split(":"), beside = gate.background.map((part) => ["background", ends(...part)]);
    const { counts, unc, peaks } = await ask("gate", [...pairs(), ["side", "xy"[side]], ["low", low], ["high", high], ...beside]);
    const of = (peak, name) => plusMinus(peak[name], (peak[`${name}_unc`] ?? NaN) ** 2);
    fillTable(live.at("fits"), peaks.map((peak) => [of(peak, "centroid_kev"), of(peak, "fwhm_kev"), of(peak, "area"),
      [peak.kind, peak.nuclide].filter(Boolean).join(" ")]));
    live.say(`With exact limits: ${plusMinus(counts, unc ** 2)} net counts, ${peaks.length} peak${peaks.length === 1 ? "" : "s"}.`);
  });
}
