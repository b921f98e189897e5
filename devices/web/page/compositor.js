// Frames, masks and backgrounds on the graphics processor, by WebGL2.
//
//   const compositor = new Compositor(canvas, resolution);
//   const small = compositor.read(video);   // RGBA uint8 at the network's size
//   compositor.draw(mask, look);            // of the frame that was read last, onto the canvas

import { coloured, parts } from "./labels.js";
import { BLUR, COMPOSE, REFINE, REFINE_PARTS, SHRINK, VERTEX, WEIGH } from "./shaders.js";

export const BEHIND = { blur: 0, colour: 1, picture: 2, tint: 3, none: 4 };
const SOFT_SIDE = 180;   // The blurred layers' shorter side.
// Of a Gaussian, as a share of that, and how sure its pixels must be: a background out of focus, as in video/blur.py,
// and the colours about a mixed pixel, as in video/foreground.py.
const FOCUS = { sigma: 0.03, strict: 4 };
const NEAR = { sigma: 0.012, strict: 1 };

export class Compositor {
  // The second is the network's resolution.
  constructor(canvas, resolution) {
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, powerPreference: "high-performance" });
    if (!gl) throw new Error("this browser has no WebGL2, which puts the pictures together");
    Object.assign(this, { canvas, gl, size: [0, 0] });
    // Of a background that is nearly hidden, 8 bits are too few.
    const fine = gl.getExtension("EXT_color_buffer_float") || gl.getExtension("EXT_color_buffer_half_float");
    this.softFormat = fine ? gl.RGBA16F : gl.RGBA8;
    const programs = { SHRINK, REFINE, REFINE_PARTS, WEIGH, BLUR, COMPOSE };
    this.programs = Object.fromEntries(Object.entries(programs).map(([name, source]) => [name, program(gl, source)]));
    gl.bindVertexArray(gl.createVertexArray());
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    this.frame = texture(gl, gl.LINEAR);
    this.picture = texture(gl, gl.LINEAR_MIPMAP_LINEAR);
    this.setPicture(new ImageData(1, 1));
    this.setResolution(resolution);
  }

  // The network's, [height, width].
  setResolution([height, width]) {
    const { gl } = this;
    if (this.small) release(gl, this.small);
    if (this.mask) gl.deleteTexture(this.mask);
    this.small = target(gl, gl.RGBA8, width, height, gl.NEAREST);
    this.mask = texture(gl, gl.LINEAR);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.R8, width, height);
    for (const old of [this.parts, this.labels]) if (old) gl.deleteTexture(old);
    this.parts = this.labels = null;
    this.pixels = new Uint8Array(4 * width * height);
    this.mask8 = new Uint8Array(width * height);
  }

  // What the network sees of the video's present frame, which is kept for `draw`.
  read(video) {
    const { gl, small } = this;
    this.resize(video.videoWidth, video.videoHeight);
    gl.bindTexture(gl.TEXTURE_2D, this.frame);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, video);
    this.pass("SHRINK", small, { frame: this.frame }, { to: [small.width, small.height] });
    gl.readPixels(0, 0, small.width, small.height, gl.RGBA, gl.UNSIGNED_BYTE, this.pixels);
    return this.pixels;
  }

  // `look` is { behind, colour: [r, g, b] in [0, 1], mirror, showMask, tints, overlay }; `mask` is Float32Array in [0, 1].
  // `tints` are those of PARTS, colours or null, `overlay` is whether the labels are drawn; both need `labels`,
  // Float32Array [height, width, 9].
  draw(mask, { behind, colour, mirror, showMask, tints, overlay }, labels = null) {
    const { gl, frame, small, alpha, soft, front } = this;
    const tinted = labels !== null && tints.some((tint) => tint);
    const drawn = labels !== null && overlay;
    for (let i = 0; i < mask.length; i++) this.mask8[i] = 255 * mask[i] + 0.5;
    gl.bindTexture(gl.TEXTURE_2D, this.mask);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, small.width, small.height, gl.RED, gl.UNSIGNED_BYTE, this.mask8);
    this.pass("REFINE", alpha, { frame, small: small.texture, mask: this.mask });
    if (tinted) this.refineParts(labels);
    if (drawn) this.labels = this.upload(this.labels, labels, coloured);
    if (behind !== BEHIND.tint && behind !== BEHIND.none) this.mean(soft, false, behind === BEHIND.blur ? FOCUS : NEAR);
    if (behind === BEHIND.colour || behind === BEHIND.picture) {
      this.mean(front, true, NEAR);
      mipmaps(gl, alpha.texture);
    }
    const [width, height] = this.size;
    const textures = { frame, alpha: alpha.texture, soft: soft.texture, front: front.texture, picture: this.picture };
    // A sampler must have a texture, also where it is not looked at.
    Object.assign(textures, { parts: tinted ? this.fine.texture : frame, labels: drawn ? this.labels : frame });
    const floats = { flat_colour: colour, cover: cover(this.pictureSize, [width, height]) };
    if (tinted) tints.forEach((tint, part) => (floats[`tints[${part}]`] = tint ?? [0, 0, 0]));
    const given = tinted ? tints.reduce((bits, tint, part) => bits | (tint ? 1 << part : 0), 0) : 0;
    const integers = { behind, mirror, show_mask: showMask, tinted: given, overlay: drawn };
    this.pass("COMPOSE", { framebuffer: null, width, height }, textures, floats, integers);
    // One pixel read back waits for the whole: else only the handing over of the work would be timed.
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
  }

  // Has in `fine` the parts' probabilities at the frame's size.
  refineParts(labels) {
    const { gl, frame, small, size } = this;
    this.parts = this.upload(this.parts, labels, parts);
    if (this.fine?.width !== size[0] || this.fine.height !== size[1]) {
      if (this.fine) release(gl, this.fine);
      this.fine = target(gl, gl.RGBA8, ...size, gl.LINEAR);
    }
    this.pass("REFINE_PARTS", this.fine, { frame, small: small.texture, mask: this.parts });
  }

  // A texture at the network's size, made where there is none yet, of what `lay` makes of the labels.
  upload(into, labels, lay) {
    const { gl, small } = this;
    const fresh = into ?? texture(gl, gl.LINEAR);
    gl.bindTexture(gl.TEXTURE_2D, fresh);
    if (!into) gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA8, small.width, small.height);
    this.laid = this.laid?.length === 4 * small.width * small.height ? this.laid : new Uint8Array(4 * small.width * small.height);
    lay(labels, this.laid);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, small.width, small.height, gl.RGBA, gl.UNSIGNED_BYTE, this.laid);
    return fresh;
  }

  // Has in `layer` the mean colours of the person, or of what is behind, about each place: times their weight, and that.
  mean(layer, person, { sigma, strict }) {
    const { gl, frame, alpha, spare } = this;
    const { width, height } = layer;
    const spread = [sigma * Math.min(width, height)];
    this.pass("WEIGH", layer, { frame, alpha: alpha.texture }, { to: [width, height], strict: [strict] }, { person });
    this.pass("BLUR", spare, { from: layer.texture }, { stride: [1 / width, 0], sigma: spread });
    this.pass("BLUR", layer, { from: spare.texture }, { stride: [0, 1 / height], sigma: spread });
    mipmaps(gl, layer.texture);
  }

  // The background of BEHIND.picture, from an ImageBitmap or ImageData.
  setPicture(bitmap) {
    const { gl } = this;
    gl.bindTexture(gl.TEXTURE_2D, this.picture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    gl.generateMipmap(gl.TEXTURE_2D);
    this.pictureSize = [bitmap.width, bitmap.height];
  }

  resize(width, height) {
    if (width === this.size[0] && height === this.size[1]) return;
    const { gl } = this;
    for (const old of [this.alpha, this.soft, this.front, this.spare]) if (old) release(gl, old);
    this.size = [this.canvas.width, this.canvas.height] = [width, height];
    this.alpha = target(gl, gl.R8, width, height, gl.LINEAR_MIPMAP_LINEAR);
    const scale = Math.min(1, SOFT_SIDE / Math.min(width, height));
    const less = [Math.round(width * scale), Math.round(height * scale)];
    this.soft = target(gl, this.softFormat, ...less, gl.LINEAR_MIPMAP_LINEAR);
    this.front = target(gl, this.softFormat, ...less, gl.LINEAR_MIPMAP_LINEAR);
    this.spare = target(gl, this.softFormat, ...less, gl.LINEAR);
  }

  pass(name, { framebuffer, width, height }, textures, floats = {}, integers = {}) {
    const { gl } = this;
    const { id, at } = this.programs[name];
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.viewport(0, 0, width, height);
    gl.useProgram(id);
    Object.entries(textures).forEach(([uniform, one], unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, one);
      gl.uniform1i(at(uniform), unit);
    });
    for (const [uniform, value] of Object.entries(floats)) gl[`uniform${value.length}fv`](at(uniform), value);
    for (const [uniform, value] of Object.entries(integers)) gl.uniform1i(at(uniform), value);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.activeTexture(gl.TEXTURE0);
  }
}

// The share of a picture [width, height] that fills a canvas, in each direction.
export function cover([width, height], [canvasWidth, canvasHeight]) {
  const ratio = canvasWidth / canvasHeight / (width / height);
  return ratio < 1 ? [ratio, 1] : [1, 1 / ratio];
}

function program(gl, source) {
  const id = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, source]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(id, shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(`a shader does not compile: ${gl.getShaderInfoLog(shader)}`);
  }
  gl.linkProgram(id);
  const places = new Map();
  const at = (name) => {
    if (!places.has(name)) places.set(name, gl.getUniformLocation(id, name));
    return places.get(name);
  };
  return { id, at };
}

function texture(gl, smaller) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, smaller);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, smaller === gl.NEAREST ? gl.NEAREST : gl.LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return made;
}

// A texture that can be drawn into.
function target(gl, format, width, height, smaller) {
  const levels = smaller === gl.LINEAR_MIPMAP_LINEAR ? 1 + Math.floor(Math.log2(Math.max(width, height))) : 1;
  const made = texture(gl, smaller);
  gl.texStorage2D(gl.TEXTURE_2D, levels, format, width, height);
  const framebuffer = gl.createFramebuffer();
  gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, made, 0);
  return { texture: made, framebuffer, width, height };
}

function release(gl, { texture: made, framebuffer }) {
  gl.deleteTexture(made);
  gl.deleteFramebuffer(framebuffer);
}

function mipmaps(gl, made) {
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.generateMipmap(gl.TEXTURE_2D);
}
