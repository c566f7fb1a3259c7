import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { bundle, committed } from "../bundle.js";

test("the file that the crate serves is made of these sources: npm run bundle", async () => {
  assert.equal(await committed(), await bundle());
});

test("it is under 8 KB, minified and gzipped", async () => {
  const { length } = gzipSync(await bundle(), { level: 9 });
  assert.ok(length < 8 * 1024, `${length} bytes`);
});
