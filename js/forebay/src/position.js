/**
 * Where a page stands: the log's epoch, and the offset up to which the page shows everything.
 * @typedef {{ epoch: string, offset: number }} Position
 */

/**
 * Reads `EPOCH.OFFSET`; what follows (a signed cursor's page and signature) is left alone.
 * @param {string | null | undefined} text
 * @returns {Position | null}
 */
export function parse(text) {
  const match = /^([0-9a-f]{1,16})\.(\d{1,16})(?:\.|$)/.exec(text ?? "");
  return match && { epoch: match[1], offset: Number(match[2]) };
}

/** @param {Position} position */
export const format = ({ epoch, offset }) => `${epoch}.${offset}`;

/**
 * Whether `a` is certainly before `b`. Positions of two epochs can't be compared.
 * @param {Position} a
 * @param {Position} b
 */
export const isBefore = (a, b) => a.epoch === b.epoch && a.offset < b.offset;
