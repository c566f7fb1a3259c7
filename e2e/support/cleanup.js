// Undoes what a test opened: last opened first, all of it, whatever fails on the way.
// node:test's own `after` hooks run first to last and stop at the first error, which would leak servers.

/** @typedef {import("node:test").TestContext} TestContext */

/** @type {WeakMap<TestContext, Array<() => unknown>>} */
const stacks = new WeakMap();

/**
 * Runs `undo` when the test ends. An error that it throws fails the test, after everything else was undone.
 *
 * @param {TestContext} t
 * @param {() => unknown} undo may be async
 */
export function onEnd(t, undo) {
  let stack = stacks.get(t);
  if (!stack) {
    stack = [];
    stacks.set(t, stack);
    t.after(() => runAll(stack));
  }
  stack.push(undo);
}

/** @param {Array<() => unknown>} stack */
async function runAll(stack) {
  const errors = [];
  while (stack.length > 0) {
    try {
      await stack.pop()();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) {
    throw new AggregateError(errors, errors.map((error) => error.message).join("\n"));
  }
}
