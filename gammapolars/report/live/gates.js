// Gates as texts: what is typed, what the URL keeps, the command that does the same, and the files to save.

const sameGate = (gate) => ({ ...gate, background: gate.background.map((part) => [...part]) });

// Why a gate cannot be; an empty text, where it can.
function wrongOf(gate) {
  const parts = [[gate.low, gate.high], ...gate.background].sort((one, other) => one[0] - other[0]);
  if (parts.some(([low, high]) => !(low < high))) return "The gate and each background region need at least one bin.";
  const meet = parts.some(([low], k) => k && low < parts[k - 1][1]);
  return meet ? "Gate and background regions must not overlap." : "";
}

function stretchesOf(text, axis) {
  return text.split(",").filter((part) => part.trim()).map((part) => {
    const ends = part.split(/:|\bto\b/).map((end) => (end.trim() ? Number(end) : NaN));
    if (ends.length !== 2 || !ends.every(Number.isFinite)) throw new RangeError(`“${part.trim()}” is not of the form LOW:HIGH.`);
    return ends.map((end) => nearestEdge(axis, end));
  });
}

const endsOf = (axis, low, high) => `${exact(edgeOf(axis, low))}:${exact(edgeOf(axis, high))}`;
const backgroundOf = (axis, gate) => gate.background.map((part) => endsOf(axis, ...part)).join(",");

const hashOf = (axis, gates) => gates.map((gate) => "gate=" + [gate.name ?? "", endsOf(axis, gate.low, gate.high),
  backgroundOf(axis, gate)].map(encodeURIComponent).join(";")).join("&");

function gatesOf(hash, axis) {
  return hash.replace(/^#/, "").split("&").filter((part) => part.startsWith("gate=")).flatMap((part) => {
    try {
      const [name, ends, background] = part.slice(5).split(";").map(decodeURIComponent);
      const [[low, high]] = stretchesOf(ends, axis), gate = { low, high, background: stretchesOf(background, axis) };
      return wrongOf(gate) ? [] : [{ ...gate, name: name.slice(0, 80) }];
    } catch { return []; }
  });
}

function commandOf(matrix, side, gate) {
  const axis = matrix.axes[side], [low, high] = [edgeOf(axis, gate.low), edgeOf(axis, gate.high)];
  return ["gammapolars gate", matrix.file, `--on ${exact((low + high) / 2)} --width ${exact(high - low)}`,
    ...gate.background.map((part) => `--background ${endsOf(axis, ...part)}`),
    ...(matrix.column === "adc" ? ["--unit adc"] : []), ...(matrix.symmetric ? [] : [`--axis ${"xy"[side]}`]),
    "-o gated.csv"].join(" ");
}

// The rows of the command's table, to the last digit.
function csvOf(matrix, side, found) {
  const axis = matrix.axes[1 - side], rows = [`${matrix.column},counts,variance`];
  found.seen.forEach((seen, bin) => {
    if (seen) rows.push([centreOf(axis, bin), found.net[bin], found.variance[bin]].join(","));
  });
  return rows.join("\n") + "\n";
}

function save(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
