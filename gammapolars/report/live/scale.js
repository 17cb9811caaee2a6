// Axes, numbers and colours of the canvases.

const LIGHT = {
  ink: "#1f2933", quiet: "#5b6773", grid: "#e3e8ed", paper: "#ffffff", total: "#8b97a3", gate: "#0072b2",
  background: "#d55e00", error: "#9cc7e3", singles: ["#d55e00", "#009e73", "#b97d00", "#b0558f", "#2f8fc7", "#4b3b94"],
  cells: ["#b5d5ea", "#62abd9", "#1f77b8", "#4b3b94", "#250a3f"],
};
const DARK = {
  ...LIGHT, ink: "#e4e9ee", quiet: "#9fb0bf", grid: "#2b343d", paper: "#171c21", gate: "#6cb8ea", background: "#ffa066",
  error: "#35607c", cells: ["#33465a", "#3f6f9b", "#62abd9", "#b5d5ea", "#fff3c4"],
};

const NUMBERS = new Intl.NumberFormat("en", { maximumSignificantDigits: 5 });
const number = (value) => NUMBERS.format(value || 0).replace("-", "\u2212");

// A value and its standard deviation, both to the place of the second digit of the latter.
function plusMinus(value, variance) {
  const sigma = Math.sqrt(Math.max(variance, 0));
  const digits = sigma > 0 ? Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(sigma)))) : 0;
  const text = (one) => one.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${text(value).replace("-", "\u2212")} ± ${text(sigma)}`;
}

// As many digits as a bin's edges have, and no rounding errors behind them.
const exact = (value) => String(Number(value.toPrecision(12)));

function roundSteps(low, high, most) {
  const rough = (high - low) / Math.max(most, 1), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((one) => one * power >= rough * 0.999) * power, first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, k) => (first + k) * step);
}

function logSteps(low, high) {
  const digits = high / low < 100 ? [1, 2, 5] : [1], steps = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) {
    steps.push(...digits.map((digit) => digit * 10 ** power).filter((step) => step >= low * 0.999 && step <= high));
  }
  return steps.filter((_, k) => k % Math.ceil(steps.length / 7) === 0);
}

function countLabel(value) {
  const power = Math.log10(value);
  if (!(value >= 10000) || Math.abs(power - Math.round(power)) > 1e-9) return number(value);
  return "10" + String(Math.round(power)).replace(/[0-9]/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
}

// A canvas as large as its place on the page, in the pixels that the screen has.
function sized(canvas, height) {
  const width = Math.max(canvas.parentElement.clientWidth, 200), ratio = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = "12px system-ui, sans-serif";
  return { pen, width, height };
}

function colourRamp(stops) {
  const parts = stops.map((stop) => [1, 3, 5].map((at) => parseInt(stop.slice(at, at + 2), 16)));
  return Array.from({ length: 256 }, (_, k) => {
    const at = (k / 255) * (parts.length - 1), below = Math.min(Math.floor(at), parts.length - 2);
    return parts[below].map((one, c) => Math.round(one + (at - below) * (parts[below + 1][c] - one)));
  });
}
