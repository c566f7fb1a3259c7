import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { bundle, BUNDLES, committed } from "../bundle.js";

for (const name of Object.keys(BUNDLES)) {
  test(`${name}, which the crate serves, is made of these sources: npm run bundle`, async () => {
    assert.equal(await committed(name), await bundle(name));
  });

  const most = name === "inspect.js" ? 10 : 9;
  test(`${name} is under ${most} KB, minified and gzipped`, async () => {
    const { length } = gzipSync(await bundle(name), { level: 9 });
    assert.ok(length < most << 10, `${length} bytes`);
  });
}
