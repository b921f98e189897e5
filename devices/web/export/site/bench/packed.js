// Files of the export that are compressed by gzip.

// The content of `url` as Uint8Array, or the reason why there is none. A host that knows .gz has unpacked it already.
export async function unpacked(url) {
  const bytes = await fetched(url);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  if (typeof DecompressionStream === "undefined") {
    throw new Error("this browser unpacks no gzip: this page works from iOS 16.4, Chrome 91 and Firefox 114 on");
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export async function fetched(url) {
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new Error("the server of this page cannot be reached");
  }
  if (!response.ok) throw new Error(`the server of this page answered ${response.status} to ${new URL(url, self.location.href).pathname}`);
  return new Uint8Array(await response.arrayBuffer());
}

// The frames (N, H, W, 3) uint8 flat that devices/web/export/sample.py has packed.
export async function frames(url, width) {
  const data = await unpacked(url);
  const row = 3 * width;
  for (let start = 0; start < data.length; start += row) {
    for (let i = start + 3; i < start + row; i++) data[i] += data[i - 3];
  }
  return data;
}

// The codes of every label, as { size: [height, width], codes: Uint8Array }.
export async function truth({ file, counts, sizes }) {
  const { buffer } = await fetched(file);
  const runs = new Uint32Array(buffer);
  let at = 0;
  return counts.map((count, frame) => {
    const [height, width] = sizes[frame];
    const codes = new Uint8Array(height * width);
    let pixel = 0;
    for (const end = at + count; at < end; at++) {
      const length = runs[at] & 0xffffff;
      codes.fill(runs[at] >>> 24, pixel, (pixel += length));
    }
    return { size: [height, width], codes };
  });
}
