// Reads WebSocket frames off a byte stream (RFC 6455 section 5) without changing a byte of them.
// It believes both peers and leaves judging them to the server under test.

const OPCODES = { 0x0: "continuation", 0x1: "text", 0x2: "binary", 0x8: "close", 0x9: "ping", 0xa: "pong" };

/**
 * @typedef {object} WsFrame
 * @property {"continuation"|"text"|"binary"|"close"|"ping"|"pong"|"unknown"} kind
 * @property {boolean} fin
 * @property {boolean} compressed RSV1: the payload is deflated and not readable here
 * @property {boolean} masked
 * @property {Buffer} payload unmasked
 * @property {Buffer} raw the frame's bytes as they came
 */

/** Cuts one direction of one connection into frames. */
export class WsFrameReader {
  /** @type {Buffer[]} */
  #chunks = [];
  #length = 0;
  /** Bytes without which no frame can be complete: spares a large frame from being joined again at every chunk. */
  #needed = 2;

  /** @param {Buffer} chunk @returns {WsFrame[]} the frames that are complete now */
  push(chunk) {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const frames = [];
    while (this.#length >= this.#needed) {
      const frame = this.#next(this.#joined());
      if (frame) frames.push(frame);
    }
    return frames;
  }

  /** Bytes of a frame that has begun and not ended. @returns {Buffer} */
  takeRest() {
    const rest = this.#joined();
    this.#keep(Buffer.alloc(0));
    return rest;
  }

  /** Takes one frame off the front, or learns how many bytes it needs. */
  #next(bytes) {
    const head = readHead(bytes);
    this.#needed = head.end;
    if (bytes.length < head.end) return undefined;
    this.#keep(bytes.subarray(head.end));
    const raw = bytes.subarray(0, head.end);
    return {
      kind: OPCODES[raw[0] & 0x0f] ?? "unknown",
      fin: (raw[0] & 0x80) !== 0,
      compressed: (raw[0] & 0x40) !== 0,
      masked: head.mask !== undefined,
      payload: unmask(raw.subarray(head.start), head.mask),
      raw,
    };
  }

  #joined() {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #keep(rest) {
    this.#chunks = [rest];
    this.#length = rest.length;
    this.#needed = 2;
  }
}

/** A whole text message, as a server sends it. @param {Buffer} payload */
export function textFrame(payload) {
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.from([0x81, length]), payload]);
  if (length < 1 << 16) return Buffer.concat([Buffer.from([0x81, 126, length >> 8, length & 0xff]), payload]);
  const head = Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

/** Where the payload starts and ends; while the head is incomplete, only where the head ends. */
function readHead(bytes) {
  const masked = (bytes[1] & 0x80) !== 0;
  const short = bytes[1] & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = 2 + lengthBytes + (masked ? 4 : 0);
  if (bytes.length < start) return { start, end: start };
  const length = lengthBytes === 0 ? short : lengthBytes === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const mask = masked ? bytes.subarray(2 + lengthBytes, start) : undefined;
  return { start, end: start + length, mask };
}

function unmask(payload, mask) {
  if (!mask) return payload;
  const clear = Buffer.from(payload);
  for (let i = 0; i < clear.length; i += 1) clear[i] ^= mask[i % 4];
  return clear;
}
