// Medians and the middle 80 % of values.

export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)];
  return below + (sorted[Math.ceil(place)] - below) * (place - Math.floor(place));
}

export const median = (values) => quantile(values, 0.5);

// { median, low, high }: the middle 80 % lie between the last two.
export const spread = (values) => ({ median: median(values), low: quantile(values, 0.1), high: quantile(values, 0.9) });
