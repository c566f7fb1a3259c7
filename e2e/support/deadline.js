// Bounds every wait of the harness: a promise that doesn't settle in time fails with the name of what was awaited.
// A deadline never makes a test pass; waiting itself is always for an event.

/** How long any single wait may take before the test fails. Generous: it costs time only when something is broken. */
export const DEADLINE_MS = Number(process.env.FOREBAY_E2E_TIMEOUT_MS ?? 15_000);

/**
 * @template T
 * @param {string} what ends the sentence "timed out waiting for …"
 * @param {Promise<T>} promise
 * @param {{ms?: number, detail?: () => string}} [options] `detail` is asked only on failure: what was seen instead
 * @returns {Promise<T>}
 */
export async function within(what, promise, { ms = DEADLINE_MS, detail } = {}) {
  let timer;
  const expired = new Promise((_, reject) => {
    timer = setTimeout(() => {
      const seen = detail ? `\n${detail()}` : "";
      reject(new Error(`timed out after ${ms} ms waiting for ${what}${seen}`));
    }, ms);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Asks again and again until the answer is yes, for what nobody announces. `ask` has to take a round trip.
 *
 * @param {string} what ends the sentence "timed out waiting for …"
 * @param {() => Promise<boolean>} ask
 */
export async function eventually(what, ask) {
  let expired = false;
  const asking = (async () => {
    while (!expired && !(await ask()));
  })();
  try {
    await within(what, asking);
  } finally {
    expired = true;
  }
}
