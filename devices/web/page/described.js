// A model that is not this project's own, used as its description says: converters/reference_session.py in JavaScript.

// How a byte of each of the input's channels becomes its float, and which of R, G and B that channel is.
export function colours({ mean, std, colour }) {
  const order = colour === "BGR" ? [2, 1, 0] : [0, 1, 2];
  return order.map((from, channel) => ({
    from,
    table: Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - mean[channel]) / std[channel]),
  }));
}

// The person in an output, (height, width) in [0, 1] flat: `data` as the runtime gives it, `dims` its sides.
export function mask(description, { data, dims }, [height, width]) {
  const { channels, rows, columns, at } = places(description.output_layout, dims, [height, width]);
  // 8 bits without a scale hold a value in [0, 1] as 0..255.
  const unit = data instanceof Uint8Array && description.output !== "class-ids" ? 255 : 1;
  const value = (channel, pixel) => Number(data[at(channel, pixel)]) / unit;
  const whole = rows === height && columns === width;
  const values = Float32Array.from({ length: rows * columns }, reader(description, value, channels));
  const found = whole ? values : enlarge(values, rows, columns, height, width);
  // Logits are enlarged before they are squashed.
  const squash = description.output.endsWith("logits") ? sigmoid : (x) => x;
  return found.map(description.inverted ? (x) => 1 - squash(x) : squash);
}

// A function of (_, pixel): how much of it is a person, a logit where the output has logits.
function reader({ output, channel, person_classes: classes }, value, channels) {
  const all = [...Array(channels).keys()];
  const one = channel < 0 ? channels + channel : channel;
  const most = (which, pixel) => Math.max(...which.map((c) => value(c, pixel)));
  if (output === "class-ids") {
    const wanted = new Set(classes.length ? classes : [1]);
    return (_, pixel) => Number(wanted.has(Math.round(value(0, pixel))));
  }
  if (Math.max(one, ...classes) >= channels) throw new Error(`the output has ${channels} channels`);
  if (classes.length) {
    const others = all.filter((c) => !classes.includes(c));
    if (output === "class-logits") return (_, pixel) => most(classes, pixel) - most(others, pixel);
    return (_, pixel) => {
      const [ours, theirs] = [most(classes, pixel), most(others, pixel)];
      return ours / Math.max(ours + theirs, 1e-12);
    };
  }
  if (output === "class-logits") {
    const others = all.filter((c) => c !== one);
    return (_, pixel) => {
      const top = most(others, pixel);
      return value(one, pixel) - top - Math.log(others.reduce((sum, c) => sum + Math.exp(value(c, pixel) - top), 0));
    };
  }
  return output === "pixels" ? (_, pixel) => value(one, pixel) / 255 : (_, pixel) => value(one, pixel);
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

// The sides of an output, and where the value of (channel, pixel) is in its data.
function places(layout, dims, resolution) {
  const first = { at: (pixels) => (channel, pixel) => channel * pixels + pixel };
  const last = { at: (_, channels) => (channel, pixel) => pixel * channels + channel };
  const shape = (channels, rows, columns, order) => ({ channels, rows, columns, at: order.at(rows * columns, channels) });
  if (layout.startsWith("flat")) {
    const size = dims.reduce((product, side) => product * side, 1);
    return shape(...flat(size, resolution), layout === "flat-NCHW" ? first : last);
  }
  const sides = dims.length === 4 ? dims.slice(1) : [...dims];
  if (sides.length === 2) return shape(1, ...sides, first);
  if (layout === "NHWC" && !(dims.length === 3 && dims[0] === 1)) return shape(sides[2], sides[0], sides[1], last);
  return shape(...sides, first);
}

// [channels, rows, columns] of a vector: as few channels as possible, its sides the picture's or a whole fraction of them.
function flat(size, [height, width]) {
  for (let channels = 1; channels < 256; channels++) {
    for (const scale of [1, 2, 4, 8]) {
      if (height % scale || width % scale || size !== (channels * height * width) / scale ** 2) continue;
      return [channels, height / scale, width / scale];
    }
  }
  throw new Error(`${size} values are no picture of ${height}x${width}`);
}

// Bilinear with half-pixel centres, as OpenCV's.
function enlarge(mask, rows, columns, height, width) {
  const place = (i, size, source) => {
    const position = Math.min(Math.max(((i + 0.5) * source) / size - 0.5, 0), source - 1);
    const low = Math.floor(position);
    return [low, Math.min(low + 1, source - 1), position - low];
  };
  const across = Array.from({ length: width }, (_, x) => place(x, width, columns));
  const out = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    const [top, bottom, down] = place(y, height, rows);
    for (let x = 0; x < width; x++) {
      const [left, right, along] = across[x];
      const row = (at) => mask[at * columns + left] * (1 - along) + mask[at * columns + right] * along;
      out[y * width + x] = row(top) * (1 - down) + row(bottom) * down;
    }
  }
  return out;
}
