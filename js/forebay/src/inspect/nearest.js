/** The nearest of many names, for somebody who has mistyped one. */

/** Longer names are compared by their beginnings. */
const LENGTH_MAX = 100;

/** Names that are compared: 2 000 of 100 characters take some 20 ms, where a finding is made and nowhere else. */
const NAMES_MAX = 2_000;

const ANSWERS_MAX = 5;

/** Edits that make one of the other. @param {string} a @param {string} b @param {number} most more are not told apart */
function distance(a, b, most) {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}

/** What is equal but for separators, capitals and a leading sign. @param {string} name */
const plain = (name) => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

/** The record's key: `message_8` is no slip of the pen for `message_7`. @param {string} name */
const numbers = (name) => name.match(/\d+/g)?.join(" ") ?? "";

/** @param {string} name @param {Iterable<string>} names @returns {string[]} the nearest first, at most five, none that is not near */
export function nearest(name, names) {
  const wanted = name.slice(0, LENGTH_MAX);
  const most = Math.max(2, Math.floor(wanted.length / 3));
  /** @type {Map<string, number>} */
  const near = new Map();
  let left = NAMES_MAX;
  for (const candidate of names) {
    if ((left -= 1) < 0) break;
    if (numbers(candidate) !== numbers(name)) continue;
    const text = candidate.slice(0, LENGTH_MAX);
    const edits = plain(text) === plain(wanted) ? 0 : distance(wanted, text, most);
    if (edits <= most) near.set(candidate, edits);
  }
  return [...near].sort(([, a], [, b]) => a - b).slice(0, ANSWERS_MAX).map(([candidate]) => candidate);
}
