// What axes of curves need.

/** What takes numbers from `low` to `high` to places from `from` to `to`. */
export const scale = (low, high, from, to) => (value) => from + ((to - from) * (value - low)) / (high - low);

/** About so many round numbers between two others. */
export function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => Number(((first + place) * step).toPrecision(12)));
}
