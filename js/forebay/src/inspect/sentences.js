/**
 * What was seen, in one sentence with what to change: `forebay_inspect::Broken` says the same, word for word (a test compares both).
 *
 * @typedef {import("./watch.js").Change} Change
 * @typedef {import("./judge.js").Seen} Seen
 */

/** @type {Record<string, (seen: Seen, target: string, change: Pick<Change, "action">) => string>} */
const SENTENCES = {
  applied: () => "it arrived, and the page shows it",
  target_missing({ ids }, target) {
    if (target.startsWith("#"))
      return `no element has the id \`${target}\`: a target is an id without \`#\`, so write \`${target.replace(/^#+/, "")}\`, or use \`targets\``;
    return ids?.length
      ? `the page has no element \`${target}\`, but it has \`${ids[0]}\`: give both the same id, also in what replaces it`
      : `the page has no element \`${target}\`: it is on another page, or a \`replace\` brought it without its id`;
  },
  target_doubled: ({ count, nested, id }, target) =>
    nested
      ? `\`${target}\` is inside of another \`${target}\`: an \`update\` brings only what is inside, so leave the wrapper out, or use \`replace\``
      : `the page has ${count} elements \`${id ?? target}\`, and Turbo takes the first: an id may be there once`,
  empty_template: () => "its template has nothing in it, so there was nothing to show: look at what its partial renders",
  source_removed: () => "what it replaced had the page's source tag in it, so the page reads the stream no more: move the tag outside",
  preview: () =>
    "the page was a preview of Turbo's cache, which the real page has replaced since: nothing is to be changed if that shows it, else turn previews off for it",
  permanent: () => "the element has `data-turbo-permanent`, so a refresh leaves it as it is: take the attribute away, or replace the element",
  frame_without_match: ({ frame }) => `the answer has no frame \`${frame}\`: put what it shows into a \`turbo-frame\` of this id`,
  misplaced: ({ element, parent }) =>
    `the browser has put a \`${element}\` into a \`${parent}\`, where it shows as nothing: its target has to be what may contain it`,
  unknown_action: (_, __, { action }) => `the page has no action \`${action}\`: define it in \`StreamActions\` before the stream connects`,
  own_refresh: () => "Turbo leaves out a refresh that the page's own request has caused: answer that request with the change or a redirect",
  threw: ({ error }) => `the page threw while it was applied: ${error}; look at the browser's console`,
};

/** @param {Seen} seen @param {Pick<Change, "action" | "target" | "targets">} change */
export const sentence = (seen, change) => SENTENCES[seen.is](seen, change.target ?? change.targets ?? "", change);
